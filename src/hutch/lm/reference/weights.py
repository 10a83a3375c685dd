"""Published files into the model: `config.json` and safetensors, of Phi-3's fused layout or of Llama's and Qwen's."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from hutch.lm.architecture import Architecture
from hutch.lm.errors import BadModel
from hutch.lm.formats import safetensors
from hutch.lm.reference.model import Decoder

MAX_CONFIG_BYTES = 1 << 20
_SHOWN = 3
# our tensor -> those of Llama's and Qwen's files that stand in it, one below the other
_FUSED = {
    "self_attn.qkv_proj.": ("self_attn.q_proj.", "self_attn.k_proj.", "self_attn.v_proj."),
    "mlp.gate_up_proj.": ("mlp.gate_proj.", "mlp.up_proj."),
}
_HEAD = "lm_head.weight"


def load(folder: Path, dtype: torch.dtype = torch.float32) -> Decoder:
    """The model of a folder as `save_pretrained` and the public hub have it, in memory once.

    Raises BadModel or NotSafetensors naming the field or the tensor that is missing, unexpected or of another shape.
    """
    shape = architecture(folder)
    with torch.device("meta"):
        decoder = Decoder(shape)
    files = safetensors.model(folder)
    names = {
        name: parts(name, shape)
        for name in decoder.state_dict()
        if not (shape.has_tied_embeddings and name == _HEAD)
    }
    _check_names(names, files, shape)
    found = {name: _joined([files[part] for part in made], dtype) for name, made in names.items()}
    for name, tensor in decoder.state_dict().items():
        if name in found and found[name].shape != tensor.shape:
            wanted = list(tensor.shape)
            raise BadModel(
                f"{name} is {list(found[name].shape)}, config.json wants {wanted}",
                field=name, value=list(found[name].shape), limit=str(wanted),
            )  # fmt: skip
    if shape.has_tied_embeddings:
        found[_HEAD] = found["model.embed_tokens.weight"]
    decoder.load_state_dict(found, assign=True)
    if shape.has_tied_embeddings:
        decoder.lm_head.weight = decoder.model.embed_tokens.weight
    return decoder.eval()


def architecture(folder: Path) -> Architecture:
    """What `config.json` says. Raises BadModel."""
    path = folder / "config.json"
    if not path.is_file() or path.stat().st_size > MAX_CONFIG_BYTES:
        raise BadModel("config.json is missing or too long", field="config.json", limit=MAX_CONFIG_BYTES)
    try:
        config = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        config = None
    if not isinstance(config, dict):
        raise BadModel("config.json is no object of JSON", field="config.json")
    return Architecture.of_config(config)


def parts(name: str, shape: Architecture) -> tuple[str, ...]:
    """The tensors of the files that make one of ours, in their order."""
    if not shape.is_fused:
        for fused, single in _FUSED.items():
            if fused in name:
                return tuple(name.replace(fused, each) for each in single)
    return (name,)


def _check_names(
    names: Mapping[str, tuple[str, ...]], files: Mapping[str, safetensors.Tensor], shape: Architecture
) -> None:
    wanted = {part for made in names.values() for part in made}
    if missing := sorted(wanted - set(files)):
        raise BadModel(f"The files lack {', '.join(missing[:_SHOWN])}", field=missing[0], value=len(missing))
    extra = sorted(name for name in set(files) - wanted if not _is_spare(name, shape))
    if extra:
        raise BadModel(
            f"The files have {', '.join(extra[:_SHOWN])}, which no model of this shape has", field=extra[0]
        )


# Older files keep the frequencies, which follow from config.json, and a head that is the embeddings once more.
def _is_spare(name: str, shape: Architecture) -> bool:
    return name.endswith(".rotary_emb.inv_freq") or (shape.has_tied_embeddings and name == _HEAD)


def _joined(found: list[safetensors.Tensor], dtype: torch.dtype) -> Tensor:
    made = list(_each(found, dtype))
    return made[0] if len(made) == 1 else torch.cat(made)  # [rows of all, columns]


def _each(found: list[safetensors.Tensor], dtype: torch.dtype) -> Iterator[Tensor]:
    for tensor in found:
        yield torch.from_numpy(tensor.as_float32()).to(dtype)
