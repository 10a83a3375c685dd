"""Models answer through `/v1`, to the unmodified clients, and to nobody else."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from huggingface_hub import HfApi, InferenceClient
from openai import OpenAI

from tests.acceptance.hub import PROGRAM, Hub
from tests.acceptance.talking import FRANCE, STORY, Talking, broken_gguf, with_models


@pytest.fixture(scope="module")
def talking(new_hub: Callable[..., Hub]) -> Iterator[Talking]:
    hub = new_hub().start()
    yield with_models(hub)
    hub.stop()


@pytest.fixture(scope="module")
def client(talking: Talking) -> Iterator[OpenAI]:
    with OpenAI(base_url=talking.base, api_key=talking.ann.token, max_retries=0, timeout=120) as made:
        yield made


def post(talking: Talking, body: Any, token: str = "", path: str = "/v1/chat/completions") -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return httpx.post(f"{talking.hub.url}{path}", content=content, headers=headers, timeout=120)


def command(*words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, *words], input=stdin, capture_output=True, text=True, timeout=120, check=False
    )


def test_a_private_model_answers_its_owner_through_openai(talking: Talking, client: OpenAI) -> None:
    answer = client.chat.completions.create(**talking.say())
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == (
        "The capital of France is Paris.",
        "stop",
    )
    assert answer.usage is not None
    assert (answer.usage.completion_tokens, answer.usage.total_tokens) == (8, 45)


def test_an_answer_streams_piece_by_piece_and_tells_its_usage_last(talking: Talking, client: OpenAI) -> None:
    body = talking.say(stream=True, stream_options={"include_usage": True})
    chunks = list(client.chat.completions.create(**body))
    pieces = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
    assert "".join(piece or "" for piece in pieces) == "The capital of France is Paris."
    assert len([piece for piece in pieces if piece]) > 4
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 8


def test_inference_client_of_huggingface_hub_talks_to_it(talking: Talking) -> None:
    inference = InferenceClient(base_url=talking.base, api_key=talking.ann.token)
    answer = inference.chat_completion(FRANCE, model=talking.private, temperature=0.0, max_tokens=40)
    assert "Paris" in (answer.choices[0].message.content or "")
    streamed = inference.chat_completion(
        FRANCE, model=talking.private, temperature=0.0, max_tokens=40, stream=True
    )
    assert "Paris" in "".join(part.choices[0].delta.content or "" for part in streamed if part.choices)


def test_a_text_goes_on_and_ends_at_a_stop_string(talking: Talking, client: OpenAI) -> None:
    done = client.completions.create(
        model=talking.private, prompt="One, two, three, four,", temperature=0, max_tokens=16, stop=" eight"
    )
    assert "seven" in done.choices[0].text
    assert "eight" not in done.choices[0].text
    assert done.choices[0].finish_reason == "stop"


def test_a_revision_and_a_file_may_be_named(talking: Talking, client: OpenAI) -> None:
    named = f"{talking.private}@main:SmolLM2-135M-Instruct.Q4_1.gguf"
    answer = client.chat.completions.create(**talking.say(model=named))
    assert "Paris" in (answer.choices[0].message.content or "")
    with pytest.raises(openai.BadRequestError, match=r"README\.md|Entry not found|no model") as refused:
        client.chat.completions.create(**talking.say(model=f"{talking.private}:.gitattributes"))
    assert refused.value.status_code == 400
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(**talking.say(model=f"{talking.private}@nothing"))


def test_a_private_model_does_not_exist_for_strangers(talking: Talking) -> None:
    for token, status in ((talking.bob.token, 404), ("", 401), ("hf_wrong", 401)):
        hidden = post(talking, talking.say(), token)
        missing = post(talking, talking.say(model="ann/nothing"), token)
        assert (hidden.status_code, hidden.content) == (status, missing.content)
    listed = httpx.get(f"{talking.base}/models", headers={"Authorization": f"Bearer {talking.bob.token}"})
    assert talking.private not in listed.text


def test_a_public_model_works_for_whoever_is_known_and_not_for_nobody(talking: Talking) -> None:
    answer = post(talking, talking.say(model=talking.public), talking.bob.token)
    assert "Paris" in answer.json()["choices"][0]["message"]["content"]
    refused = post(talking, talking.say(model=talking.public))
    assert refused.status_code == 401
    assert "Sign in" in refused.json()["error"]["message"]
    listed = httpx.get(f"{talking.base}/models", headers={"Authorization": f"Bearer {talking.bob.token}"})
    assert talking.public in [model["id"] for model in listed.json()["data"]]


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"temperature": 3}, "temperature"),
        ({"temperature": "warm"}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"n": 2}, "n"),
        ({"logit_bias": {"5": 10}}, "logit_bias"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": "word " * 9000}]}, "prompt"),
        ({"model": 7}, "model"),
        ({"no_such_thing": 1}, "no_such_thing"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"seed": 0.5}, "seed"),
        ({"max_tokens": 10**400}, "max_tokens"),
        ({"temperature": float("nan")}, "temperature"),
        ({"stop": ["\ud800"]}, "body"),
        ({"messages": [{"role": "user", "content": "\ud800"}]}, "body"),
        ({"chat_template_kwargs": {"bos": "x"}}, "chat_template_kwargs.bos"),
        ({"chat_template_kwargs": {"messages": []}}, "chat_template_kwargs.messages"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(talking: Talking, more: dict[str, Any], field: str) -> None:
    answer = post(talking, talking.say(**more), talking.ann.token)
    assert (answer.status_code, answer.json()["field"]) == (400, field)
    streamed = post(talking, talking.say(**more, stream=True), talking.ann.token)
    assert (streamed.status_code, streamed.json()["field"]) == (400, field)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b'{"model": "a\\u0000b", "messages": []}']
)
def test_a_body_that_is_none_is_refused(talking: Talking, body: bytes) -> None:
    assert post(talking, body, talking.ann.token).status_code == 400


def test_a_file_that_is_no_model_is_refused_and_the_server_goes_on(
    talking: Talking, client: OpenAI, tmp_path: Path
) -> None:
    api = HfApi(endpoint=talking.hub.url, token=talking.ann.token)
    api.create_repo("ann/broken", exist_ok=True)
    noise = tmp_path / "noise.gguf"
    noise.write_bytes(os.urandom(12_000_000))
    for path, words in ((noise, "does not begin as GGUF"), (broken_gguf(tmp_path), "beyond the file")):
        api.upload_file(path_or_fileobj=path, path_in_repo=path.name, repo_id="ann/broken")
        answer = post(talking, talking.say(model=f"ann/broken:{path.name}"), talking.ann.token)
        assert (answer.status_code, words in answer.json()["error"]["message"]) == (400, True), answer.text
    choose = post(talking, talking.say(model="ann/broken"), talking.ann.token)
    assert choose.status_code == 400
    assert "broken.gguf, noise.gguf" in choose.json()["error"]["message"]
    assert client.chat.completions.create(**talking.say()).choices[0].finish_reason == "stop"


def test_hutch_chat_talks_to_it_in_a_terminal(talking: Talking) -> None:
    words = ("--endpoint", talking.hub.url, "--temperature", "0", "--max-tokens", "40")
    mine = ("--token", talking.ann.token)
    once = command("chat", talking.private, *words, *mine, "What is the capital", "of France?")
    assert (once.returncode, once.stdout) == (0, "The capital of France is Paris.\n")
    lines = command(
        "chat", talking.private, *words, *mine, stdin="What is the capital of France?\nAnd of Italy?\n"
    )
    assert lines.returncode == 0
    assert lines.stdout.startswith("The capital of France is Paris.\n")
    assert "Rome" in lines.stdout
    for token, told in ((talking.bob.token, "Repository not found"), ("hf_wrong", "Invalid credentials")):
        refused = command("chat", talking.private, *words, "--token", token, "Hello")
        assert (refused.returncode, told in refused.stderr) == (1, True), refused.stderr


def test_many_ask_at_once_and_each_gets_the_answer_that_it_would_get_alone(
    talking: Talking, client: OpenAI
) -> None:
    def ask(number: int) -> str:
        body = talking.say(
            messages=[{"role": "user", "content": f"Say something about the number {number % 4}."}]
        )
        return client.chat.completions.create(**body).choices[0].message.content or ""

    alone = [ask(number) for number in range(4)]
    with ThreadPoolExecutor(12) as pool:
        together = list(pool.map(ask, range(12)))
    assert together == alone * 3


def test_who_leaves_ends_the_generation(talking: Talking, client: OpenAI) -> None:
    stream = client.chat.completions.create(
        model=talking.private, messages=STORY, max_tokens=8000, stream=True, extra_body={"top_k": 40}
    )
    next(iter(stream))
    next(iter(stream))
    stream.close()
    (busy,) = [pid for pid in talking.runners() if _is_busy(pid, within_s=0.2)] or [0]
    deadline = time.monotonic() + 10
    while busy and _is_busy(busy, within_s=0.5):
        assert time.monotonic() < deadline, "the model goes on for somebody who has left"


def test_a_runner_that_dies_ends_its_streams_with_an_error_and_comes_back(
    talking: Talking, client: OpenAI
) -> None:
    client.chat.completions.create(**talking.say())
    stream = client.chat.completions.create(
        model=talking.private, messages=STORY, max_tokens=8000, stream=True
    )
    next(iter(stream))
    for pid in talking.runners():
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(openai.APIError, match="has ended"):
        list(stream)
    assert "Paris" in (client.chat.completions.create(**talking.say()).choices[0].message.content or "")


def test_a_server_that_is_told_to_stop_ends_what_its_models_are_saying(new_hub: Callable[..., Hub]) -> None:
    hub = new_hub().start()
    talking = with_models(hub)
    with OpenAI(base_url=talking.base, api_key=talking.ann.token, max_retries=0, timeout=60) as client:
        stream = client.chat.completions.create(
            model=talking.private, messages=STORY, max_tokens=8000, stream=True
        )
        next(iter(stream))
        (pid,) = talking.runners()
        assert hub.stop() == 0
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert talking.runners() == []


def test_a_model_beyond_the_memory_budget_is_refused_with_the_numbers(new_hub: Callable[..., Hub]) -> None:
    hub = new_hub(model_memory_bytes=str(200 << 20)).start()
    talking = with_models(hub)
    answer = post(talking, talking.say(), talking.ann.token)
    assert answer.status_code == 503
    assert "model_memory_bytes" in answer.json()["error"]["message"]
    hub.stop()


def _is_busy(pid: int, *, within_s: float) -> bool:
    before = _cpu(pid)
    time.sleep(within_s)
    return _cpu(pid) - before > within_s / 4


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
