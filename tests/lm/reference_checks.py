"""Compares the reference model with transformers' own. Run by the Python that has torch; prints JSON."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "src"))

import torch  # noqa: E402  - after the path
from transformers import (  # noqa: E402  # noqa: E402
    LlamaConfig,
    LlamaForCausalLM,
    Phi3Config,
    Phi3ForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from hutch.lm.architecture import Architecture  # noqa: E402
from hutch.lm.reference import weights  # noqa: E402
from hutch.lm.reference.generate import generate  # noqa: E402
from hutch.lm.reference.model import Cache, Decoder  # noqa: E402

SWITCH = 24  # LongRoPE's, in tokens
SIZES = {
    "vocab_size": 320, "hidden_size": 96, "intermediate_size": 256, "num_hidden_layers": 3, "num_attention_heads": 6,
    "num_key_value_heads": 2, "max_position_embeddings": 768, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
PARTIAL = 6  # half of 0.75 of a head of 16


def models() -> Iterator[tuple[str, Any]]:
    """Small models of every shape that is known, with random weights, three query heads to a key head."""
    long = {
        "rope_type": "longrope", "short_factor": [1.0 + 0.05 * i for i in range(PARTIAL)],
        "long_factor": [1.0 + 2.5 * i for i in range(PARTIAL)], "original_max_position_embeddings": SWITCH,
        "rope_theta": 10_000.0, "partial_rotary_factor": 0.75,
    }  # fmt: skip
    phi = {"original_max_position_embeddings": SWITCH, "tie_word_embeddings": True}
    yield "phi4mini", Phi3ForCausalLM(Phi3Config(**SIZES, **phi, rope_parameters=long))
    yield "phi3", Phi3ForCausalLM(Phi3Config(**SIZES))
    three = {
        "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64, "rope_theta": 500_000.0,
    }  # fmt: skip
    yield "llama3", LlamaForCausalLM(LlamaConfig(**SIZES, rope_parameters=three))
    yield "smollm2", LlamaForCausalLM(LlamaConfig(**SIZES, tie_word_embeddings=True))
    yield "qwen2", Qwen2ForCausalLM(Qwen2Config(**SIZES, tie_word_embeddings=True))


@torch.no_grad()
def scatter(theirs: Any) -> None:
    """Biases and norms begin as zeros and ones, where a mistake would not show."""
    theirs.eval()
    for each in theirs.parameters():
        if each.dim() == 1:
            each.add_(0.2 * torch.randn_like(each))


@torch.inference_mode()
def differences(theirs: Any, ours: Decoder) -> dict[str, float]:
    """The largest difference of a logit, for each way of reading."""
    found = {}
    for name, length in (("below", SWITCH - 4), ("at", SWITCH), ("above", 3 * SWITCH)):
        tokens = torch.randint(3, 320, (2, length))
        wanted = theirs(tokens, use_cache=False).logits
        found[name] = _apart(ours(tokens), wanted)
        found[f"{name}, last only"] = _apart(ours(tokens, last_only=True), wanted[:, -1:])
        # a cache holds keys of one set of factors: above the switch its first part must lie above as well
        first = SWITCH + 1 if length > SWITCH else 1
        for step in (1, 7):
            cache, parts = Cache(), []
            parts.append(ours(tokens[:, :first], cache))
            for at in range(first, length, step):
                parts.append(ours(tokens[:, at : at + step], cache))
            whole = torch.cat(parts, 1)
            if ours.shape.rope.kind == "longrope" and length > SWITCH:
                found[f"{name}, by {step}"] = _apart(whole[:, first - 1 :], wanted[:, first - 1 :])
            else:
                found[f"{name}, by {step}"] = _apart(whole, wanted)
    return found


def _apart(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).abs().max())


def generated(theirs: Any, ours: Decoder) -> bool:
    """Whether greedy texts are the same, the one that crosses the switch too."""
    prompt = [5, 9, 200, 31, 7, 44, 101, 8]
    wanted = theirs.generate(
        torch.tensor([prompt]), max_new_tokens=3 * SWITCH, do_sample=False, eos_token_id=None, pad_token_id=0
    )
    return generate(ours, prompt, 3 * SWITCH) == wanted[0, len(prompt) :].tolist()


def refusals(folder: Path) -> dict[str, str]:
    """What is said of files that do not fit: the field that is named."""
    found = {}
    config = json.loads((folder / "config.json").read_text())

    def said(name: str, **changed: Any) -> None:
        (folder / "config.json").write_text(json.dumps({**config, **changed}))
        try:
            weights.load(folder)
            found[name] = "nothing"
        except Exception as error:
            found[name] = f"{type(error).__name__} {getattr(error, 'field', None)}"

    said("more layers", num_hidden_layers=4)
    said("fewer layers", num_hidden_layers=2)
    said("wider", intermediate_size=512)
    said("a million layers", num_hidden_layers=1_000_000)
    said("no heads", num_attention_heads=0)
    said("another kind", model_type="mamba")
    return found


def full_size() -> dict[str, int]:
    """Phi-4-mini's published config.json, as far as it says sizes."""
    config = {
        "model_type": "phi3", "vocab_size": 200064, "hidden_size": 3072, "intermediate_size": 8192,
        "num_hidden_layers": 32, "num_attention_heads": 24, "num_key_value_heads": 8, "partial_rotary_factor": 0.75,
        "rms_norm_eps": 1e-05,
        "max_position_embeddings": 131072, "original_max_position_embeddings": 4096, "tie_word_embeddings": True,
        "rope_theta": 10000.0, "hidden_act": "silu",
        "rope_scaling": {"type": "longrope", "short_factor": [1.0] * 48, "long_factor": [1.0 + i for i in range(48)]},
    }  # fmt: skip
    shape = Architecture.of_config(config)
    with torch.device("meta"):
        decoder = Decoder(shape)
    return {
        "told": shape.parameters,
        "made": sum(each.numel() for each in decoder.parameters()),
        "turning": shape.rope.width,
    }


def main() -> None:
    """All of it."""
    torch.manual_seed(7)
    torch.set_num_threads(1)
    told: dict[str, Any] = {"models": {}}
    for name, theirs in models():
        scatter(theirs)
        with tempfile.TemporaryDirectory() as made:
            folder = Path(made)
            theirs.save_pretrained(folder / "one")
            theirs.save_pretrained(folder / "many", max_shard_size="100KB")
            ours = weights.load(folder / "one")
            cut = weights.load(folder / "many")
            told["models"][name] = {
                "apart": differences(theirs, ours),
                "generates": generated(theirs, ours),
                "shards": len(list((folder / "many").glob("*.safetensors"))),
                "same from shards": all(
                    map(torch.equal, ours.state_dict().values(), cut.state_dict().values())
                ),
                "parameters": [ours.shape.parameters, sum(each.numel() for each in ours.parameters())],
                "refusals": refusals(folder / "one"),
            }
    print(json.dumps({**told, "full size": full_size()}))


if __name__ == "__main__":
    main()
