"""A decoder of Phi-4-mini's kind, from tokens to logits, in one file. Read it from `Decoder.forward` down.

Sources: Phi-4-mini (arXiv 2503.01743), grouped-query attention (2305.13245), rotary embeddings (2104.09864), LongRoPE
(2402.13753), SwiGLU (2002.05202), RMSNorm (1910.07467). Names of parameters are those of the published files, so that
`state_dict` is their table of contents.

In the comments: batch, time (tokens given now), past (tokens cached), all = past + time; width is the model's.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

from hutch.lm.architecture import Architecture, Rope


@dataclass(slots=True)
class Cache:
    """Keys and values of what was read, each layer's [batch, kv_heads, past, head_width]; empty at first.

    Keys were turned by the factors of `is_long`: those of a longer sequence do not fit them (`Decoder.forward`).
    """

    keys: list[Tensor] = field(default_factory=list)
    values: list[Tensor] = field(default_factory=list)
    is_long: bool = False

    @property
    def length(self) -> int:
        """How many tokens were read."""
        return self.keys[0].shape[2] if self.keys else 0

    def grow(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Puts a layer's new keys and values behind the old ones, and returns all."""
        if layer == len(self.keys):
            self.keys.append(key)
            self.values.append(value)
        else:
            self.keys[layer] = torch.cat((self.keys[layer], key), dim=2)  # [batch, kv_heads, all, head_width]
            self.values[layer] = torch.cat(
                (self.values[layer], value), dim=2
            )  # [batch, kv_heads, all, head_width]
        return self.keys[layer], self.values[layer]


class Decoder(nn.Module):
    """Tokens in, logits of each next token out."""

    def __init__(self, shape: Architecture) -> None:
        super().__init__()
        self.shape = shape
        self.model = Trunk(shape)
        self.lm_head = nn.Linear(shape.width, shape.vocabulary, bias=False)
        if shape.has_tied_embeddings:
            self.lm_head.weight = self.model.embed_tokens.weight

    def forward(self, tokens: Tensor, cache: Cache | None = None, *, last_only: bool = False) -> Tensor:
        """Logits [batch, time, vocabulary] of `tokens` [batch, time], which follow what is in `cache`; it grows.

        With `last_only` those of the last token alone, [batch, 1, vocabulary]. Raises ValueError where the sequence
        gets so long that LongRoPE changes its factors: the cache must be made anew (`generate`).
        """
        past, time = cache.length if cache else 0, tokens.shape[1]
        is_long = self.shape.rope.is_long(past + time)
        if cache is not None and past and cache.is_long != is_long:
            raise ValueError(f"{past + time} tokens take other rotary factors than the {past} in the cache")
        if cache is not None:
            cache.is_long = is_long
        hidden = self.model(tokens, cache, past)  # [batch, time, width]
        if last_only:
            hidden = hidden[:, -1:]  # [batch, 1, width]
        return self.lm_head(hidden)  # [batch, time, vocabulary]


class Trunk(nn.Module):
    """Embeddings, layers, a last norm."""

    def __init__(self, shape: Architecture) -> None:
        super().__init__()
        self.rope = shape.rope
        self.embed_tokens = nn.Embedding(shape.vocabulary, shape.width)
        self.layers = nn.ModuleList(Layer(shape, number) for number in range(shape.layers))
        self.norm = RmsNorm(shape.width, shape.norm_epsilon)

    def forward(self, tokens: Tensor, cache: Cache | None, past: int) -> Tensor:
        """[batch, time] -> [batch, time, width]."""
        hidden = self.embed_tokens(tokens)  # [batch, time, width]
        places = torch.arange(past, past + tokens.shape[1], device=tokens.device)  # [time]
        turn = rotation(self.rope, places, past + tokens.shape[1])  # 2 x [time, rope.width]
        for layer in self.layers:
            hidden = layer(hidden, turn, cache)  # [batch, time, width]
        return self.norm(hidden)  # [batch, time, width]


class Layer(nn.Module):
    """What is read of the other tokens is added, then what is made of it: each after a norm of its own."""

    def __init__(self, shape: Architecture, number: int) -> None:
        super().__init__()
        self.input_layernorm = RmsNorm(shape.width, shape.norm_epsilon)
        self.self_attn = Attention(shape, number)
        self.post_attention_layernorm = RmsNorm(shape.width, shape.norm_epsilon)
        self.mlp = SwiGlu(shape)

    def forward(self, hidden: Tensor, turn: tuple[Tensor, Tensor], cache: Cache | None) -> Tensor:
        """[batch, time, width] -> the same."""
        hidden = hidden + self.self_attn(self.input_layernorm(hidden), turn, cache)  # [batch, time, width]
        return hidden + self.mlp(self.post_attention_layernorm(hidden))  # [batch, time, width]


class RmsNorm(nn.Module):
    """Each vector divided by the root of its mean square, in 32 bits, times a learnt scale."""

    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))  # [width]
        self.epsilon = epsilon

    def forward(self, hidden: Tensor) -> Tensor:
        """[..., width] -> the same."""
        exact = hidden.float()  # [..., width]
        power = exact.pow(2).mean(-1, keepdim=True)  # [..., 1]
        return self.weight * (exact * torch.rsqrt(power + self.epsilon)).to(hidden.dtype)  # [..., width]


class Attention(nn.Module):
    """Grouped-query attention: several query heads read one pair of keys and values (Phi-4-mini: 24 and 8)."""

    def __init__(self, shape: Architecture, number: int) -> None:
        super().__init__()
        self.number = number
        self.heads, self.kv_heads, self.head_width = shape.heads, shape.kv_heads, shape.head_width
        rows = (shape.heads + 2 * shape.kv_heads) * shape.head_width
        self.qkv_proj = nn.Linear(shape.width, rows, bias=shape.has_qkv_bias)
        self.o_proj = nn.Linear(shape.heads * shape.head_width, shape.width, bias=False)

    def forward(self, hidden: Tensor, turn: tuple[Tensor, Tensor], cache: Cache | None) -> Tensor:
        """[batch, time, width] -> the same."""
        batch, time, _ = hidden.shape
        rows = self.qkv_proj(hidden)  # [batch, time, (heads + 2 kv_heads) * head_width]
        rows = rows.view(batch, time, -1, self.head_width).transpose(
            1, 2
        )  # [batch, heads + 2 kv_heads, time, head_width]
        query, key, value = rows.split((self.heads, self.kv_heads, self.kv_heads), dim=1)
        query = rotated(query, turn)  # [batch, heads, time, head_width]
        key = rotated(key, turn)  # [batch, kv_heads, time, head_width]
        if cache is not None:
            key, value = cache.grow(self.number, key, value)  # [batch, kv_heads, all, head_width]
        mask = visible(time, key.shape[2], hidden.device)  # [time, all]
        read = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, enable_gqa=True
        )  # [batch, heads, time, head_width]
        read = read.transpose(1, 2).reshape(batch, time, -1)  # [batch, time, heads * head_width]
        return self.o_proj(read)  # [batch, time, width]


class SwiGlu(nn.Module):
    """A gate, softened by SiLU, lets through what `up` makes of a vector; `down` brings it back to the width."""

    def __init__(self, shape: Architecture) -> None:
        super().__init__()
        self.gate_up_proj = nn.Linear(shape.width, 2 * shape.inner_width, bias=False)
        self.down_proj = nn.Linear(shape.inner_width, shape.width, bias=False)

    def forward(self, hidden: Tensor) -> Tensor:
        """[batch, time, width] -> the same."""
        gate, up = self.gate_up_proj(hidden).chunk(2, dim=-1)  # 2 x [batch, time, inner_width]
        return self.down_proj(functional.silu(gate) * up)  # [batch, time, width]


def rotation(rope: Rope, places: Tensor, length: int) -> tuple[Tensor, Tensor]:
    """Cosines and sines, each [time, rope.width], for the places [time] of a sequence of `length` tokens.

    The two halves of a head's turning part are the two coordinates that turn, so each angle stands twice.
    """
    steps = torch.arange(0, rope.width, 2, device=places.device).float() / rope.width  # [rope.width / 2]
    divisors = torch.tensor(rope.divisors(length), device=places.device)  # [rope.width / 2]
    frequencies = 1.0 / (divisors * rope.theta**steps)  # [rope.width / 2]
    angles = places.float()[:, None] * frequencies[None, :]  # [time, rope.width / 2]
    angles = torch.cat((angles, angles), dim=-1)  # [time, rope.width]
    return angles.cos() * rope.scale, angles.sin() * rope.scale


def rotated(heads: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    """Heads [batch, any, time, head_width] with their first rope.width values turned, the others as they were."""
    cosines, sines = (each.to(heads.dtype) for each in turn)  # 2 x [time, rope.width]
    part, rest = heads[..., : cosines.shape[-1]], heads[..., cosines.shape[-1] :]
    first, second = part.chunk(2, dim=-1)  # 2 x [batch, any, time, rope.width / 2]
    crossed = torch.cat((-second, first), dim=-1)  # [batch, any, time, rope.width]
    return torch.cat((part * cosines + crossed * sines, rest), dim=-1)  # [batch, any, time, head_width]


def visible(time: int, everything: int, device: torch.device) -> Tensor:
    """Which of all tokens each of the last `time` may read: itself and those before it. [time, all], True for yes."""
    places = torch.arange(everything, device=device)  # [all]
    return places[None, :] <= places[everything - time :, None]  # [time, all]
