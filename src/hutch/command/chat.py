"""`hutch chat`: talks to a model of a hub from the terminal, through the hub's `/v1`."""

from __future__ import annotations

import http.client
import json
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from hutch.command.root import cli

_TIMEOUT_S = 600
Message = dict[str, str]


@cli.command("chat")
@click.argument("model")
@click.argument("words", nargs=-1)
@click.option(
    "--endpoint", envvar="HF_ENDPOINT", default="http://127.0.0.1:8000", show_default=True, help="The hub."
)
@click.option("--token", envvar="HF_TOKEN", help="An access token; without it that of `hf auth login`.")
@click.option("--system", default="", help="A system prompt.")
@click.option(
    "--temperature", type=float, default=0.7, show_default=True, help="0 takes the likeliest word each time."
)
@click.option("--max-tokens", type=int, default=1024, show_default=True, help="The longest answer.")
@click.option("--seed", type=int, help="The same seed gives the same answer.")
def chat(
    model: str,
    words: tuple[str, ...],
    endpoint: str,
    token: str | None,
    system: str,
    temperature: float,
    max_tokens: int,
    seed: int | None,
) -> None:
    """Talk to MODEL (namespace/name). WORDS are one question; without them lines are read until Ctrl+D.

    Ctrl+C stops an answer.
    """
    asked = {"model": model, "stream": True, "temperature": temperature, "max_tokens": max_tokens}
    if seed is not None:
        asked["seed"] = seed
    line = _Line(f"{endpoint.rstrip('/')}/v1/chat/completions", token or _kept_token(), asked)
    said: list[Message] = [{"role": "system", "content": system}] if system else []
    if words:
        line.answer([*said, {"role": "user", "content": " ".join(words)}])
        return
    while (text := _read()) is not None:
        if text.strip():
            said.append({"role": "user", "content": text})
            said.append({"role": "assistant", "content": line.answer(said)})


def _read() -> str | None:
    """A line of the person's; None at the end."""
    if sys.stdin.isatty():
        click.echo("> ", nl=False, err=True)
    try:
        line = sys.stdin.readline()
    except KeyboardInterrupt:
        return None
    return line if line else None


def _kept_token() -> str:
    place = Path.home() / ".cache" / "huggingface" / "token"
    return place.read_text().strip() if place.is_file() else ""


class _Line:
    """The connection to a hub's model."""

    def __init__(self, url: str, token: str, asked: dict[str, Any]) -> None:
        if not url.startswith(("http://", "https://")):
            raise click.ClickException(f"The endpoint must begin with http:// or https://: {url}")
        self._url, self._token, self._asked = url, token, asked

    def answer(self, messages: list[Message]) -> str:
        """Prints the answer as it comes, and returns it. Raises ClickException with what the hub says is wrong."""
        headers = {"Content-Type": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        body = json.dumps({**self._asked, "messages": messages}).encode()
        request = urllib.request.Request(self._url, body, headers)  # noqa: S310 - the scheme was looked at
        texts: list[str] = []
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as stream:  # noqa: S310 - the same
                for text in _texts(stream):
                    texts.append(text)
                    click.echo(text, nl=False)
        except KeyboardInterrupt:
            click.echo(" [stopped]", nl=False, err=True)
        except urllib.error.HTTPError as error:
            raise click.ClickException(_refusal(error)) from error
        except (OSError, http.client.HTTPException) as error:
            raise click.ClickException(f"{self._url} does not answer: {error}") from error
        click.echo()
        return "".join(texts)


def _texts(stream: http.client.HTTPResponse) -> Iterator[str]:
    """The pieces of text of server-sent events; says once that a model is being loaded."""
    is_loading = False
    for raw in stream:
        line = raw.decode("utf-8", "replace").strip()
        if line.startswith(":") and not is_loading:
            is_loading = True
            click.echo("loading the model ...", err=True)
        if not line.startswith("data: {"):
            continue
        event = json.loads(line[6:])
        if "error" in event:
            raise click.ClickException(event["error"]["message"])
        for choice in event["choices"]:
            yield choice["delta"].get("content") or ""


def _refusal(error: urllib.error.HTTPError) -> str:
    try:
        return str(json.loads(error.read())["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"The hub answered {error.code}"
