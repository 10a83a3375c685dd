"""What the real client reads: downloads and their cache, infos, trees, lists, errors, the file system."""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.clients import Client, ClientFailed, python_of
from tests.acceptance.hub import Hub, User

CARD = "---\nlicense: mit\ntags: [fun]\n---\n# Bert\n"


@pytest.fixture(scope="module")
def user(server: Hub) -> User:
    """One account for the tests of this file."""
    return server.user("reader")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model: a card, a configuration, data in folders, weights."""
    root = tmp_path_factory.mktemp("model")
    (root / "data" / "deep").mkdir(parents=True)
    (root / "README.md").write_text(CARD)
    (root / "config.json").write_text('{"model_type": "bert"}')
    (root / "data" / "a b#?%.txt").write_text("odd name")
    (root / "data" / "deep" / "x.csv").write_text("a,b\n1,2\n")
    header = json.dumps({"w": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}).encode()
    (root / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + os.urandom(24))
    (root / "big.bin").write_bytes(os.urandom(2_000_000))
    return root


@pytest.fixture(scope="module")
def repo(server: Hub, user: User, folder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """That model, uploaded once."""
    name = f"{user.name}/model-to-read"
    uploader = Client(
        "current", python_of("current"), tmp_path_factory.mktemp("uploader"), server.url, user.token
    )
    uploader.call(
        """
        from huggingface_hub import HfApi
        HfApi().create_repo(args["repo"])
        HfApi().upload_folder(repo_id=args["repo"], folder_path=args["folder"])
        """,
        repo=name,
        folder=folder,
    )
    return name


def test_snapshot_is_the_folder_again_and_is_not_loaded_twice(
    client: Client, repo: str, folder: Path
) -> None:
    answer = client.call(
        """
        import os
        from huggingface_hub import HfApi, snapshot_download, try_to_load_from_cache
        first = snapshot_download(args["repo"])
        times = {name: os.stat(os.path.join(first, name)).st_mtime_ns for name in ("README.md", "big.bin")}
        second = snapshot_download(args["repo"])
        again = {name: os.stat(os.path.join(second, name)).st_mtime_ns for name in times}
        result = [first, second, times == again, os.path.basename(first) == HfApi().model_info(args["repo"]).sha]
        """,
        repo=repo,
    )
    first, second, untouched, by_commit = answer
    assert (first, untouched, by_commit) == (second, True, True)
    for path in folder.rglob("*"):
        if path.is_file():
            assert (Path(first) / path.relative_to(folder)).read_bytes() == path.read_bytes()


def test_interrupted_download_goes_on_where_it_broke_off(client: Client, repo: str, folder: Path) -> None:
    whole = (folder / "big.bin").read_bytes()
    answer = client.call(
        """
        import hashlib, io
        from huggingface_hub import hf_hub_url
        from huggingface_hub.file_download import http_get
        file = io.BytesIO()
        file.write(bytes.fromhex(args["begin"]))
        http_get(hf_hub_url(args["repo"], "big.bin"), file, resume_size=file.tell(), expected_size=args["size"])
        result = hashlib.sha256(file.getvalue()).hexdigest()
        """,
        repo=repo,
        begin=whole[:50_000].hex(),
        size=len(whole),
    )
    assert answer == hashlib.sha256(whole).hexdigest()


def test_metadata_of_files_is_all_that_the_client_wants(client: Client, repo: str, folder: Path) -> None:
    answer = client.call(
        """
        from huggingface_hub import get_hf_file_metadata, hf_hub_url, HfApi
        found = {}
        for name in ("README.md", "big.bin"):
            url = hf_hub_url(args["repo"], name)
            meta = get_hf_file_metadata(url)
            found[name] = [meta.commit_hash, meta.etag, meta.size, meta.location == url]
        result = [HfApi().model_info(args["repo"]).sha, found]
        """,
        repo=repo,
    )
    sha, found = answer
    assert found["big.bin"] == [
        sha,
        hashlib.sha256((folder / "big.bin").read_bytes()).hexdigest(),
        2_000_000,
        True,
    ]
    assert found["README.md"][::2] == [sha, len(CARD)]


def test_absence_is_remembered_by_commit(client: Client, repo: str) -> None:
    answer = client.call(
        """
        from huggingface_hub import hf_hub_download, try_to_load_from_cache, file_exists, HfApi
        from huggingface_hub.file_download import _CACHED_NO_EXIST
        kinds = []
        try:
            hf_hub_download(args["repo"], "nothing.json")
        except Exception as error:
            kinds = [kind.__name__ for kind in type(error).__mro__]
        sha = HfApi().model_info(args["repo"]).sha
        cached = try_to_load_from_cache(args["repo"], "nothing.json", revision=sha)
        there = [file_exists(args["repo"], name) for name in ("nothing.json", "config.json")]
        result = [kinds, cached is _CACHED_NO_EXIST, *there]
        """,
        repo=repo,
    )
    kinds, remembered, nothing, config = answer
    assert "EntryNotFoundError" in kinds
    assert (remembered, nothing, config) == (True, False, True)


@pytest.mark.parametrize(
    ("script", "kind", "status"),
    [
        ("h.hf_hub_download(args['repo'], 'README.md', revision='nope')", "RevisionNotFoundError", 404),
        ("h.HfApi().model_info(args['repo'], revision='nope')", "RevisionNotFoundError", 404),
        ("h.HfApi().list_repo_commits(args['repo'], revision='nope')", "RevisionNotFoundError", 404),
        ("list(h.HfApi().list_repo_tree(args['repo'], 'nothing'))", "EntryNotFoundError", 404),
        ("list(h.HfApi().list_repo_tree(args['repo'], 'README.md'))", "EntryNotFoundError", 404),
        ("h.HfApi().model_info(args['repo'] + 'x')", "RepositoryNotFoundError", 404),
        ("h.HfApi(token=False).model_info(args['repo'] + 'x')", "RepositoryNotFoundError", 401),
        ("h.HfApi().list_repo_refs(args['repo'] + 'x')", "RepositoryNotFoundError", 404),
        ("h.HfApi().model_info(args['repo'], expand=['colour'])", "BadRequestError", 400),
    ],
)
def test_errors_become_the_clients_own(
    client: Client, repo: str, script: str, kind: str, status: int
) -> None:
    with pytest.raises(ClientFailed) as caught:
        client.call(f"import huggingface_hub as h\n{script}", repo=repo)
    assert (kind in caught.value.kinds, caught.value.status) == (True, status)


def test_info_is_parsed(client: Client, repo: str, user: User, folder: Path) -> None:
    answer = client.call(
        """
        from huggingface_hub import HfApi
        info = HfApi().model_info(args["repo"], files_metadata=True)
        big = next(file for file in info.siblings if file.rfilename == "big.bin")
        result = [info.id, info.author, info.private, info.card_data.license, info.safetensors.total]
        result += [sorted(info.tags), big.size, big.lfs.sha256, len(info.siblings)]
        result += [info.last_modified.year > 2000, info.created_at is not None]
        """,
        repo=repo,
    )
    digest = hashlib.sha256((folder / "big.bin").read_bytes()).hexdigest()
    assert answer[:5] == [repo, user.name, False, "mit", 6]
    assert {"license:mit", "fun", "bert", "safetensors"} <= set(answer[5])
    assert answer[6:] == [2_000_000, digest, 7, True, True]


def test_tree_paths_commits_and_refs_are_parsed(client: Client, repo: str) -> None:
    answer = client.call(
        """
        from huggingface_hub import HfApi
        api = HfApi()
        tree = {item.path: item for item in api.list_repo_tree(args["repo"], recursive=True, expand=True)}
        paths = api.get_paths_info(args["repo"], ["data", "config.json", "no"], expand=True)
        commits = api.list_repo_commits(args["repo"], formatted=True)
        refs = api.list_repo_refs(args["repo"], include_pull_requests=True)
        below = sorted(item.path for item in api.list_repo_tree(args["repo"], "data"))
        result = {
            "kinds": {path: type(item).__name__ for path, item in tree.items()},
            "lfs": tree["big.bin"].lfs is not None and tree["big.bin"].lfs.size,
            "last": tree["data/deep/x.csv"].last_commit.oid == commits[0].commit_id,
            "paths": [item.path for item in paths],
            "titles": [commit.title for commit in commits],
            "authors": commits[0].authors,
            "branch": [refs.branches[0].name, refs.branches[0].target_commit == commits[0].commit_id],
            "below": below,
            "files": sorted(api.list_repo_files(args["repo"])),
        }
        """,
        repo=repo,
    )
    assert answer["kinds"]["data/deep"] == "RepoFolder"
    assert answer["kinds"]["data/deep/x.csv"] == "RepoFile"
    assert (answer["lfs"], answer["last"]) == (2_000_000, True)
    assert sorted(answer["paths"]) == ["config.json", "data"]
    assert len(answer["titles"]) == 2
    assert answer["authors"] == [repo.split("/", maxsplit=1)[0]]
    assert answer["branch"] == ["main", True]
    assert answer["below"] == ["data/a b#?%.txt", "data/deep"]
    assert "data/a b#?%.txt" in answer["files"]


def test_long_tree_is_read_page_by_page(client: Client, user: User, unique: Callable[[str], str]) -> None:
    count = client.call(
        """
        from huggingface_hub import CommitOperationAdd, HfApi
        api = HfApi()
        api.create_repo(args["repo"])
        adds = [CommitOperationAdd(f"d{n % 9}/{n:05}.txt", b"x") for n in range(2100)]
        api.create_commit(args["repo"], adds, commit_message="many")
        whole = [item.path for item in api.list_repo_tree(args["repo"], recursive=True)]
        result = [len(whole), len(set(whole)), len(api.model_info(args["repo"]).siblings)]
        """,
        repo=f"{user.name}/{unique('many')}",
    )
    assert count == [2100 + 9 + 1, 2100 + 9 + 1, 2101]


def test_file_system_lists_reads_and_seeks(client: Client, repo: str, folder: Path) -> None:
    answer = client.call(
        """
        from huggingface_hub import HfFileSystem
        fs = HfFileSystem()
        root = args["repo"]
        with fs.open(f"{root}/big.bin", block_size=1 << 16) as file:
            file.seek(1_999_990)
            tail = file.read().hex()
            file.seek(12345)
            middle = file.read(10).hex()
        result = {
            "ls": sorted(item["name"] for item in fs.ls(root)),
            "glob": fs.glob(f"{root}/data/**/*.csv"),
            "text": fs.read_text(f"{root}/data/a b#?%.txt"),
            "tail": tail, "middle": middle,
            "size": fs.info(f"{root}/big.bin")["size"],
            "exists": [fs.exists(f"{root}/{name}") for name in ("data/deep", "nothing")],
            "kinds": [fs.isdir(f"{root}/data"), fs.isfile(f"{root}/README.md")],
            "modified": fs.modified(f"{root}/README.md").year > 2000,
        }
        """,
        repo=repo,
    )
    whole = (folder / "big.bin").read_bytes()
    assert f"{repo}/big.bin" in answer["ls"]
    assert answer["glob"] == [f"{repo}/data/deep/x.csv"]
    assert (answer["text"], answer["size"]) == ("odd name", 2_000_000)
    assert (answer["tail"], answer["middle"]) == (whole[-10:].hex(), whole[12345:12355].hex())
    assert answer["exists"] == [True, False]
    assert answer["kinds"] == [True, True]
    assert answer["modified"] is True


def test_weights_are_described_without_being_loaded(client: Client, repo: str) -> None:
    answer = client.call(
        """
        from huggingface_hub import HfApi
        found = HfApi().get_safetensors_metadata(args["repo"])
        tensors = found.files_metadata["model.safetensors"].tensors
        result = {name: [tensor.dtype, tensor.shape] for name, tensor in tensors.items()}
        """,
        repo=repo,
    )
    assert answer == {"w": ["F32", [2, 3]]}


def test_lists_are_filtered_sorted_and_paged(client: Client, user: User, repo: str) -> None:
    answer = client.call(
        """
        from huggingface_hub import HfApi
        api = HfApi()
        name = args["repo"].split("/")[1]
        found = {
            "author": [model.id for model in api.list_models(author=args["user"])],
            "search": [model.id for model in api.list_models(search=name[1:], author=args["user"])],
            "filter": [model.id for model in api.list_models(filter=["fun", "license:mit"], search=name)],
            "none": [model.id for model in api.list_models(filter="unfun", author=args["user"])],
            "full": [len(model.siblings) for model in api.list_models(search=name, full=True)],
            "expand": [model.card_data.license for model in api.list_models(search=name, expand=["cardData"])],
            "limit": len(list(api.list_models(limit=1, sort="downloads"))),
        }
        result = found
        """,
        repo=repo,
        user=user.name,
    )
    assert repo in answer["author"]
    assert answer["search"] == answer["filter"] == [repo]
    assert (answer["none"], answer["full"], answer["expand"], answer["limit"]) == ([], [7], ["mit"], 1)


def test_every_type_is_read(client: Client, user: User, unique: Callable[[str], str]) -> None:
    answer: Any = client.call(
        """
        from huggingface_hub import HfApi, hf_hub_download
        api, found = HfApi(), []
        for kind, more in (("dataset", {}), ("space", {"space_sdk": "static"})):
            api.create_repo(args["repo"], repo_type=kind, **more)
            api.upload_file(path_or_fileobj=kind.encode(), path_in_repo="x.txt", repo_id=args["repo"], repo_type=kind)
            path = hf_hub_download(args["repo"], "x.txt", repo_type=kind)
            info = api.repo_info(args["repo"], repo_type=kind)
            listed = [item.id for item in getattr(api, f"list_{kind}s")(author=args["repo"].split("/")[0])]
            found.append([open(path).read(), info.id, args["repo"] in listed])
        result = found
        """,
        repo=f"{user.name}/{unique('typed')}",
    )
    assert [line[0] for line in answer] == ["dataset", "space"]
    assert all(line[2] for line in answer)


def test_downloads_are_counted(fresh_server: Hub, tmp_path: Path) -> None:
    owner = fresh_server.user("owner")
    here = Client("current", python_of("current"), tmp_path, fresh_server.url, owner.token)
    here.call(
        """
        from huggingface_hub import HfApi, snapshot_download
        HfApi().create_repo(args["repo"])
        HfApi().upload_file(path_or_fileobj=b"x", path_in_repo="x.txt", repo_id=args["repo"])
        snapshot_download(args["repo"])
        """,
        repo="owner/counted",
    )
    fresh_server.restart()
    downloads = here.call(
        "import huggingface_hub as h; result = h.HfApi().model_info('owner/counted').downloads"
    )
    assert downloads == 1
