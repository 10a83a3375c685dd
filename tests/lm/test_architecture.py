"""`config.json` of models: what is believed of it, and what is refused by name."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hutch.lm.architecture import Architecture
from hutch.lm.errors import BadModel

# Phi-4-mini's published one, as far as it says sizes; the factors are stand-ins of the right number.
PHI_4_MINI: dict[str, Any] = {
    "model_type": "phi3", "vocab_size": 200064, "hidden_size": 3072, "intermediate_size": 8192, "num_hidden_layers": 32,
    "num_attention_heads": 24, "num_key_value_heads": 8, "partial_rotary_factor": 0.75, "rms_norm_eps": 1e-05,
    "max_position_embeddings": 131072, "original_max_position_embeddings": 4096, "tie_word_embeddings": True,
    "rope_theta": 10000.0, "hidden_act": "silu", "attention_bias": False,
    "rope_scaling": {"type": "longrope", "short_factor": [1.0] * 48, "long_factor": [2.0] * 48},
}  # fmt: skip


def test_phi_4_mini_is_what_its_config_says() -> None:
    shape = Architecture.of_config(PHI_4_MINI)
    assert (shape.heads, shape.kv_heads, shape.head_width, shape.rope.width) == (24, 8, 128, 96)
    assert shape.parameters == 3_836_021_760
    assert shape.rope.divisors(4096) == (1.0,) * 48
    assert shape.rope.divisors(4097) == (2.0,) * 48
    assert round(shape.rope.scale, 6) == 1.190238  # sqrt(1 + ln 32 / ln 4096)


def test_older_and_newer_keys_say_the_same() -> None:
    told = {key: value for key, value in PHI_4_MINI.items() if key not in ("rope_scaling", "rope_theta")}
    newer = {
        "rope_type": "longrope", "short_factor": [1.0] * 48, "long_factor": [2.0] * 48, "rope_theta": 10000.0,
        "partial_rotary_factor": 0.75, "original_max_position_embeddings": 4096,
    }  # fmt: skip
    assert Architecture.of_config({**told, "rope_parameters": newer}) == Architecture.of_config(PHI_4_MINI)
    older = {**PHI_4_MINI["rope_scaling"], "type": "su"}
    assert Architecture.of_config({**PHI_4_MINI, "rope_scaling": older}) == Architecture.of_config(PHI_4_MINI)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model_type", "mamba"),
        ("hidden_act", "gelu"),
        ("vocab_size", 1 << 40),
        ("vocab_size", None),
        ("hidden_size", -1),
        ("hidden_size", True),
        ("num_hidden_layers", 1_000_000),
        ("num_attention_heads", 2000),
        ("num_key_value_heads", 7),
        ("rms_norm_eps", 0),
        ("rms_norm_eps", float("nan")),
        ("rope_theta", "large"),
        ("partial_rotary_factor", 1.5),
        ("partial_rotary_factor", 0.01),
        ("attention_bias", True),
        ("rope_scaling", {"type": "yarn2"}),
        ("rope_scaling", {"type": "longrope", "short_factor": [1.0] * 47, "long_factor": [1.0] * 48}),
        ("rope_scaling", {"type": "longrope", "short_factor": [0.0] * 48, "long_factor": [1.0] * 48}),
        ("rope_scaling", {"type": ["longrope"]}),
        ("rope_scaling", [1]),
    ],
)
def test_what_cannot_be_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(BadModel) as refused:
        Architecture.of_config({**PHI_4_MINI, field: value})
    assert refused.value.field in {field, "rope_type", "short_factor", "rope_parameters"}
    assert json.dumps(refused.value.body())


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(sorted(PHI_4_MINI)), anything, min_size=1, max_size=4))
def test_any_values_give_a_shape_or_a_refusal(changed: dict[str, Any]) -> None:
    try:
        shape = Architecture.of_config({**PHI_4_MINI, **changed})
    except BadModel:
        return
    assert 0 < shape.parameters < 1 << 60
    assert len(shape.rope.divisors(1)) == shape.rope.width // 2
