"""Chat templates: Jinja that came with a model, and is hostile until shown otherwise.

The environment is transformers' (5.x, `chat_template_utils`), so that a template gives the same text here. It keeps a
template from reaching out; how long one may run and what it may take is bounded by the process that renders (`render`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from hutch.lm.errors import BadTemplate

MAX_TEMPLATE_BYTES = 1 << 20
Message = Mapping[str, Any]


class ChatTemplate:
    """A compiled template. `bos` and `eos` are the texts of those tokens. Raises BadTemplate for what is none."""

    def __init__(self, source: str, bos: str = "", eos: str = "") -> None:
        if len(source) > MAX_TEMPLATE_BYTES:
            raise BadTemplate(
                f"The chat template has {len(source)} characters, at most {MAX_TEMPLATE_BYTES} are read",
                field="chat_template", value=len(source), limit=MAX_TEMPLATE_BYTES,
            )  # fmt: skip
        self._specials = {"bos_token": bos, "eos_token": eos}
        try:
            self._template = _environment().from_string(source)
        except jinja2.TemplateError as error:
            raise BadTemplate(f"The chat template is no Jinja: {error}", field="chat_template") from error
        except RecursionError as error:
            raise BadTemplate("The chat template is nested too deep", field="chat_template") from error

    def render(
        self,
        messages: Sequence[Message],
        tools: Sequence[Mapping[str, Any]] = (),
        *,
        opens_answer: bool = True,
        **more: Any,
    ) -> str:
        """The prompt. `opens_answer` has it end where the assistant begins; `more` are the template's own words.

        Raises BadTemplate, with the template's own sentence where it refuses the messages.
        """
        try:
            return self._template.render(
                messages=list(messages), tools=list(tools) or None, add_generation_prompt=opens_answer,
                **{**self._specials, **more},
            )  # fmt: skip
        except Refused as error:
            raise BadTemplate(f"The model's chat template refuses: {error}", field="messages") from error
        except (
            jinja2.TemplateError,
            ArithmeticError,
            LookupError,
            TypeError,
            ValueError,
            AttributeError,
        ) as error:
            raise BadTemplate(f"The chat template fails: {error}", field="chat_template") from error
        except RecursionError as error:
            raise BadTemplate("The chat template calls itself without end", field="chat_template") from error


class Refused(jinja2.TemplateError):
    """The template called `raise_exception`."""


class _Generation(Extension):
    """`{% generation %}`: what transformers marks for training, and leaves as it is."""

    tags = {"generation"}

    def parse(self, parser: Parser) -> list[nodes.Node]:
        """The block's contents."""
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _refuse
    environment.globals["strftime_now"] = _now
    return environment


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: Any = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def _refuse(message: str) -> None:
    raise Refused(message)


def _now(form: str) -> str:
    return datetime.now().strftime(form)  # noqa: DTZ005  (a template means the day where it runs)
