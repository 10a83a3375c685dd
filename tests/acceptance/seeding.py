"""A hub filled with repositories that look like real ones: for the tests of the pages, and to look at them.

`python -m tests.acceptance.seeding DATA` fills a folder's hub and leaves it running until Ctrl-C.
"""

from __future__ import annotations

import base64
import json
import struct
import sys
import time
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.acceptance.clients import Client, python_of
from tests.acceptance.hub import Hub

CARDS = Path(__file__).with_name("cards")


@dataclass
class Filled:
    """The hub, and a token of the person who fills it."""

    hub: Hub
    tokens: dict[str, str] = field(default_factory=dict)

    def api(self, method: str, path: str, who: str = "ada", **options: Any) -> Any:
        """Calls the JSON API as somebody. Raises with the answer unless it succeeds."""
        headers = {"Authorization": f"Bearer {self.tokens[who]}", **options.pop("headers", {})}
        answer = httpx.request(method, self.hub.url + path, headers=headers, timeout=60, **options)
        assert answer.status_code < 400, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return (
            answer.json() if answer.headers.get("content-type", "").startswith("application/json") else answer
        )

    def create(self, kind: str, name: str, who: str = "ada", **fields: Any) -> None:
        """Makes a repository."""
        owner, _, last = name.rpartition("/")
        self.api(
            "POST",
            "/api/repos/create",
            who,
            json={"type": kind, "name": last, "organization": owner, **fields},
        )

    def commit(
        self, kind: str, name: str, summary: str, files: dict[str, bytes | str | None], *, revision: str = "main",
        who: str = "ada", large: tuple[str, ...] = (), create_pr: bool = False, description: str = "",
    ) -> Any:  # fmt: skip
        """Commits files (None deletes); those named in `large` go to large-object storage."""
        lines = [{"key": "header", "value": {"summary": summary, "description": description}}]
        for path, content in files.items():
            data = content.encode() if isinstance(content, str) else content
            if data is None:
                lines.append({"key": "deletedFile", "value": {"path": path}})
            elif path in large:
                oid = self.send(kind, name, path, data, who)
                value = {"path": path, "algo": "sha256", "oid": oid, "size": len(data)}
                lines.append({"key": "lfsFile", "value": value})
            else:
                value = {"path": path, "encoding": "base64", "content": base64.b64encode(data).decode()}
                lines.append({"key": "file", "value": value})
        body = "\n".join(json.dumps(line) for line in lines)
        query = "?create_pr=1" if create_pr else ""
        return self.api("POST", f"/api/{kind}s/{name}/commit/{revision}{query}", who, content=body)

    def send(self, kind: str, name: str, path: str, data: bytes, who: str = "ada") -> str:
        """Sends a large object as the upload page does; returns its SHA-256."""
        session = self.api(
            "POST", f"/api/{kind}s/{name}/uploads", who, json={"path": path, "size": len(data)}
        )
        answer = httpx.patch(session["url"], content=data, headers={"Upload-Offset": "0"}, timeout=60)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["oid"])


def fill(hub: Hub) -> Filled:
    """Makes people, an organization and repositories of every kind. The hub is empty and runs."""
    filled = Filled(hub)
    for name, full_name in (("ada", "Ada Lindqvist"), ("grace", "Grace Okafor"), ("tomas", "Tomas Brandt")):
        options = ["--admin"] if name == "ada" else []
        user = hub.user(name, "--full-name", full_name, "--email", f"{name}@example.org", *options)
        filled.tokens[name] = user.token
    hub.cli(
        "org", "create", "northlight", "--full-name", "Northlight Research",
        "--member", "ada:admin", "--member", "grace:write", "--member", "tomas:read",
    )  # fmt: skip
    _aurora(filled)
    _others(filled)
    _datasets(filled)
    _buckets(filled)
    return filled


def _aurora(filled: Filled) -> None:
    name = "northlight/aurora-1b-instruct"
    filled.create("model", name, license="apache-2.0")
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": 2048,
        "num_hidden_layers": 16,
    }
    filled.commit("model", name, "Add configuration", {"config.json": json.dumps(config, indent=2) + "\n"})
    weights = {"model.safetensors": safetensors(12), "assets/architecture.png": png(640, 260)}
    filled.commit("model", name, "Upload weights in bfloat16", weights, who="grace", large=tuple(weights))
    filled.commit("model", name, "Add the tokenizer", {
        "tokenizer_config.json": json.dumps({"model_max_length": 8192, "tokenizer_class": "PreTrainedTokenizerFast"}, indent=2),  # noqa: E501
        "generation_config.json": json.dumps({"temperature": 0.7, "top_p": 0.9}, indent=2),
        "tokenizer.json": json.dumps({"version": "1.0", "model": {"type": "BPE", "vocab": {f"t{i}": i for i in range(3000)}}}),  # noqa: E501
    })  # fmt: skip
    card = (CARDS / "model.md").read_text()
    filled.commit(
        "model",
        name,
        "Write the card",
        {"README.md": card},
        description="Numbers from the run of last night.",
    )
    source = (CARDS / "evaluate.py.txt").read_text()
    filled.commit(
        "model",
        name,
        "Evaluation script",
        {"scripts/evaluate.py": source, "scripts/README.md": "# Scripts\n\nRun `evaluate.py`.\n"},
    )
    changed = source.replace("temperature=0.7", "temperature=0.0").replace(
        "    results = []\n", "    results: list[float] = []\n"
    )
    filled.commit(
        "model",
        name,
        "Evaluate greedily, so that two runs agree",
        {"scripts/evaluate.py": changed},
        who="grace",
    )
    filled.commit(
        "model",
        name,
        "Upload weights after the last 2,000 steps",
        {"model.safetensors": safetensors(14)},
        large=("model.safetensors",),
    )
    filled.api("POST", f"/api/models/{name}/tag/main", json={"tag": "v1.0", "message": "First release"})
    filled.api("POST", f"/api/models/{name}/branch/long-context", json={})
    filled.commit(
        "model",
        name,
        "Stretch positions to 32k",
        {"config.json": json.dumps({**config, "rope_theta": 500000}, indent=2) + "\n"},
        revision="long-context",
    )
    filled.commit(
        "model", name, "Mention the licence of the training data", {"README.md": card + "\n## Data licence\n\nCC BY 4.0.\n"},  # noqa: E501
        who="tomas", create_pr=True, description="The card did not say it. Fixes the question from the *review*.",
    )  # fmt: skip
    filled.api(
        "POST",
        f"/api/models/{name}/discussions/1/comment",
        json={"comment": "Thank you! Does `CC BY 4.0` hold for **both** parts?"},
    )


def _others(filled: Filled) -> None:
    made = [
        ("northlight/aurora-embed", "feature-extraction", "sentence-transformers", "mit", "en"),
        ("northlight/whisper-fjord", "automatic-speech-recognition", "transformers", "apache-2.0", "nb"),
        ("grace/tiny-diffusion-maps", "text-to-image", "diffusers", "openrail", "en"),
        ("grace/sentiment-harbour", "text-classification", "transformers", "mit", "en"),
        ("tomas/plankton-vit", "image-classification", "timm", "cc-by-4.0", "en"),
        ("tomas/tide-forecast", "time-series-forecasting", "sklearn", "bsd-3-clause", "en"),
    ]
    for name, task, library, license_id, language in made:
        who = name.split("/")[0] if not name.startswith("northlight") else "ada"
        filled.create("model", name, who)
        matter = f"---\nlicense: {license_id}\nlibrary_name: {library}\npipeline_tag: {task}\nlanguage: [{language}]\n---\n\n"  # noqa: E501
        filled.commit("model", name, "First files", {
            "README.md": f"{matter}# {name.split('/')[1]}\n\nA small model.\n", "model.safetensors": safetensors(2),
        }, who=who, large=("model.safetensors",))  # fmt: skip
    for number in range(34):
        filled.create("model", f"northlight/ablation-{number:02d}")
    filled.create("model", "ada/private-notes", visibility="private")
    filled.create("model", "ada/scratch")
    filled.create("model", "mini-lm", organization="")
    filled.commit(
        "model",
        "mini-lm",
        "Card",
        {"README.md": "---\nlicense: mit\n---\n\n# mini-lm\n\nA name of one part.\n"},
    )
    filled.create("model", "northlight/vision-preview", gated="manual")
    filled.commit(
        "model", "northlight/vision-preview", "Card", {"README.md": "# Vision preview\n\nFor partners.\n"}
    )
    filled.create("space", "northlight/label-desk", sdk="static")
    filled.commit(
        "space",
        "northlight/label-desk",
        "The app",
        {"index.html": "<!doctype html><title>Label desk</title><h1>Label desk</h1>\n"},
    )


def _datasets(filled: Filled) -> None:
    name = "northlight/harbour-logs"
    filled.create("dataset", name, license="cc-by-4.0")
    rows = ["day,ship,berth,tonnes"] + [
        f"2025-03-{d % 28 + 1:02d},MS {n},{d % 9},{d * 37 % 900}"
        for d, n in enumerate(["Alta", "Bremanger", "Dovre"] * 120)
    ]
    files: dict[str, bytes | str | None] = {
        "README.md": (CARDS / "dataset.md").read_text(),
        "data/train.csv": "\n".join(rows) + "\n",
    }
    filled.commit("dataset", name, "Logs of one year", files, large=())
    many: dict[str, bytes | str | None] = {
        f"days/2025-{n // 28 + 1:02d}-{n % 28 + 1:02d}.json": json.dumps({"ships": n}) + "\n"
        for n in range(230)
    }
    filled.commit("dataset", name, "One file a day", many)
    filled.commit(
        "dataset",
        name,
        "A picture, a sound",
        {"harbour.png": png(480, 300), "horn.wav": wav()},
        large=("harbour.png", "horn.wav"),
    )
    filled.create("dataset", "grace/fjord-photos", "grace")


def _buckets(filled: Filled) -> None:
    """A bucket of checkpoints, sent by the client, since a bucket takes files by Xet alone; and an empty one."""
    for name, who in (("northlight/aurora-checkpoints", "ada"), ("ada/scratch-space", "ada")):
        filled.api("POST", f"/api/buckets/{name}", who, json={})
    home = filled.hub.data.with_name(f"{filled.hub.data.name}-client")
    steps = {
        f"runs/2025-03-{day:02d}/step-{day * 500:06d}.safetensors": safetensors(day) for day in range(1, 9)
    }
    logs = {f"logs/node-{number:03d}.jsonl": b'{"loss": 2.1}\n' * (40 + number) for number in range(120)}
    for path, content in {
        **steps,
        **logs,
        "README.md": b"# Checkpoints\n",
        "curve.png": png(320, 120),
    }.items():
        (home / "up" / path).parent.mkdir(parents=True, exist_ok=True)
        (home / "up" / path).write_bytes(content)
    client = Client("current", python_of("current"), home, filled.hub.url, filled.tokens["ada"])
    done = client.hf("buckets", "sync", home / "up", "hf://buckets/northlight/aurora-checkpoints")
    assert done.returncode == 0, done.stderr


def safetensors(layers: int) -> bytes:
    """A file of that format with a few tensors."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for number in range(layers):
        for part, shape in (("self_attn.q_proj", [64, 64]), ("mlp.up_proj", [64, 256])):
            size = shape[0] * shape[1] * 2
            header[f"model.layers.{number}.{part}.weight"] = {
                "dtype": "BF16",
                "shape": shape,
                "data_offsets": [at, at + size],
            }
            at += size
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes((7 * n + layers) % 251 for n in range(at))


def png(width: int, height: int) -> bytes:
    """A picture with soft stripes."""
    rows = b"".join(
        b"\0"
        + b"".join(
            bytes((30 + x * 160 // width, 110 + y * 90 // height, 140 - (x // 24 % 2) * 24))
            for x in range(width)
        )
        for y in range(height)
    )
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + _chunk(b"IDAT", zlib.compress(rows))
        + _chunk(b"IEND", b"")
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def wav() -> bytes:
    """A second of a tone."""
    samples = b"".join(struct.pack("<h", (n * 211 % 4000) - 2000) for n in range(8000))
    head = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF",
        36 + len(samples),
        b"WAVE",
        b"fmt ",
        16,
        1,
        1,
        8000,
        16000,
        2,
        16,
        b"data",
        len(samples),
    )
    return head + samples


if __name__ == "__main__":
    served = Hub(Path(sys.argv[1])).start()
    fill(served)
    print(f"{served.url}: ada, grace and tomas sign in with the password of tests/acceptance/hub.py")
    try:
        while served.process is not None and served.process.poll() is None:
            time.sleep(1)
    finally:
        served.stop()
