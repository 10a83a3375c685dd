"""JSON routes of buckets, as huggingface_hub 2.4.0 (`hf_api.py`, buckets) and npm's @huggingface/hub call them."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Router

from hutch.buckets import batch_lines, duplicating, listing, service
from hutch.buckets.models import BucketFile
from hutch.cas import usage
from hutch.cas.xet import tokens
from hutch.core import clock, paging
from hutch.core.errors import BadRequest, NotOffered, RepoNotFound
from hutch.core.permissions import Actor, require
from hutch.repos import accounting, names, settings
from hutch.repos import service as repos
from hutch.repos.api.query import actor_of, answer, base_url, page, switch
from hutch.repos.api.shapes import Shape, public_id
from hutch.repos.api.write import Strict, cursor_key, with_url
from hutch.repos.errors import RepoExists
from hutch.repos.lookup import RepoRow, find_repo
from hutch.repos.reading.contents import MOST_PATHS
from hutch.repos.visibility_rules import wanted_visibility

router = Router()
_ALL_FAILED = 422


class NewBucket(Strict):
    """What a new bucket shall be. A hub has one region: its name is taken and means nothing."""

    visibility: str | None = None
    private: bool | None = None
    region: str | None = None
    resourceGroupId: str | None = None


class Settings(Strict):
    """What shall be another."""

    visibility: str | None = None
    private: bool | None = None


class Paths(Strict):
    """Files to be told of. `expand` is what clients send for repositories too; there is no more to tell."""

    paths: list[str]
    expand: bool | None = None


class Target(Strict):
    """Where files are copied to."""

    type: str | None = None
    name: str


class CopiedFile(Strict):
    """A file to copy."""

    xetHash: str
    sha256: str | None = None
    filename: str | None = None


class DuplicateFiles(Strict):
    """Files to copy."""

    target: Target
    files: list[CopiedFile]


@router.get("/api/buckets/{seg:namespace}", summary="The buckets of a namespace; `me`: the caller's own")
def list_buckets(request: HttpRequest, namespace: str) -> HttpResponse:
    limit = paging.limit_of(request.GET.get("limit"), listing.BUCKETS_LIMIT, listing.MOST_BUCKETS)
    found = listing.buckets(
        actor_of(request), namespace, search=request.GET.get("search", ""), before=cursor_key(request),
        limit=limit + 1,
    )  # fmt: skip
    shown, rest = found[:limit], found[limit:]
    cursor = paging.encode_cursor([shown[-1].id]) if rest else None
    return page(request, [_bucket_shape(info) for info in shown], cursor)


@router.delete("/api/buckets/{seg:namespace}", summary="A bucket is named with its owner: there is no other")
def delete_unnamed(request: HttpRequest, namespace: str) -> HttpResponse:
    raise RepoNotFound()


@router.post("/api/buckets/{seg:namespace}/{seg:name}", summary="Create a bucket")
def create_bucket(request: HttpRequest, namespace: str, name: str, body: NewBucket) -> HttpResponse:
    if body.resourceGroupId:
        raise NotOffered("Hutch has no resource groups", field="resourceGroupId", value=body.resourceGroupId)
    wanted = repos.NewRepo(
        type="bucket", name=name, namespace=None if namespace == listing.OWN else namespace,
        visibility=wanted_visibility(body.visibility, body.private, "bucket") or "public",
    )  # fmt: skip
    try:
        made = repos.create_repo(actor_of(request), wanted)
    except RepoExists as error:
        raise with_url(request, error) from error
    url = f"{base_url(request)}/{repos.address(made.type, made.full_name)}"
    return answer({"url": url, "name": made.full_name, "id": public_id(made.id), "type": made.type})


@router.get("/api/buckets/{seg:namespace}/{seg:name}", summary="A bucket: its size and number of files")
def bucket_info(request: HttpRequest, namespace: str, name: str) -> HttpResponse:
    actor = actor_of(request)
    repo = _found(actor, namespace, name, "repo.view")
    measured = usage.of(repo.id)
    more = {"dedupedStorage": measured.stored_bytes} if measured else {}
    return answer(_bucket_shape(listing.info(actor, repo)) | more)


@router.delete("/api/buckets/{seg:namespace}/{seg:name}", summary="Delete a bucket for good")
def delete_bucket(request: HttpRequest, namespace: str, name: str) -> HttpResponse:
    actor = actor_of(request)
    repo = _found(actor, namespace, name, "repo.view")
    if (
        repo.full_name.lower() != f"{namespace}/{name}".lower()
    ):  # a name that only leads to it deletes nothing
        raise RepoNotFound()
    repos.delete_repo(actor, repo)
    return answer({})


@router.put("/api/buckets/{seg:namespace}/{seg:name}/settings", summary="Change who may see a bucket")
def update_settings(request: HttpRequest, namespace: str, name: str, body: Settings) -> HttpResponse:
    actor = actor_of(request)
    repo = _found(actor, namespace, name, "repo.view")
    visibility = wanted_visibility(body.visibility, body.private, "bucket")
    now = settings.update_settings(actor, repo, settings.Changes(visibility=visibility))
    return answer({"visibility": now.visibility, "private": now.visibility == "private"})


@router.get("/api/buckets/{seg:namespace}/{seg:name}/tree", summary="The files of a bucket")
def tree(request: HttpRequest, namespace: str, name: str) -> HttpResponse:
    return tree_below(request, namespace, name, "")


@router.get(
    "/api/buckets/{seg:namespace}/{seg:name}/tree/{tail:prefix}",
    summary="The files of a bucket whose paths begin so; with `recursive=false` a folder, its folders too",
)
def tree_below(request: HttpRequest, namespace: str, name: str, prefix: str) -> HttpResponse:
    repo = _found(actor_of(request), namespace, name)
    found = listing.tree(
        repo, prefix, recursive=switch(request, "recursive") if "recursive" in request.GET else True,
        limit=paging.limit_of(request.GET.get("limit"), listing.TREE_LIMIT, listing.TREE_LIMIT),
        cursor=request.GET.get("cursor", ""),
    )  # fmt: skip
    return page(request, [_entry_shape(entry) for entry in found.entries], found.cursor)


@router.post("/api/buckets/{seg:namespace}/{seg:name}/paths-info", summary="Files of a bucket by their paths")
def paths_info(request: HttpRequest, namespace: str, name: str, body: Paths) -> HttpResponse:
    repo = _found(actor_of(request), namespace, name)
    if len(body.paths) > MOST_PATHS:
        raise BadRequest(
            f"At most {MOST_PATHS} paths a request", field="paths", value=len(body.paths), limit=MOST_PATHS
        )
    return answer([_entry_shape(file) for file in listing.files_at(repo, body.paths)])


@router.post(
    "/api/buckets/{seg:namespace}/{seg:name}/batch", summary="Add, copy and delete files, a line of JSON each"
)
def batch(request: HttpRequest, namespace: str, name: str) -> HttpResponse:
    actor = actor_of(request)
    repo = _found(actor, namespace, name)
    require(actor, "repo.write", repo)
    done = service.change_files(actor, repo, batch_lines.read(request))
    succeeded = done.processed - len(done.failed)
    failed = [{"path": each.path, "error": each.error} for each in done.failed]
    shape = {
        "success": not failed, "processed": done.processed, "succeeded": succeeded, "failed": failed,
    }  # fmt: skip
    return answer(shape, status=_ALL_FAILED if failed and not succeeded else 200)


@router.post(
    "/api/buckets/{seg:namespace}/{seg:name}/lfs-files/duplicate",
    summary="Let files of a bucket be put into another bucket or repository without being sent",
)
def duplicate_files(request: HttpRequest, namespace: str, name: str, body: DuplicateFiles) -> HttpResponse:
    actor = actor_of(request)
    source = _found(actor, namespace, name)
    target = find_repo(actor, names.check_type(body.target.type), body.target.name)
    hashes = [file.xetHash for file in body.files]
    errors = duplicating.duplicate_files(actor, source, target, hashes)
    failed = [
        {"xetHash": file.xetHash, "sha256": file.sha256 or "", "path": file.filename or "", "error": errors[file.xetHash]}  # noqa: E501
        for file in body.files if file.xetHash in errors
    ]  # fmt: skip
    shape = {
        "success": not failed, "processed": len(hashes), "succeeded": len(hashes) - len(failed), "failed": failed,
    }  # fmt: skip
    return answer(shape)


@router.get(
    "/api/buckets/{seg:namespace}/{seg:name}/xet-read-token",
    summary="Access to the chunks of a bucket's files",
)
def xet_read_token(request: HttpRequest, namespace: str, name: str) -> HttpResponse:
    actor = actor_of(request)
    repo = _found(actor, namespace, name)
    body, headers = tokens.answer(actor, repo.id, "read", None, base_url(request))
    return answer(body, headers=headers)


@router.get(
    "/api/buckets/{seg:namespace}/{seg:name}/xet-write-token",
    summary="Access for sending chunks of a bucket's files",
)
def xet_write_token(request: HttpRequest, namespace: str, name: str) -> HttpResponse:
    actor = actor_of(request)
    repo = _found(actor, namespace, name)
    require(actor, "repo.write", repo)
    room = accounting.room_bytes(repo.namespace_id)
    body, headers = tokens.answer(actor, repo.id, "write", room, base_url(request))
    return answer(body, headers=headers)


def _found(actor: Actor, namespace: str, name: str, action: str = "repo.read") -> RepoRow:
    return find_repo(actor, "bucket", f"{namespace}/{name}", action)


def _bucket_shape(info: listing.Info) -> Shape:
    return {
        "_id": public_id(info.id), "id": info.full_name, "author": info.namespace,
        "private": info.visibility == "private", "visibility": info.visibility, "disabled": info.disabled,
        "createdAt": clock.iso(info.created_at), "updatedAt": clock.iso(info.updated_at),
        "size": info.size_bytes, "totalFiles": info.files,
    }  # fmt: skip


def _entry_shape(entry: listing.Entry) -> Shape:
    shape: dict[str, Any] = {
        "type": "file" if isinstance(entry, BucketFile) else "directory", "path": entry.path,
        "size": entry.size_bytes, "uploadedAt": clock.iso(entry.uploaded_at),
    }  # fmt: skip
    if isinstance(entry, BucketFile):
        shape["xetHash"] = entry.hash
        if entry.mtime is not None:
            shape["mtime"] = clock.iso(entry.mtime)
        if entry.content_type:
            shape["contentType"] = entry.content_type
    return shape
