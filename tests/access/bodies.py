"""The bodies that requests of `routes.txt` send, by name."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from urllib.parse import urlencode

JSON, FORM = "application/json", "application/x-www-form-urlencoded"
UNKNOWN = "0" * 64
Words = Mapping[str, str]
Body = tuple[bytes, str]


def _json(value: object) -> Body:
    return json.dumps(value).encode(), JSON


def _form(**fields: str) -> Body:
    return urlencode(fields).encode(), FORM


def _lines(*pairs: tuple[str, object]) -> Body:
    lines = [json.dumps({"key": key, "value": value}) for key, value in pairs]
    return "\n".join(lines).encode(), "application/x-ndjson"


BODIES: dict[str, Callable[[Words], Body]] = {
    "-": lambda w: (b"", ""),
    "empty": lambda w: _json({}),
    "card": lambda w: _json({"content": "---\nlicense: mit\n---\n"}),
    "ls_refs": lambda w: (b"0014command=ls-refs\n0000", "application/x-git-upload-pack-request"),
    "flush": lambda w: (b"0000", "application/x-git-receive-pack-request"),
    "batch_download": lambda w: _json(
        {"operation": "download", "objects": [{"oid": w["oid"], "size": int(w["size"])}]}
    ),
    "batch_upload": lambda w: _json({"operation": "upload", "objects": [{"oid": UNKNOWN, "size": 5}]}),
    "lock": lambda w: _json({"path": f"locked-{w['n']}"}),
    "paths": lambda w: (urlencode({"paths": w["file"]}).encode(), FORM),
    "bucket": lambda w: _json({"visibility": "private"}),
    "bucket_paths": lambda w: _json({"paths": [w["file"]]}),
    "bucket_batch": lambda w: _json({"type": "addFile", "path": f"new-{w['n']}.txt", "xetHash": UNKNOWN}),
    "bucket_files": lambda w: _json({"target": {"name": w["orgpublic"]}, "files": [{"xetHash": UNKNOWN}]}),
    "upload": lambda w: _json({"path": "film.mp4", "size": 1000, "fingerprint": "film"}),
    "preupload": lambda w: _json({"files": [{"path": "a.txt", "size": 3, "sample": "YWJj"}]}),
    "commit": lambda w: _lines(
        ("header", {"summary": "Add"}),
        ("file", {"path": f"new-{w['n']}.txt", "content": "bmV3", "encoding": "base64"}),
    ),
    "tag": lambda w: _json({"tag": f"made-{w['n']}"}),
    "default_branch": lambda w: _json({"defaultBranch": "main"}),
    "private": lambda w: _json({"private": True}),
    "protected": lambda w: _json({"protectedBranches": ["release/*"]}),
    "enabled": lambda w: _json({"disabled": False}),
    "duplicate": lambda w: _json({"repository": f"{w['me']}/copy-{w['n']}", "private": True}),
    "copy_files": lambda w: _json({"target": {"name": w["orgpublic"]}, "files": [{"sha256": w["oid"]}]}),
    "delete_files": lambda w: _json({"deletions": {"sha": [UNKNOWN], "rewriteHistory": False}}),
    "discussion": lambda w: _json({"title": "Something", "pullRequest": True}),
    "comment": lambda w: _json({"comment": "Said"}),
    "open": lambda w: _json({"status": "open"}),
    "title": lambda w: _json({"title": f"Title {w['n']}"}),
    "handle": lambda w: _json({"status": "accepted", "user": "dora"}),
    "grant": lambda w: _json({"user": "nobody-of-that-name"}),
    "delete": lambda w: _json({"type": w["type"], "organization": w["namespace"], "name": w["name"]}),
    "move": lambda w: _json(
        {"type": w["type"], "fromRepo": w["repo"], "toRepo": f"{w['namespace']}/moved-{w['n']}"}
    ),
    "create": lambda w: _json({"name": f"created-{w['n']}", "private": True}),
    "create_in_acme": lambda w: _json({"organization": "acme", "name": f"created-{w['n']}", "private": True}),
    "create_bare": lambda w: _json({"organization": "", "name": f"bare{w['n']}", "private": True}),
    "role": lambda w: _json({"role": "read"}),
    "leaked": lambda w: _json({"token": "hf_unknown"}),
    "new_token": lambda w: _json({"displayName": f"made-{w['n']}", "role": "read"}),
    "ask": lambda w: _json({"model": w["repo"], "messages": [{"role": "user", "content": "Hello"}]}),
    "ask_on": lambda w: _json({"model": w["repo"], "prompt": "Hello"}),
    "form_say": lambda w: _form(model=w["repo"], text="Hello"),
    "form_client": lambda w: _form(client_id="client"),
    "form_grant": lambda w: _form(
        client_id="client", grant_type="refresh_token", refresh_token="hf_refresh_x"
    ),
    "form_token": lambda w: _form(token="hf_unknown"),
    "form_repo": lambda w: _form(name=f"page-{w['n']}", namespace=w["me"], license="", visibility="private"),
    "form_bucket": lambda w: _form(name=f"page-{w['n']}", namespace=w["me"], visibility="private"),
    "form_space": lambda w: _form(
        name=f"page-{w['n']}", namespace=w["me"], license="", visibility="private", sdk="static"
    ),
    "form_edit": lambda w: _form(
        path=f"page-{w['n']}.txt", content=f"text {w['n']}", way="pull", parent=w["sha"]
    ),
    "form_message": lambda w: _form(summary="", way="pull"),
    "form_preview": lambda w: _form(content="# Title", path="README.md"),
    "form_pull": lambda w: _form(base="main", head=f"i-{w['name'][2:]}-branch", title="A pull"),
    "form_comment": lambda w: _form(do="comment", text="Said"),
    "form_close": lambda w: _form(do="close"),
    "form_open": lambda w: _form(do="open"),
    "form_merge": lambda w: _form(do="merge"),
    "form_branches": lambda w: _form(do="branches", default_branch="main", protected=""),
    "form_private": lambda w: _form(do="visibility", visibility="private"),
    "form_delete": lambda w: _form(**{"do": "delete", "delete-typed": w["repo"]}),
    "form_cancel": lambda w: _form(do="cancel"),
    "form_profile": lambda w: _form(full_name="A Name", bio="", members_are_public=""),
    "form_remove": lambda w: _form(remove="1"),
    "form_new_token": lambda w: _form(name=f"page-{w['n']}", role="read"),
    "form_org": lambda w: _form(name=f"org{w['n']}", full_name=""),
    "form_role": lambda w: _form(do="role", username="rita", role="read"),
    "form_team": lambda w: _form(do="create", name=f"team {w['n']}"),
    "form_user": lambda w: _form(do="create", name=f"user{w['n']}", email="", full_name=""),
    # what changes nothing: another name would be missed by all the other rows
    "form_rename": lambda w: _form(new_name="not--one"),
    "form_typed": lambda w: _form(typed="not it"),
    "form_device": lambda w: _form(user_code="BCDF-GHJK"),
}
