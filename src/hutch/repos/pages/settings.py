"""A repository's settings: one page, a form for each subject."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from django.views.decorators.http import require_http_methods

from hutch.accounts import organizations, teams
from hutch.cas import usage
from hutch.core.errors import BadRequest, Conflict, Forbidden, NotFound
from hutch.core.permissions import Role, allows
from hutch.repos import access_requests, service, settings
from hutch.repos.changes import large_files, ref_policy
from hutch.repos.errors import GatedRepo
from hutch.repos.lookup import RepoRow
from hutch.repos.pages import forms, links
from hutch.repos.pages.shell import actor_of, full_row, of_repo, repo_page, signed_in_for
from hutch.repos.reading import contents as reading
from hutch.repos.settings import Changes
from hutch.repos.visibility_rules import wanted_gate, wanted_visibility

_LARGE_FILES_PAGE = 50
_FIELDS = {"defaultBranch": "default_branch", "protectedBranches": "protected", "ref": "protected", "toRepo": "to_name",
           "name": "to_name", "username": "holder", "team": "holder"}  # fmt: skip


class Page:
    """The forms of the page, of which a POST fills one."""

    def __init__(self, request: HttpRequest, repo: RepoRow) -> None:
        self.request, self.repo, self.actor = request, repo, actor_of(request)
        refs = reading.refs_of(self.actor, repo.type, repo.full_name) if repo.has_git else {"branches": []}
        branches = [line.name for line in refs["branches"]]
        protected = "\n".join(ref_policy.protected_patterns(repo.id))
        self.visibility = forms.Visibility(
            repo.type, self._data("visibility"), initial={"visibility": repo.visibility}
        )
        self.gate = forms.Gate(self._data("gate"), initial={"gated": repo.gated})
        initial = {"default_branch": repo.default_branch, "protected": protected}
        self.branches = forms.Branches(
            branches or [repo.default_branch], self._data("branches"), initial=initial
        )
        self.role = forms.RepoRole(self._data("role"))
        self.move = forms.Move(self._data("move"), initial={"to_name": repo.full_name})
        self.delete = forms.Typed(repo.full_name, self._data("delete"), prefix="delete")

    @property
    def asked(self) -> str:
        """Which form was sent."""
        return self.request.POST.get("do", "") if self.request.method == "POST" else ""

    def _data(self, name: str) -> Any:
        return self.request.POST if self.asked == name else None

    def save(self) -> str:
        """Does what was asked; the address to go to, or '' if a form says what was wrong."""
        sections: dict[str, tuple[Any, Callable[[], str]]] = {
            "visibility": (self.visibility, self._save_visibility), "gate": (self.gate, self._save_gate),
            "branches": (self.branches, self._save_branches), "role": (self.role, self._save_role),
            "move": (self.move, self._save_move), "delete": (self.delete, self._save_delete),
        }  # fmt: skip
        if self.asked not in sections:
            return self._small_change()
        form, verb = sections[self.asked]
        if not form.is_valid():
            return ""
        try:
            return verb()
        except (BadRequest, Conflict, Forbidden, NotFound) as error:
            forms.blame(form, error, **_FIELDS)
            return ""

    def _done(self, sentence: str, repo: RepoRow | None = None) -> str:
        messages.success(self.request, sentence)
        return links.page(repo or self.repo, "settings")

    def _save_visibility(self) -> str:
        wanted = wanted_visibility(self.visibility.cleaned_data["visibility"], None, self.repo.type)
        settings.update_settings(self.actor, self.repo, Changes(visibility=wanted))
        return self._done(f"The repository is {wanted} now.")

    def _save_gate(self) -> str:
        settings.update_settings(
            self.actor, self.repo, Changes(gated=wanted_gate(self.gate.cleaned_data["gated"] or False))
        )
        return self._done("Access to the files is as you chose.")

    def _save_branches(self) -> str:
        data = self.branches.cleaned_data
        patterns = [line.strip() for line in data["protected"].splitlines() if line.strip()]
        has_changed = patterns != ref_policy.protected_patterns(self.repo.id)
        changes = Changes(
            default_branch=data["default_branch"], protected_branches=patterns if has_changed else None
        )
        settings.update_settings(self.actor, self.repo, changes)
        return self._done("The branches are as you chose.")

    def _save_role(self) -> str:
        data = self.role.cleaned_data
        holder = (
            {"team": data["holder"].strip()}
            if data["kind"] == "team"
            else {"username": data["holder"].strip()}
        )
        teams.set_repo_role(self.actor, self.repo, role=organizations.role_of(data["role"]), **holder)
        return self._done(f"{data['holder']} has the role {data['role']} here.")

    def _save_move(self) -> str:
        moved = service.move_repo(self.actor, self.repo, self.move.cleaned_data["to_name"].strip())
        return self._done(f"This repository is called {moved.full_name} now.", moved)

    def _save_delete(self) -> str:
        service.delete_repo(self.actor, self.repo)
        messages.success(self.request, f"{self.repo.full_name} is gone.")
        return f"/{self.repo.namespace_name}" if self.repo.namespace_name else "/"

    def _small_change(self) -> str:
        """What the buttons of the lists do."""
        named = self.request.POST.get("name", "")
        verbs: dict[str, Callable[[], Any]] = {
            "forget-role": lambda: teams.set_repo_role(
                self.actor, self.repo, role=Role.NO_ACCESS, **{self._kind_of_holder(): named}
            ),
            "accept": lambda: access_requests.handle(
                self.actor, self.repo, status="accepted", username=named
            ),
            "reject": lambda: access_requests.handle(
                self.actor, self.repo, status="rejected", username=named
            ),
            "grant": lambda: access_requests.grant(self.actor, self.repo, named.strip()),
            "large-files": lambda: large_files.delete_large_files(
                self.actor,
                self.repo,
                self.request.POST.getlist("oid"),
                rewrite_history="rewrite" in self.request.POST,
            ),
        }
        try:
            verbs[self.asked]()
            messages.success(self.request, "Done.")
        except KeyError:
            messages.error(self.request, f"There is nothing called {self.asked!r} to do.")
        except (BadRequest, Conflict, Forbidden, NotFound) as error:
            messages.error(self.request, error.message)
        return links.page(self.repo, "settings")

    def _kind_of_holder(self) -> str:
        return "team" if self.request.POST.get("kind") == "team" else "username"


@require_http_methods(["GET", "HEAD", "POST"])
@signed_in_for
@of_repo("repo.admin")
def of_repository(request: HttpRequest, repo: RepoRow) -> HttpResponseBase:
    """The settings; by POST one of them is changed."""
    page = Page(request, repo)
    if request.method == "POST":
        done = page.save()
        if done:
            return HttpResponseRedirect(done)
    row = full_row(repo)
    context: dict[str, Any] = {
        "page": page, "may_protect": allows(page.actor, "repo.protect", repo), "holders": teams.repo_roles(page.actor, repo),  # noqa: E501
        "waiting": access_requests.requests(page.actor, repo, "pending") if repo.gated else [],
        "granted": access_requests.requests(page.actor, repo, "accepted") if repo.gated else [],
        "git_bytes": row.git_bytes, "lfs_bytes": row.lfs_bytes, "measured": usage.of(row.pk),
        **_large_files(request, repo),
    }  # fmt: skip
    return repo_page(request, repo, "settings", "settings", status=400 if page.asked else 200, **context)


def _large_files(request: HttpRequest, repo: RepoRow) -> dict[str, Any]:
    if not repo.has_git:
        return {}
    text = request.GET.get("before", "")
    before = int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
    try:
        found = large_files.list_large_files(
            actor_of(request), repo, before=before, limit=_LARGE_FILES_PAGE + 1
        )
    except GatedRepo:
        return {"large_files": []}
    shown = found[:_LARGE_FILES_PAGE]
    return {"large_files": shown, "older": shown[-1].link_id if len(found) > _LARGE_FILES_PAGE else None}
