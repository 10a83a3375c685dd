"""Lines that ask a model from elsewhere, to be copied: each runs as it stands against this hub, with a token."""

from __future__ import annotations

import json
import shlex

from hutch.repos.pages.snippets import Snippet

_OPENAI = """from openai import OpenAI

client = OpenAI(base_url={base}, api_key="hf_...")
stream = client.chat.completions.create(
    model={model},
    messages=[{{"role": "user", "content": "Hello"}}],
    stream=True,
)
for chunk in stream:
    print(chunk.choices[0].delta.content or "", end="", flush=True)"""
_HUB = """from huggingface_hub import InferenceClient

client = InferenceClient(base_url={base}, api_key="hf_...")
answer = client.chat.completions.create(
    model={model},
    messages=[{{"role": "user", "content": "Hello"}}],
)
print(answer.choices[0].message.content)"""
_JAVASCRIPT = """import OpenAI from "openai";

const client = new OpenAI({{ baseURL: {base}, apiKey: "hf_..." }});
const answer = await client.chat.completions.create({{
  model: {model},
  messages: [{{ role: "user", content: "Hello" }}],
}});
console.log(answer.choices[0].message.content);"""


def of(model: str, base_url: str) -> list[Snippet]:
    """How to ask a model by curl, Python and JavaScript."""
    words = {"base": json.dumps(f"{base_url}/v1"), "model": json.dumps(model)}
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": "Hello"}]})
    curl = (
        f"curl {base_url}/v1/chat/completions \\\n  -H 'Authorization: Bearer hf_...' \\\n"
        f"  -H 'Content-Type: application/json' \\\n  -d {shlex.quote(body)}"
    )
    return [
        Snippet("curl", curl, "bash"),
        Snippet("Python, openai", _OPENAI.format(**words), "python"),
        Snippet("Python, huggingface_hub", _HUB.format(**words), "python"),
        Snippet("JavaScript", _JAVASCRIPT.format(**words), "javascript"),
    ]
