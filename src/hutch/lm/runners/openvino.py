"""OpenVINO GenAI's continuous batching behind the port (openvino-genai 2026.4.1): paged KV cache, prefix cache, x86.

It reads GGUF of Llama's shape and OpenVINO's own format as they are, tokenizer and chat template included.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hutch.lm.errors import NotSupported, PromptTooLong, RunnerFailed
from hutch.lm.formats import gguf
from hutch.lm.generation import Generation, Sampling, Tokens
from hutch.lm.runners.port import Model, Stats

if TYPE_CHECKING:
    import openvino_genai

_FEATURES = frozenset({"seed", "min_p"})
_FINISHED = {"STOP": "stop", "LENGTH": "length"}
_MOST_SEQUENCES = 256
# What OpenVINO GenAI builds a graph of by itself; it fails in other ways at others.
_ARCHITECTURES = ("llama", "qwen2", "qwen3")
_VALUE_BYTES = 4
# With these a text is the same alone and among others, for about a quarter of the speed: all three are needed.
_EXACT = {
    "DYNAMIC_QUANTIZATION_GROUP_SIZE": "0",
    "INFERENCE_PRECISION_HINT": "f32",
    "KV_CACHE_PRECISION": "f32",
}


class OpenVinoRunner:
    """A model on this machine's processor. `cache_bytes` is taken at once, for keys and values of all requests."""

    def __init__(
        self,
        path: Path,
        *,
        cache_bytes: int = 1 << 30,
        threads: int = 0,
        shares_prefixes: bool = True,
        is_exact: bool = True,
    ) -> None:
        head = gguf.weights(path)
        if head.architecture not in _ARCHITECTURES:
            raise NotSupported(
                f"The OpenVINO runner reads GGUF of {', '.join(_ARCHITECTURES)}, this is {head.architecture}",
                field="general.architecture", value=head.architecture, limit=", ".join(_ARCHITECTURES),
            )  # fmt: skip
        import openvino_genai as genai

        self._genai = genai
        scheduler = genai.SchedulerConfig()
        scheduler.cache_size = max(1, cache_bytes >> 30)
        scheduler.enable_prefix_caching = shares_prefixes
        scheduler.max_num_seqs = _MOST_SEQUENCES
        options: dict[str, Any] = dict(_EXACT if is_exact else {})
        if threads:
            options["INFERENCE_NUM_THREADS"] = threads
        try:
            self._pipeline = genai.ContinuousBatchingPipeline(str(path), scheduler, "CPU", options, {})
        except RuntimeError as error:
            raise NotSupported(
                f"OpenVINO cannot load {path.name}: {_sentence(error)}", field="model"
            ) from error
        self._tokenizer = self._pipeline.get_tokenizer()
        config = self._pipeline.get_config()
        self.model = Model(
            context=min(head.context, scheduler.cache_size * (1 << 30) // (head.cache_values * _VALUE_BYTES)),
            template=self._tokenizer.get_original_chat_template() or "",
            bos=self._tokenizer.get_bos_token(),
            eos=self._tokenizer.get_eos_token(),
            eos_ids=frozenset({*config.stop_token_ids, config.eos_token_id} - {-1}),
            features=_FEATURES,
        )
        self._running: dict[int, tuple[Generation, openvino_genai.GenerationHandle]] = {}

    def encode(self, text: str) -> list[int]:
        """Token ids."""
        return [
            int(i) for i in self._tokenizer.encode(text, add_special_tokens=False).input_ids.data.reshape(-1)
        ]

    def decode(self, ids: Sequence[int]) -> str:
        """Text without special tokens."""
        return str(self._tokenizer.decode(list(ids))) if ids else ""

    def add(self, generation: Generation) -> None:
        """Takes a request; all that could fail in a step, where it would fail for everybody, is refused here."""
        if lacking := generation.sampling.needs - self.model.features:
            name = sorted(lacking)[0]
            raise NotSupported(f"The OpenVINO runner does not know {name}", field=name)
        room = self.model.context - len(generation.prompt)
        if room < 1:
            raise PromptTooLong(
                f"The prompt has {len(generation.prompt)} tokens, the context {self.model.context}",
                field="prompt", value=len(generation.prompt), limit=self.model.context,
            )  # fmt: skip
        config = self._config(generation.sampling, room)
        tensor = self._tensor(generation.prompt)
        try:
            handle = self._pipeline.add_request(generation.key, tensor, config)
        except RuntimeError as error:
            raise NotSupported(f"OpenVINO refuses the request: {_sentence(error)}") from error
        self._running[generation.key] = (generation, handle)

    def step(self) -> list[Tokens]:
        """Advances all requests."""
        try:
            if self._pipeline.has_non_finished_requests():
                self._pipeline.step()
        except RuntimeError as error:
            raise RunnerFailed(f"OpenVINO failed: {_sentence(error)}") from error
        found = [
            tokens for key, (_, handle) in list(self._running.items()) for tokens in self._read(key, handle)
        ]
        for tokens in found:
            if tokens.finish:
                self._running.pop(tokens.key, None)
        return found

    def abort(self, key: int) -> None:
        """Ends a request."""
        if (found := self._running.pop(key, None)) is not None:
            found[1].cancel()

    def stats(self) -> Stats:
        """How it goes now."""
        told = self._pipeline.get_metrics()
        waiting = max(0, told.requests - told.scheduled_requests)
        return Stats(told.scheduled_requests, waiting, told.cache_usage / 100, told.kv_cache_size_in_bytes)

    def _read(self, key: int, handle: openvino_genai.GenerationHandle) -> list[Tokens]:
        found = []
        while handle.can_read():
            for output in handle.read().values():
                finish = _FINISHED.get(output.finish_reason.name, "")
                found.append(
                    Tokens(key, tuple(output.generated_ids), tuple(output.generated_log_probs), finish)
                )
        return found

    def _config(self, sampling: Sampling, room: int) -> openvino_genai.GenerationConfig:
        config = self._genai.GenerationConfig()
        config.max_new_tokens = min(sampling.max_tokens, room)
        config.ignore_eos = sampling.ignore_eos
        config.stop_token_ids = set(self.model.eos_ids)
        config.eos_token_id = min(self.model.eos_ids, default=-1)
        config.repetition_penalty = sampling.repetition_penalty
        config.presence_penalty, config.frequency_penalty = (
            sampling.presence_penalty,
            sampling.frequency_penalty,
        )
        config.do_sample = not sampling.is_greedy
        if not sampling.is_greedy:
            config.temperature, config.top_p, config.min_p = (
                sampling.temperature,
                sampling.top_p,
                sampling.min_p,
            )
            config.top_k = sampling.top_k or config.top_k
            config.rng_seed = secrets.randbits(63) if sampling.seed is None else sampling.seed
        return config

    def _tensor(self, ids: Sequence[int]) -> Any:
        import numpy as np
        import openvino

        return openvino.Tensor(np.array([ids], np.int64))


def _sentence(error: Exception) -> str:
    """The last line of OpenVINO's message that says something, without the places in its source."""
    lines = [re.sub(r"^.*\.[ch]pp:\d+:?\s*", "", line).strip() for line in str(error).splitlines()]
    return next((line for line in reversed(lines) if line), type(error).__name__)[:300]
