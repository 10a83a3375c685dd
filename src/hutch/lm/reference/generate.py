"""Text the simple way: one sequence, one token at a time. What the scheduler does for many, to compare with."""

from __future__ import annotations

import torch
from torch import Tensor

from hutch.lm.reference.model import Cache, Decoder


@torch.inference_mode()
def generate(
    decoder: Decoder,
    prompt: list[int],
    max_tokens: int,
    *,
    end: frozenset[int] = frozenset(),
    temperature: float = 0.0,
    seed: int = 0,
) -> list[int]:
    """Up to `max_tokens` tokens that follow the prompt's, the end token included; temperature 0 takes the likeliest.

    Where the sequence grows beyond LongRoPE's switch, all is read again by the long factors, as transformers 5.23 does.
    """
    chance = torch.Generator().manual_seed(seed)
    tokens, cache, fresh = list(prompt), Cache(), list(prompt)
    while len(tokens) < len(prompt) + max_tokens:
        if cache.length and cache.is_long != decoder.shape.rope.is_long(cache.length + len(fresh)):
            cache, fresh = Cache(), list(tokens)
        logits = decoder(torch.tensor([fresh]), cache, last_only=True)[0, -1]  # [vocabulary]
        taken = _taken(logits, temperature, chance)
        tokens.append(taken)
        fresh = [taken]
        if taken in end:
            break
    return tokens[len(prompt) :]


def _taken(logits: Tensor, temperature: float, chance: torch.Generator) -> int:
    if temperature == 0:
        return int(logits.argmax())
    chances = torch.softmax(logits.float() / temperature, dim=-1)  # [vocabulary]
    return int(torch.multinomial(chances, 1, generator=chance))
