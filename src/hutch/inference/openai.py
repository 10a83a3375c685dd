"""OpenAI's shapes (chat completions, completions; openai-python 3.57): what is read, what is refused, what is told."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from hutch.core.errors import BadRequest, HutchError
from hutch.core.text import is_storable
from hutch.inference.generating import Wanted
from hutch.lm.errors import NotSupported

Shape = dict[str, Any]
# By their names here; what stands in no list is refused by name, not ignored.
_SAMPLING = {
    "temperature": "temperature", "top_p": "top_p", "top_k": "top_k", "min_p": "min_p", "seed": "seed",
    "presence_penalty": "presence_penalty", "frequency_penalty": "frequency_penalty",
    "repetition_penalty": "repetition_penalty", "max_tokens": "max_tokens", "max_completion_tokens": "max_tokens",
}  # fmt: skip
_OWN = {
    "model",
    "messages",
    "prompt",
    "stream",
    "stream_options",
    "stop",
    "n",
    "tools",
    "chat_template_kwargs",
}
_IGNORED = {"user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key"}
# what a template is given anyway
_TAKEN = frozenset(
    "self template messages tools bos eos bos_token eos_token add_generation_prompt opens_answer".split()
)
_ROLES = ("system", "developer", "user", "assistant", "tool")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for a chat or for a text to go on (`prompt`), as far as it can be judged without the model."""

    model: str
    wanted: Wanted
    streams: bool
    tells_usage: bool


def parse(body: bytes, *, is_chat: bool) -> Asked:
    """What was asked for. Raises BadRequest naming the field, NotSupported for what is not done here."""
    try:
        shape = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"The body is not JSON: {error}", field="body") from error
    if not isinstance(shape, dict):
        raise BadRequest("The body must be an object", field="body")
    if not is_storable(json.dumps(shape, ensure_ascii=False)):
        raise BadRequest("The body has half of a surrogate pair in it, which is no text", field="body")
    for name, value in shape.items():
        if (
            name not in _SAMPLING
            and name not in _OWN
            and name not in _IGNORED
            and value not in (None, False, [], {}, 0)
        ):
            raise NotSupported(f"{name} is not done here", field=name, value=value)
    if shape.get("n") not in (None, 1):
        raise NotSupported("n is 1 here", field="n", value=shape["n"], limit=1)
    return Asked(
        model=_text(shape, "model"),
        wanted=Wanted(
            messages=_messages(shape) if is_chat else [],
            prompt="" if is_chat else _text(shape, "prompt"),
            tools=_list_of_objects(shape, "tools"),
            template_words=_template_words(shape),
            sampling=_sampling(shape),
        ),
        streams=bool(shape.get("stream")),
        tells_usage=bool(_object(shape, "stream_options").get("include_usage")),
    )


def _template_words(shape: Shape) -> Shape:
    words = _object(shape, "chat_template_kwargs")
    for name in sorted(_TAKEN & set(words)):
        field = f"chat_template_kwargs.{name}"
        raise BadRequest(f"{field} is not the caller's to say", field=field, value=words[name])
    return words


def _sampling(shape: Shape) -> Shape:
    found: Shape = {}
    for name, own in _SAMPLING.items():
        value = shape.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise BadRequest(f"{name} must be a number", field=name, value=value)
        found[own] = value
    stop = shape.get("stop")
    if stop is not None:
        words = [stop] if isinstance(stop, str) else stop
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise BadRequest("stop must be a text or a list of texts", field="stop", value=stop)
        found["stop"] = words
    return found


def _messages(shape: Shape) -> list[Shape]:
    messages = _list_of_objects(shape, "messages")
    if not messages:
        raise BadRequest("messages must have at least one message", field="messages", limit=1)
    return [_message(message, f"messages.{place}") for place, message in enumerate(messages)]


def _message(message: Shape, field: str) -> Shape:
    role, content = message.get("role"), message.get("content")
    if role not in _ROLES:
        raise BadRequest(
            f"{field}.role must be one of {', '.join(_ROLES)}", field=f"{field}.role", value=role
        )
    if isinstance(content, list):
        if any(not isinstance(part, dict) or part.get("type") != "text" for part in content):
            raise NotSupported("A message has text alone here", field=f"{field}.content")
        content = "".join(str(part.get("text", "")) for part in content)
    if content is not None and not isinstance(content, str):
        raise BadRequest(f"{field}.content must be text", field=f"{field}.content", value=content)
    kept = {
        name: message[name]
        for name in ("name", "tool_calls", "tool_call_id")
        if message.get(name) is not None
    }
    return {"role": "system" if role == "developer" else role, "content": content or "", **kept}


def _text(shape: Shape, field: str) -> str:
    value = shape.get(field)
    if not isinstance(value, str) or not value:
        raise BadRequest(f"{field} must be a text", field=field, value=value)
    return value


def _object(shape: Shape, field: str) -> Shape:
    value = shape.get(field) or {}
    if not isinstance(value, dict):
        raise BadRequest(f"{field} must be an object", field=field, value=value)
    return value


def _list_of_objects(shape: Shape, field: str) -> list[Shape]:
    value = shape.get(field) or []
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise BadRequest(f"{field} must be a list of objects", field=field, value=value)
    return value


@dataclass(slots=True)
class Teller:
    """Shapes one answer, in pieces or whole."""

    model: str
    is_chat: bool
    id: str = ""
    created: int = 0

    def __post_init__(self) -> None:
        self.id = ("chatcmpl-" if self.is_chat else "cmpl-") + secrets.token_hex(12)
        self.created = int(time.time())

    def piece(self, text: str = "", finish: str | None = None, *, is_first: bool = False) -> Shape:
        """A chunk of a stream."""
        if self.is_chat:
            delta: Shape = (
                {"role": "assistant", "content": text} if is_first else ({"content": text} if text else {})
            )
            choice: Shape = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        else:
            choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": finish}
        return self._with([choice], "chat.completion.chunk" if self.is_chat else "text_completion")

    def usage(self, told: Shape) -> Shape:
        """The last chunk of a stream that was asked to tell its usage."""
        shape = self._with([], "chat.completion.chunk" if self.is_chat else "text_completion")
        return {**shape, **_told(told)}

    def whole(self, texts: Iterable[str], finish: str, told: Shape) -> Shape:
        """An answer in one piece."""
        text = "".join(texts)
        if self.is_chat:
            message = {"role": "assistant", "content": text, "refusal": None}
            choice: Shape = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
        else:
            choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": finish}
        return {
            **self._with([choice], "chat.completion" if self.is_chat else "text_completion"),
            **_told(told),
        }

    def _with(self, choices: list[Shape], kind: str) -> Shape:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "choices": choices,
        }


def error(told: HutchError) -> Shape:
    """An error in OpenAI's shape, the house's own words beside it; openai-python shows `message`."""
    house = told.body()
    shape = {"message": told.message, "type": told.code, "param": told.field, "code": told.status}
    return {**house, "error": shape}


def _told(told: Shape) -> Shape:
    prompt, answer = told["prompt_tokens"], told["completion_tokens"]
    return {
        "usage": {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer},
        "timings": {"first_token_s": told["first_token_s"], "total_s": told["total_s"]},
    }
