"""What a ref may be called."""

from __future__ import annotations

import re

from hutch.git.errors import InvalidRefName

HEADS = "refs/heads/"
TAGS = "refs/tags/"
PULL_REQUESTS = "refs/pr/"
CONVERTS = "refs/convert/"
NAMESPACES = (HEADS, TAGS, PULL_REQUESTS, CONVERTS)

MAX_REF_BYTES = 240

_FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\x9f~^:?*\[\\\ud800-\udfff]")
_FULL_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def check_ref_name(name: str) -> str:
    """Return the full ref name (`refs/heads/main`) if git and this hub accept it, else raise InvalidRefName.

    The rules are those of git-check-ref-format, and: only branches, tags, refs/pr and refs/convert; at most
    240 bytes; no name that reads as a commit hash, as an option, or as HEAD.
    """
    short = short_name(name)
    if not name.startswith(NAMESPACES) or not short:
        raise _refusal(name, "must be in refs/heads/, refs/tags/, refs/pr/ or refs/convert/")
    if len(name.encode("utf-8", "surrogatepass")) > MAX_REF_BYTES:
        raise InvalidRefName(
            f"The ref name is longer than {MAX_REF_BYTES} bytes", field="ref", value=name, limit=MAX_REF_BYTES
        )
    for broken, rule in _rules(short):
        if broken:
            raise _refusal(name, rule)
    return name


def _rules(short: str) -> list[tuple[bool, str]]:
    parts = short.split("/")
    return [
        (_FORBIDDEN.search(short) is not None, "must not contain spaces, controls or any of ~ ^ : ? * [ \\"),
        (".." in short, "must not contain '..'"),
        ("@{" in short, "must not contain '@{'"),
        (short == "@", "must not be '@'"),
        ("" in parts, "must not begin or end with '/' nor contain '//'"),
        (any(part.startswith(".") for part in parts), "must not have a part that begins with '.'"),
        (any(part.endswith(".lock") for part in parts), "must not have a part that ends with '.lock'"),
        (short.endswith("."), "must not end with '.'"),
        (short.startswith("-"), "must not begin with '-'"),
        (short == "HEAD" or short.startswith("refs/"), "must not be HEAD nor begin with refs/"),
        (_FULL_HASH.fullmatch(short.lower()) is not None, "must not look like a commit hash"),
    ]


def _refusal(name: str, rule: str) -> InvalidRefName:
    return InvalidRefName(f"The ref name {name!r} {rule}", field="ref", value=name)


def check_branch_name(branch: str) -> str:
    """Return the full ref of a branch's short name, or raise InvalidRefName."""
    return check_ref_name(HEADS + branch)


def check_tag_name(tag: str) -> str:
    """Return the full ref of a tag's short name, or raise InvalidRefName."""
    return check_ref_name(TAGS + tag)


def short_name(ref: str) -> str:
    """`main` of `refs/heads/main`, `3` of `refs/pr/3`, `parquet` of `refs/convert/parquet`."""
    for namespace in NAMESPACES:
        if ref.startswith(namespace):
            return ref[len(namespace) :]
    return ref
