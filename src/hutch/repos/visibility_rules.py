"""Who may see a repository, as a request says it: `visibility`, or the older `private`, or both."""

from __future__ import annotations

from hutch.core.errors import BadRequest
from hutch.repos.models import RepoType

VISIBILITIES = ("public", "private", "protected")
GATES = ("auto", "manual")


def wanted_visibility(visibility: object, private: object, type_: str) -> str | None:
    """What a request asks for; None if it says nothing.

    Raises BadRequest for an unknown value, for `protected` on anything but a Space, and where the two contradict.
    """
    if private is not None and not isinstance(private, bool):
        raise BadRequest("private must be true or false", field="private", value=private)
    if visibility is None:
        return None if private is None else "private" if private else "public"
    if visibility not in VISIBILITIES:
        known = ", ".join(VISIBILITIES)
        raise BadRequest(
            f"visibility must be one of {known}", field="visibility", value=visibility, limit=known
        )
    if private is not None and private != (visibility == "private"):
        raise BadRequest(
            f"visibility {visibility!r} and private {private} contradict each other; send one of them",
            field="private",
        )
    if visibility == "protected" and type_ != RepoType.SPACE:
        raise BadRequest(
            "Only Spaces can be protected (their app is for everybody, their files are not): use public or private",
            field="visibility",
            value=visibility,
        )
    return str(visibility)


def wanted_gate(gated: object) -> str:
    """A gate as it is stored: "", auto or manual. Raises BadRequest."""
    if gated is False:
        return ""
    if gated in GATES:
        return str(gated)
    raise BadRequest(
        "gated must be false, auto or manual", field="gated", value=gated, limit="false, auto, manual"
    )
