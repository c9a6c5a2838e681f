"""Says in one line whether Codex will run the hooks of a project, in Codex's own answer where it gives one."""

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from infinium_codex.codex.app_server import AppServerError
from infinium_codex.codex.hooks_json import HooksFileError, our_hooks
from infinium_codex.codex.program import find_codex
from infinium_codex.codex.project_hooks import Answer, ProjectHooks, project_root
from infinium_codex.codex.worktrees import linked_worktree
from infinium_codex.support.paths import Places
from infinium_codex.support.result import CommandError

TRUST = "Run 'infinium-codex init --trust', or trust them in Codex with /hooks."


class HooksStatus(Struct, frozen=True, kw_only=True):
    """The hooks of one project."""

    text: str
    problem: str = ""
    """Why the hooks will not run, as a clause; empty where they will, or that is not known."""
    fix: str = ""
    events: tuple[str, ...] = ()
    """The events that have an infinium-codex hook in the project's hooks.json."""
    runs: bool | None = None
    """Codex's answer; None where it gives none."""


def read_hooks_status(cwd: Path, home: Path | None, places: Places, environ: Mapping[str, str]) -> HooksStatus:
    """Read the project's hooks.json, and ask the Codex on PATH whether it will run the hooks."""
    codex = find_codex(environ)
    hooks = ProjectHooks(project_root(cwd, home), codex, places, environ, linked_worktree(cwd))
    try:
        text = hooks.text()
        events = tuple(our_hooks(text, hooks.is_ours)) if text and text.strip() else ()
    except (CommandError, HooksFileError) as error:
        return HooksStatus(text=f"{hooks.path}: {error}", problem="hooks.json cannot be read")
    registered = f"{len(events)} registered in {hooks.path}{' for all your projects' if hooks.for_user else ''}"
    if events and hooks.worktree_is_unread:
        return HooksStatus(
            text=f"{registered}; Codex reads none in this worktree, because it has no .codex directory",
            problem="Codex reads no hooks in this worktree",
            fix="Run 'infinium-codex doctor --fix'.",
            events=events,
            runs=False,
        )
    if codex is None:
        return HooksStatus(text=f"{registered}; no 'codex' on PATH to ask about them", events=events)
    try:
        answer = hooks.ask()
    except AppServerError as error:
        text = f"{registered}; Codex {codex.version_text} did not answer: {error}"
        return HooksStatus(text=text, fix="Run 'infinium-codex doctor'.", events=events)
    if not answer.known:
        return HooksStatus(text=f"{registered}; Codex {codex.version_text} needs no trust", events=events)
    return _describe(answer, events, registered, f"Codex {codex.version_text}", hooks.reads)


def _describe(answer: Answer, events: tuple[str, ...], registered: str, codex: str, reads: Path) -> HooksStatus:
    if answer.held:
        held = ", ".join(f"{event} ({reason})" for event, reason in answer.held.items())
        problem = "Codex will not run all hooks"
        return HooksStatus(text=f"{codex} will not run: {held}", problem=problem, fix=TRUST, events=events, runs=False)
    if answer.runs:
        text = f"{codex} trusts and will run all {len(answer.runs)}"
        return HooksStatus(text=text, events=events, runs=True)
    if not events:
        problem, fix = "no hooks are registered", "Run 'infinium-codex init'."
        return HooksStatus(text=registered, problem=problem, fix=fix, events=events, runs=False)
    return HooksStatus(
        text=f"{registered}; {codex} will run none, because it does not trust {reads}",
        problem="Codex does not trust the project",
        fix=f"Start 'codex' in {reads}, trust the project, then run 'infinium-codex init'.",
        events=events,
        runs=False,
    )
