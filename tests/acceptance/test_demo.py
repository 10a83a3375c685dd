"""What `make run` does: it serves a real model, put there by the real client, that comes out as it went in."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser

from scripts.run_demo import GGUF, OWNER, content
from tests.acceptance.clients import ROOT, Client, Git, python_of
from tests.acceptance.hub import Hub
from tests.postgres import Postgres, free_port

MODEL = f"{OWNER}/SmolLM2-135M-Instruct-GGUF"
LOAD_LIMIT_S = 120


@dataclass
class Demo:
    """A demo that has been started and loaded."""

    hub: Hub
    process: subprocess.Popen[bytes]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres | None) -> Iterator[Demo]:
    """`make run` over an empty folder, on a port of its own."""
    folder, port = tmp_path_factory.mktemp("demo"), free_port()
    hub = Hub(folder / "data", {"database_url": postgres.new_database()} if postgres else {}, port)
    script = str(ROOT / "scripts" / "run_demo.py")
    command = [sys.executable, script, "--port", str(port), "--data", str(hub.data)]
    with hub.log.open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env=hub.environment, start_new_session=True
        )
    started = Demo(hub, process)
    try:
        _wait_for(started, f"the demo is at {hub.url}/{OWNER}")
        yield started
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait_for(demo: Demo, line: str) -> None:
    deadline = time.monotonic() + LOAD_LIMIT_S
    while line not in demo.hub.log.read_text():
        ended = demo.process.poll() is not None or "could not be loaded" in demo.hub.log.read_text()
        assert not ended, demo.hub.log.read_text()
        assert time.monotonic() < deadline, demo.hub.log.read_text()
        time.sleep(0.1)


@pytest.fixture(scope="module")
def original() -> str:
    """The SHA-256 of the model's file in the package that carries it."""
    (source,) = [repo.files[GGUF] for repo in content("") if GGUF in repo.files]
    assert isinstance(source, Path)
    return _sha256(source)


@pytest.fixture
def visitor(demo: Demo, tmp_path: Path) -> Client:
    """The current client, signed in as nobody."""
    return Client("current", python_of("current"), tmp_path, demo.hub.url)


def test_model_comes_down_by_hf_as_it_went_in(visitor: Client, original: str, tmp_path: Path) -> None:
    down = visitor.hf("download", MODEL, GGUF, "--local-dir", tmp_path / "down")
    assert down.returncode == 0, down.stderr
    assert _sha256(tmp_path / "down" / GGUF) == original


def test_model_comes_down_by_git_clone_as_it_went_in(
    demo: Demo, git: Git, original: str, tmp_path: Path
) -> None:
    git("clone", f"{demo.hub.url}/{MODEL}", tmp_path / "clone")
    assert _sha256(tmp_path / "clone" / GGUF) == original
    assert git("lfs", "ls-files", "--name-only", cwd=tmp_path / "clone") == GGUF


def test_model_comes_down_by_a_browser_as_it_went_in(demo: Demo, browser: Browser, original: str) -> None:
    page = browser.new_page()
    page.goto(f"{demo.hub.url}/{MODEL}/tree/main")
    with page.expect_download() as begun:
        page.locator(f'a[href*="/resolve/main/{GGUF}"]').first.click()
    assert begun.value.suggested_filename == GGUF
    assert _sha256(begun.value.path()) == original
    page.close()


def test_data_set_and_space_of_the_demo_are_there(visitor: Client) -> None:
    found = visitor.call(
        """
        from huggingface_hub import HfApi
        api = HfApi()
        result = {
            "models": [i.id for i in api.list_models(author=args["owner"])],
            "datasets": [i.id for i in api.list_datasets(author=args["owner"])],
            "spaces": [i.id for i in api.list_spaces(author=args["owner"])],
        }
        """,
        owner=OWNER,
    )
    assert found == {
        "models": [MODEL],
        "datasets": [f"{OWNER}/unicode-characters"],
        "spaces": [f"{OWNER}/colour-of-a-word"],
    }


def test_card_of_the_demo_names_this_hubs_own_address(demo: Demo) -> None:
    with urllib.request.urlopen(f"{demo.hub.url}/{MODEL}/raw/main/README.md", timeout=5) as answer:
        card = answer.read().decode()
    assert f"HF_ENDPOINT={demo.hub.url}\n" in card
    assert ":8000" not in card


def test_demo_model_answers(demo: Demo) -> None:
    token = demo.hub.token(OWNER, role="read", name="talks")
    body = {
        "model": MODEL,
        "temperature": 0,
        "messages": [{"role": "user", "content": "What is the capital of France?"}],
    }
    headers = {"Authorization": f"Bearer {token}"}
    answer = httpx.post(f"{demo.hub.url}/v1/chat/completions", json=body, headers=headers, timeout=120)
    assert answer.json()["choices"][0]["message"]["content"] == "The capital of France is Paris."


def test_demo_leaves_no_token_behind_and_ends_by_sigterm(demo: Demo) -> None:
    assert "demo-" not in demo.hub.cli("token", "list", OWNER)
    demo.process.terminate()
    assert demo.process.wait(timeout=10) == 0
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(f"{demo.hub.url}/health", timeout=5)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
