"""Chat templates make prompts, and whatever else they try ends in a sentence, soon, and within little memory."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hutch.lm.chat.render import LIMIT_S, Renderer
from hutch.lm.chat.template import ChatTemplate
from hutch.lm.errors import BadTemplate

MESSAGES = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "hi"}]
PLAIN = (
    "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}


def rendered(source: str, **more: Any) -> str:
    return ChatTemplate(source, "<s>", "</s>").render(MESSAGES, **more)


def test_messages_become_a_prompt_that_the_assistant_goes_on_with() -> None:
    assert rendered(PLAIN) == "<|system|>Be short.<|user|>hi<|assistant|>"
    assert rendered(PLAIN, opens_answer=False) == "<|system|>Be short.<|user|>hi"


@pytest.mark.parametrize(
    ("source", "prompt"),
    [
        ("{{ bos_token }}x{{ eos_token }}", "<s>x</s>"),
        ("{% for m in messages %}{% if loop.last %}{% break %}{% endif %}{{ m.role }}{% endfor %}", "system"),
        ("{% generation %}a{% endgeneration %}b", "ab"),
        ("a\n{% if true %}\n  b\n{% endif %}\n", "a\n  b\n"),
        ("{{ {'b': '\u00e9<', 'a': 1} | tojson }}", '{"b": "\u00e9<", "a": 1}'),
        ("{{ tools is none }}", "True"),
        ("{{ 'x' if messages[0]['role'] == 'system' else 'y' }}", "x"),
        ("{{ messages | selectattr('role', 'equalto', 'user') | map(attribute='content') | join }}", "hi"),
        ("{{ strftime_now('%Y')|length }}", "4"),
    ],
)
def test_words_of_transformers_environment_are_known(source: str, prompt: str) -> None:
    assert rendered(source) == prompt


def test_tools_and_words_of_the_template_reach_it() -> None:
    source = "{{ tools[0].function.name }} {{ thinking }}"
    assert rendered(source, tools=[TOOL], thinking=False) == "add False"


@pytest.mark.parametrize(
    ("source", "field", "told"),
    [
        ("{{ raise_exception('no system here') }}", "messages", "no system here"),
        ("{% if %}", "chat_template", "no Jinja"),
        ("{{ 1 / 0 }}", "chat_template", "division"),
        ("{{ nothing.at.all }}", "chat_template", "undefined"),
        ("{{ '' + 1 }}", "chat_template", "fails"),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "chat_template", "end"),
        ("{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}", "chat_template", "deep"),
        ("{% include 'x' %}", "chat_template", "fails"),
    ],
)
def test_template_that_fails_or_refuses_says_so(source: str, field: str, told: str) -> None:
    with pytest.raises(BadTemplate, match=told) as caught:
        rendered(source)
    assert caught.value.field == field


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ messages.append(1) }}",
        "{{ cycler.__init__.__globals__.os }}",
        "{{ self.__init__.__globals__ }}",
        "{{ (messages|attr('__class__')).__base__ }}",
        "{{ joiner.__call__.__globals__['os'] }}",
        "{{ messages[0].update({'role': 'x'}) }}",
        "{{ ''.format.__self__.__class__ }}",
    ],
)
def test_template_cannot_reach_out_nor_change_what_it_was_given(source: str) -> None:
    try:
        prompt = rendered(source)
    except BadTemplate:
        return
    assert prompt == "", prompt


@pytest.mark.parametrize(
    "source",
    [
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{{ 'a' * 10**10 }}",
        "{% set ns = namespace(s='a') %}{% for i in range(60) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}{{ ns.s }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ lipsum(10000, True, 1000, 100000) }}",
        "{{ 'a' * 5000000 }}",
    ],
)
def test_template_without_end_is_ended_and_the_next_is_rendered(source: str) -> None:
    async def walk() -> None:
        renderer = Renderer()
        try:
            with pytest.raises(BadTemplate) as caught:
                await asyncio.wait_for(renderer.render(source, MESSAGES, []), 5 * LIMIT_S)
            assert caught.value.field in ("chat_template", "messages")
            assert (await renderer.render(PLAIN, MESSAGES, [])).endswith("hi<|assistant|>")
        finally:
            await renderer.close()

    asyncio.run(walk())


def test_who_leaves_while_a_prompt_is_rendered_leaves_it_to_nobody() -> None:
    async def walk() -> None:
        renderer = Renderer()
        try:
            await renderer.render(PLAIN, MESSAGES, [])
            slow = "{% for a in range(9999) %}{% for b in range(999) %}{% endfor %}{% endfor %}secret"
            leaving = asyncio.create_task(renderer.render(slow, MESSAGES, []))
            await asyncio.sleep(0.05)
            leaving.cancel()
            with pytest.raises(asyncio.CancelledError):
                await leaving
            for _ in range(2):
                assert (await renderer.render(PLAIN, MESSAGES, [])).endswith("hi<|assistant|>")
        finally:
            await renderer.close()

    asyncio.run(walk())
