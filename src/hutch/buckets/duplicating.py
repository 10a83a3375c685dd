"""Files of a bucket that another bucket may have without their bytes being sent."""

from __future__ import annotations

from hutch.buckets.batch_lines import MAX_OPERATIONS
from hutch.cas.xet import links
from hutch.core.errors import BadRequest, NotOffered
from hutch.core.permissions import Actor, require
from hutch.repos.lookup import RepoRow
from hutch.repos.visibility import readable_by


def duplicate_files(actor: Actor, source: RepoRow, target: RepoRow, hashes: list[str]) -> dict[str, str]:
    """Lets the actor put files of one bucket into another, later and by their hash; what failed, by hash.

    The actor must be able to read the one and to write the other. Raises NotOffered for a target with git, whose large
    files are named by a SHA-256, which buckets do not have.
    """
    require(actor, "repo.read", source)
    require(actor, "repo.write", target)
    if target.has_git:
        raise NotOffered(
            "Files of a bucket are copied to buckets only", field="target.type", value=target.type
        )
    if len(hashes) > MAX_OPERATIONS:
        raise BadRequest(
            f"At most {MAX_OPERATIONS} files a request",
            field="files",
            value=len(hashes),
            limit=MAX_OPERATIONS,
        )
    there = readable_by(actor).filter(pk=source.id)
    found = links.known_files(actor, target.id, [hash_.lower() for hash_ in hashes], there)
    links.remember_files(actor, target.id, found, there)
    return {
        hash_: "There is no such file in the source bucket" for hash_ in hashes if hash_.lower() not in found
    }
