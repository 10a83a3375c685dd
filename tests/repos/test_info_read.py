"""A repository as a whole: what clients are told of it, at its head and at any revision."""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable
from typing import Any

import pytest

from hutch.core.permissions import Actor
from hutch.git.refs import RefUpdate
from hutch.repos.changes import refs
from hutch.repos.lookup import RepoRow
from hutch.repos.models import Repo
from hutch.repos.reading.info import ALLOWED
from tests.repos.conftest import Api
from tests.repos.door import commit_files

Make = Callable[..., RepoRow]
CARD = (
    "---\nlicense: mit\nlanguage: en\ntags: [fun]\nbase_model: acme/base\nwidget:\n- text: Hi\n---\n# Bert\n"
)


@pytest.fixture
def repo(ann: Actor, make_repo: Make) -> RepoRow:
    return make_repo(ann, "bert")


@pytest.fixture
def commit(ann: Actor, repo: RepoRow) -> str:
    config = json.dumps({"architectures": ["BertForMaskedLM"], "model_type": "bert"})
    files = {"README.md": CARD, "config.json": config, "sub/a.txt": "a"}
    weights = safetensors({"w": ("F32", [2, 3]), "b": ("BF16", [4])})
    return commit_files(ann, repo, {**files, "model.safetensors": weights})


def safetensors(tensors: dict[str, tuple[str, list[int]]]) -> bytes:
    """A file whose header tells of these tensors."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    for name, (dtype, shape) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [0, 0]}
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + b"\0" * 100


def gguf(pairs: dict[str, Any], tensors: dict[str, list[int]]) -> bytes:
    """A GGUF file of version 3 with texts, numbers and lists of texts."""
    out = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(pairs))
    for key, value in pairs.items():
        out += _text(key)
        if isinstance(value, str):
            out += struct.pack("<I", 8) + _text(value)
        elif isinstance(value, int):
            out += struct.pack("<II", 4, value)
        else:
            out += struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(_text, value))
    for name, shape in tensors.items():
        out += (
            _text(name)
            + struct.pack("<I", len(shape))
            + struct.pack(f"<{len(shape)}Q", *shape)
            + struct.pack("<IQ", 0, 0)
        )
    return out + b"\0" * 64


def _text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def test_model_is_told_with_its_card_tags_and_files(api: Api, repo: RepoRow, commit: str) -> None:
    told = api("GET", "/api/models/ann/bert").json
    assert (told["id"], told["modelId"], told["author"], told["sha"]) == (
        "ann/bert",
        "ann/bert",
        "ann",
        commit,
    )
    assert told["cardData"]["license"] == "mit"
    assert {"license:mit", "fun", "bert", "safetensors", "base_model:acme/base"} <= set(told["tags"])
    assert (told["pipeline_tag"], told["library_name"]) == ("fill-mask", "transformers")
    assert told["config"] == {"architectures": ["BertForMaskedLM"], "model_type": "bert"}
    assert told["widgetData"] == [{"text": "Hi"}]
    assert told["siblings"] == [
        {"rfilename": name}
        for name in (".gitattributes", "README.md", "config.json", "model.safetensors", "sub/a.txt")
    ]
    assert (told["private"], told["gated"], told["disabled"], told["downloads"], told["likes"]) == (
        False,
        False,
        False,
        0,
        0,
    )
    assert told["usedStorage"] > 0
    assert told["lastModified"].endswith("Z")
    assert told["safetensors"] == {"parameters": {"F32": 6, "BF16": 4}, "total": 10}


def test_blobs_tell_size_and_hashes(api: Api, commit: str) -> None:
    told = {
        line["rfilename"]: line for line in api("GET", "/api/models/ann/bert?blobs=True").json["siblings"]
    }
    weights = safetensors({"w": ("F32", [2, 3]), "b": ("BF16", [4])})
    assert told["sub/a.txt"]["size"] == 1
    assert len(told["sub/a.txt"]["blobId"]) == 40
    large = told["model.safetensors"]
    assert large["size"] == large["lfs"]["size"] == len(weights)
    assert large["lfs"]["sha256"] == hashlib.sha256(weights).hexdigest()
    assert large["lfs"]["pointerSize"] > 100


def test_older_revision_tells_its_own_card_and_files(
    api: Api, ann: Actor, repo: RepoRow, commit: str
) -> None:
    newer = commit_files(ann, repo, {"README.md": "---\nlicense: apache-2.0\n---\n", "new.txt": "n"})
    assert api("GET", "/api/models/ann/bert").json["sha"] == newer
    for revision in (commit, commit[:8]):
        told = api("GET", f"/api/models/ann/bert/revision/{revision}").json
        assert (told["sha"], told["cardData"]["license"]) == (commit, "mit")
        assert "new.txt" not in [line["rfilename"] for line in told["siblings"]]
        assert "license:mit" in told["tags"]
    assert api("GET", "/api/models/ann/bert/revision/nope").code == "RevisionNotFound"


def test_revision_with_a_slash(api: Api, ann: Actor, repo: RepoRow, commit: str) -> None:
    refs.advance(ann, repo, [RefUpdate("refs/convert/parquet", None, commit)], how="api")
    for revision in ("refs%2Fconvert%2Fparquet", "refs/convert/parquet"):
        assert api("GET", f"/api/models/ann/bert/revision/{revision}").json["sha"] == commit


@pytest.mark.parametrize(
    "spelled", ["expand=sha&expand=tags", "expand[]=sha&expand[]=tags", "expand=sha,tags"]
)
def test_expand_tells_those_properties_only(api: Api, commit: str, spelled: str) -> None:
    told = api("GET", f"/api/models/ann/bert?{spelled}").json
    assert set(told) == {"_id", "id", "modelId", "sha", "tags"}


@pytest.mark.parametrize("type_", ["model", "dataset", "space", "kernel"])
def test_every_property_that_clients_name_may_be_expanded(
    api: Api, ann: Actor, make_repo: Make, type_: str
) -> None:
    make_repo(ann, "all", type=type_, **({"sdk": "static"} if type_ == "space" else {}))
    for name in ALLOWED[type_]:
        for address in (f"/api/{type_}s/ann/all", f"/api/{type_}s/ann/all/revision/main", f"/api/{type_}s"):
            assert api("GET", f"{address}?expand={name}").status == 200, name


def test_unknown_property_is_refused(api: Api, commit: str) -> None:
    for address in ("/api/models/ann/bert?expand=colour", "/api/models?expand=colour"):
        told = api("GET", address)
        assert (told.status, told.json["field"], told.json["value"]) == (400, "expand", "colour")


def test_protected_space_is_told_without_its_files(api: Api, ann: Actor, make_repo: Make) -> None:
    make_repo(ann, "app", type="space", sdk="static", visibility="protected")
    told = api("GET", "/api/spaces/ann/app").json
    assert (told["siblings"], told["sdk"]) == ([], "static")
    assert api("GET", "/api/spaces/ann/app", actor=ann).json["siblings"] != []
    assert api("GET", "/api/spaces/ann/app/tree/main").status in (401, 403)
    listed = api("GET", "/api/spaces?full=true").json
    assert [(line["id"], line["siblings"]) for line in listed] == [("ann/app", [])]


def test_files_of_a_large_repository_are_all_told(api: Api, ann: Actor, repo: RepoRow) -> None:
    names = [f"d{number % 7}/f{number:04}.txt" for number in range(1200)]
    commit_files(ann, repo, dict.fromkeys(names, "x"))
    told = [line["rfilename"] for line in api("GET", "/api/models/ann/bert").json["siblings"]]
    assert sorted(told) == sorted([".gitattributes", *names])


def test_security_status_says_that_nothing_was_scanned(api: Api, commit: str) -> None:
    told = api("GET", "/api/models/ann/bert?securityStatus=true").json
    assert told["securityRepoStatus"] == {"scansDone": False, "filesWithIssues": []}


def test_head_of_a_gguf_file_is_told(api: Api, ann: Actor, repo: RepoRow) -> None:
    pairs = {
        "general.architecture": "llama", "llama.context_length": 2048, "tokenizer.ggml.tokens": ["<s>", "</s>", "ä"],
        "tokenizer.ggml.bos_token_id": 0, "tokenizer.ggml.eos_token_id": 1, "tokenizer.chat_template": "{{ x }}",
    }  # fmt: skip
    commit_files(ann, repo, {"tiny.gguf": gguf(pairs, {"a": [2, 3], "b": [5]})})
    assert api("GET", "/api/models/ann/bert").json["gguf"] == {
        "total": 11, "architecture": "llama", "context_length": 2048, "chat_template": "{{ x }}",
        "bos_token": "<s>", "eos_token": "</s>",
    }  # fmt: skip


def test_file_that_only_claims_to_be_weights_tells_nothing(api: Api, ann: Actor, repo: RepoRow) -> None:
    commit_files(ann, repo, {"model.safetensors": b"\xff" * 500, "x.gguf": b"GGUF\xff\xff"})
    told = api("GET", "/api/models/ann/bert").json
    assert "safetensors" not in told
    assert "gguf" not in told


def test_shards_are_told_in_one_answer(api: Api, ann: Actor, repo: RepoRow) -> None:
    index = {"metadata": {"total_size": 40}, "weight_map": {"w": "m-1.safetensors", "b": "m-2.safetensors"}}
    shards = {
        "sub/m-1.safetensors": safetensors({"w": ("F32", [10])}),
        "sub/m-2.safetensors": safetensors({"b": ("F16", [5])}),
    }
    commit_files(ann, repo, {"sub/model.safetensors.index.json": json.dumps(index), **shards})
    told = api("GET", "/api/models/ann/bert/safetensors-metadata/sub/model.safetensors.index.json").json
    assert told["index"] == {"metadata": {"total_size": 40}}
    assert told["headers"]["m-1.safetensors"]["w"] == {"dtype": "F32", "shape": [10], "data_offsets": [0, 0]}
    assert set(told["headers"]) == {"m-1.safetensors", "m-2.safetensors"}
    assert (
        api("GET", "/api/models/ann/bert/safetensors-metadata/model.safetensors.index.json").code
        == "EntryNotFound"
    )
    assert api("GET", "/api/models/ann/bert/safetensors-metadata/.gitattributes").status == 400


def test_repository_whose_row_knows_no_commit_is_told(api: Api, repo: RepoRow) -> None:
    Repo.objects.filter(pk=repo.id).update(head_oid="", head_files=[])
    told = api("GET", "/api/models/ann/bert").json
    assert (told["sha"], told["siblings"]) == (None, [])
