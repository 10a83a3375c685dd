"""A hub with the real SmolLM2 in it, and somebody who may talk to it."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi

from tests.acceptance.hub import Hub, User
from tests.lm.smollm2 import WEIGHTS

FRANCE = [{"role": "user", "content": "What is the capital of France?"}]
STORY = [{"role": "user", "content": "Write a long story about a fox."}]


@dataclass(frozen=True)
class Talking:
    """`private` and `public` are the model, in two repositories of ann's."""

    hub: Hub
    ann: User
    bob: User
    private: str
    public: str

    @property
    def base(self) -> str:
        return f"{self.hub.url}/v1"

    def say(self, **more: Any) -> dict[str, Any]:
        """The body of a question that has one answer."""
        return {"model": self.private, "messages": FRANCE, "temperature": 0, "max_tokens": 40, **more}

    def runners(self) -> list[int]:
        """Processes of models that this hub has started."""
        found = subprocess.run(
            ["pgrep", "-f", f"hutch.lm.runners.child .*{self.hub.data}"], capture_output=True, check=False
        )
        return [int(pid) for pid in found.stdout.split()]


def with_models(hub: Hub) -> Talking:
    """Puts them in, as their owner would."""
    ann, bob = hub.user("ann"), hub.user("bob")
    api = HfApi(endpoint=hub.url, token=ann.token)
    for name, private in (("smollm", True), ("open-smollm", False)):
        api.create_repo(f"ann/{name}", private=private)
        api.upload_file(path_or_fileobj=WEIGHTS, path_in_repo=WEIGHTS.name, repo_id=f"ann/{name}")
    return Talking(hub, ann, bob, "ann/smollm", "ann/open-smollm")


def broken_gguf(folder: Path) -> Path:
    """The real file with a tensor that is said to lie far beyond its end."""
    path = folder / "broken.gguf"
    data = bytearray(WEIGHTS.read_bytes()[:4_000_000])
    path.write_bytes(data)
    return path
