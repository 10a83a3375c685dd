"""The shape of a decoder of Llama's and Phi-3's kind, read from its `config.json`, of which no number is believed.

Phi-3 and Phi-4-mini (arXiv 2404.14219, 2503.01743), Llama 3, Qwen 2 and SmolLM are one architecture with few switches:
grouped-query attention (arXiv 2305.13245), rotary embeddings (2104.09864) of all of a head or a part of it, LongRoPE
(2402.13753), SwiGLU (2002.05202), RMSNorm (1910.07467), embeddings tied or not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hutch.lm.errors import BadModel

MODEL_TYPES = ("phi3", "llama", "qwen2")
_MOST = {
    "vocab_size": 1 << 22, "hidden_size": 1 << 16, "intermediate_size": 1 << 18, "num_hidden_layers": 1024,
    "num_attention_heads": 1024, "num_key_value_heads": 1024, "head_dim": 4096, "max_position_embeddings": 1 << 27,
    "original_max_position_embeddings": 1 << 27,
}  # fmt: skip
_ROPE_TYPES = ("default", "longrope", "llama3", "linear")
# as Phi-3's first files and the public hub's name LongRoPE
_OLD_NAMES = {"su": "longrope", "yarn": "longrope"}


@dataclass(frozen=True, slots=True)
class Rope:
    """Rotary embeddings. `kind` is default, linear, llama3 or longrope; `width` is how much of a head turns.

    Frequency i, of width / 2, is 1 / (short[i] * theta ** (2 i / width)); LongRoPE has another divisor, `long`, for
    sequences of more than `original_context` tokens. `scale` multiplies sines and cosines.
    """

    kind: str
    theta: float
    width: int
    original_context: int
    short: tuple[float, ...]
    long: tuple[float, ...]
    scale: float = 1.0

    def divisors(self, length: int) -> tuple[float, ...]:
        """Those for a sequence of `length` tokens, what is cached included."""
        return self.long if self.is_long(length) else self.short

    def is_long(self, length: int) -> bool:
        """Whether a sequence of `length` tokens takes the long factors."""
        return self.kind == "longrope" and length > self.original_context


@dataclass(frozen=True, slots=True)
class Architecture:
    """Sizes and switches of a model. `model_type` is the word of its `config.json`."""

    model_type: str
    vocabulary: int
    width: int
    inner_width: int
    layers: int
    heads: int
    kv_heads: int
    head_width: int
    context: int
    norm_epsilon: float
    has_tied_embeddings: bool
    has_qkv_bias: bool
    rope: Rope

    @property
    def is_fused(self) -> bool:
        """Whether files keep q, k and v in one tensor, and gate and up in another, as Phi-3's do."""
        return self.model_type == "phi3"

    @property
    def parameters(self) -> int:
        """How many numbers it has, tied embeddings once."""
        rows = (self.heads + 2 * self.kv_heads) * self.head_width
        attention = self.width * rows + self.heads * self.head_width * self.width + rows * self.has_qkv_bias
        layer = attention + 3 * self.width * self.inner_width + 2 * self.width
        return (
            self.vocabulary * self.width * (2 - self.has_tied_embeddings) + self.layers * layer + self.width
        )

    @classmethod
    def of_config(cls, config: Mapping[str, Any]) -> Architecture:
        """From a `config.json` of transformers, older keys included. Raises BadModel naming field, value and limit."""
        model_type = config.get("model_type")
        if model_type not in MODEL_TYPES:
            known = ", ".join(MODEL_TYPES)
            raise BadModel(
                f"model_type is {model_type!r}: known are {known}",
                field="model_type",
                value=model_type,
                limit=known,
            )
        if config.get("hidden_act", "silu") != "silu":
            raise BadModel(
                "hidden_act must be silu", field="hidden_act", value=config["hidden_act"], limit="silu"
            )
        heads, width = _size(config, "num_attention_heads"), _size(config, "hidden_size")
        kv_heads = _size(config, "num_key_value_heads", heads)
        if heads % kv_heads:
            raise BadModel(
                f"{heads} query heads cannot share {kv_heads} key heads",
                field="num_key_value_heads",
                value=kv_heads,
                limit=heads,
            )
        if width % heads and config.get("head_dim") is None:
            raise BadModel(
                f"{heads} heads do not divide {width}", field="num_attention_heads", value=heads, limit=width
            )
        head_width = _size(config, "head_dim", width // heads)
        if config.get("attention_bias") or config.get("mlp_bias"):
            raise BadModel(
                "A bias of attention or mlp is not known", field="attention_bias", value=True, limit=False
            )
        return cls(
            model_type=model_type,
            vocabulary=_size(config, "vocab_size"),
            width=width,
            inner_width=_size(config, "intermediate_size"),
            layers=_size(config, "num_hidden_layers"),
            heads=heads,
            kv_heads=kv_heads,
            head_width=head_width,
            context=_size(config, "max_position_embeddings"),
            norm_epsilon=_number(config, "rms_norm_eps", 1e-5, most=1.0),
            has_tied_embeddings=config.get("tie_word_embeddings", False) is True,
            has_qkv_bias=model_type == "qwen2",
            rope=_rope(config, head_width),
        )


def _rope(config: Mapping[str, Any], head_width: int) -> Rope:
    told = config.get("rope_parameters") or config.get("rope_scaling") or {}
    if not isinstance(told, Mapping):
        raise BadModel("rope_parameters must be an object", field="rope_parameters", value=told)
    kind = told.get("rope_type", told.get("type", "default"))
    kind = _OLD_NAMES.get(kind, kind) if isinstance(kind, str) else kind
    if kind not in _ROPE_TYPES:
        known = ", ".join(_ROPE_TYPES)
        raise BadModel(
            f"rope_type is {kind!r}: known are {known}", field="rope_type", value=kind, limit=known
        )
    theta = _number(told, "rope_theta", _number(config, "rope_theta", 10_000.0), most=1e12)
    share = _number(
        told, "partial_rotary_factor", _number(config, "partial_rotary_factor", 1.0, most=1.0), most=1.0
    )
    width = int(head_width * share)
    if width < 2 or width % 2:
        raise BadModel(
            "An even number of a head's values must turn",
            field="partial_rotary_factor",
            value=share,
            limit=head_width,
        )
    context = _size(config, "max_position_embeddings")
    original = _size(
        told, "original_max_position_embeddings", _size(config, "original_max_position_embeddings", context)
    )
    plain = (1.0,) * (width // 2)
    if kind == "longrope":
        return Rope(
            kind, theta, width, original,
            _factors(told, "short_factor", width // 2), _factors(told, "long_factor", width // 2),
            _longrope_scale(told, context / original, original),
        )  # fmt: skip
    if kind == "linear":
        plain = (_number(told, "factor", 1.0, most=1e6),) * (width // 2)
    if kind == "llama3":
        plain = _llama3_divisors(told, theta, width, original)
    return Rope(kind, theta, width, original, plain, plain)


def _longrope_scale(told: Mapping[str, Any], growth: float, original: int) -> float:
    if told.get("attention_factor") is not None:
        return _number(told, "attention_factor", 1.0, most=100.0)
    return math.sqrt(1 + math.log(growth) / math.log(original)) if growth > 1 and original > 1 else 1.0


def _llama3_divisors(told: Mapping[str, Any], theta: float, width: int, original: int) -> tuple[float, ...]:
    """Llama 3.1's: long waves are stretched by `factor`, short ones stay, those between pass over."""
    factor, low, high = (
        _number(told, name, 1.0, most=1e6) for name in ("factor", "low_freq_factor", "high_freq_factor")
    )
    if high <= low:
        raise BadModel(
            "high_freq_factor must be above low_freq_factor", field="high_freq_factor", value=high, limit=low
        )
    found = []
    for place in range(0, width, 2):
        turns = original / (2 * math.pi * theta ** (place / width))  # in the original context
        smooth = min(1.0, max(0.0, (turns - low) / (high - low)))
        found.append(1 / ((1 - smooth) / factor + smooth))
    return tuple(found)


def _factors(told: Mapping[str, Any], name: str, count: int) -> tuple[float, ...]:
    values = told.get(name)
    if not isinstance(values, list) or len(values) != count:
        size = len(values) if isinstance(values, list) else None
        raise BadModel(f"{name} must be a list of {count} numbers", field=name, value=size, limit=count)
    return tuple(_number({name: value}, name, 1.0, most=1e6) for value in values)


def _size(config: Mapping[str, Any], name: str, default: int | None = None) -> int:
    value = config.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= _MOST[name]:
        raise BadModel(
            f"{name} must be a number from 1 to {_MOST[name]}", field=name, value=value, limit=_MOST[name]
        )
    return value


def _number(config: Mapping[str, Any], name: str, default: float, *, most: float = 1e12) -> float:
    """A positive number of at most `most`."""
    value = config.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= most:
        raise BadModel(
            f"{name} must be a number above 0 and at most {most:g}", field=name, value=value, limit=most
        )
    return float(value)
