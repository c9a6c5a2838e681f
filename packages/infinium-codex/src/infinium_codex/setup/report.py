"""Last stage of `init`: say what was set up and which hooks Codex will run."""

from collections.abc import Iterator
from pathlib import Path

from infinium_config import find_checkout

from infinium_codex.capture.launcher_windows import missing_on_path
from infinium_codex.codex.hooks_json import Plan
from infinium_codex.codex.versions import ASYNC_SINCE, format_version
from infinium_codex.setup.apply import Applied
from infinium_codex.setup.inspection import Inspection
from infinium_codex.setup.plan import SetupPlan
from infinium_codex.support.result import Result


def report(found: Inspection, plan: SetupPlan, applied: Applied, *, trust_declined: bool = False) -> Result:
    """The command's result: a failure where no secret was found, or Codex will not run all of our hooks.

    With `trust_declined` (`--no-trust`) hooks without trust are what the user asked for.
    """
    lines = [f"Project    {found.root}", *applied.settings]
    lines += [f"Ignored    {applied.gitignore}"] if applied.gitignore else []
    lines.append(f"Hooks      {_hook_changes(found, plan.hooks)}")
    lines += missing_on_path()
    lines += _may_be_committed(found, plan.hooks.text)
    lines += _worktrees(found, applied)
    lines += [f"Feature    {applied.feature}"] if applied.feature else []
    lines += _codex_answer(found, applied)
    answer, hooks = applied.answer, found.hooks
    data = {
        "project": str(found.root),
        "config": str(found.config),
        "hooks": str(hooks.path),
        "user_hooks": hooks.for_user,
        "worktree": str(hooks.worktree) if hooks.worktree else None,
        "managed": found.managed,
        "codex": found.codex.version_text if found.codex else None,
        "runs": list(answer.runs),
        "held": dict(answer.held or {}),
        "asked": answer.known,
        "has_secret": applied.has_secret,
    }
    missing = list(_missing(applied, trust_declined=trust_declined))
    if not missing:
        return Result.success(tuple(lines), data)
    lines.append(f"Incomplete {'; '.join(missing)}. Traces are not sent until this is done.")
    return Result(ok=False, exit_code=1, lines=tuple(lines), data=data, to_stdout=True)


def _missing(applied: Applied, *, trust_declined: bool) -> Iterator[str]:
    """What keeps traces from being sent. Without a Codex to ask, its answer counts as yet to come."""
    if not applied.has_secret:
        yield "the agent's secret was not found"
    answer = applied.answer
    if answer.known and not trust_declined and (answer.held or not answer.listed):
        yield "Codex will not run all hooks"


def _hook_changes(found: Inspection, plan: Plan) -> str:
    path = found.hooks.path
    if found.managed:
        whose = "your own" if found.hooks.for_user else "the project's own"
        removed = f"; {whose} are removed from {path}" if plan.changed else ""
        return f"managed by your administrator{removed}"
    path_text = f"{path} (for all your projects)" if found.hooks.for_user else str(path)
    if not plan.changed:
        return f"{path_text}: unchanged"
    parts = [f"{len(plan.added)} added"] if plan.added else []
    parts += [f"repaired entries of an older connector ({', '.join(plan.repaired)})"] if plan.repaired else []
    return f"{path_text}: {', '.join(parts) or 'changed'}"


def _may_be_committed(found: Inspection, text: str | None) -> Iterator[str]:
    """Whether the project can commit hooks.json. Our hooks can always be committed; the user's own may not."""
    checkout = find_checkout(found.root)
    if found.managed or found.hooks.for_user or checkout is None or text is None:
        return
    if str(Path.home()) in text:
        yield f"Commit     {found.hooks.path} has hooks with paths below {Path.home()}: do not commit those."
        return
    same = "its infinium-codex hooks are the same for every user, and do nothing where infinium-codex is not installed"
    yield f"Commit     The file may be committed: {same}."
    if '"async"' in text:
        yield f"           Codex before {format_version(ASYNC_SINCE)} skips the asynchronous ones."


def _worktrees(found: Inspection, applied: Applied) -> Iterator[str]:
    """In a linked worktree: whose hooks and settings apply. Everywhere: the worktrees that are covered now, or not."""
    root, hooks = found.root, found.hooks
    if hooks.worktree is not None:
        from_main = hooks.reads != hooks.worktree
        reads = f"the hooks of its main checkout, {hooks.reads}" if from_main else "this worktree's own hooks"
        reads = f"your hooks in {hooks.path}" if hooks.for_user else reads
        own = root.is_relative_to(hooks.worktree)
        settings = "its own settings" if own else f"the settings of {root}"
        yield f"Worktree   {hooks.worktree}: uses {reads}, and {settings}"
    for path in applied.covered_worktrees:
        yield f"Worktree   {path}: Codex now reads the hooks there; a .codex directory was created"
    for path in hooks.unread_worktrees if not found.managed else ():
        yield f"Worktree   {path}: no hooks, because its .codex directory could not be created"


def _codex_answer(found: Inspection, applied: Applied) -> Iterator[str]:
    codex, answer = found.codex, applied.answer
    if codex is None:
        yield "Codex      not found on PATH. The hooks are ready; run init again after installing Codex."
        return
    name = f"Codex {codex.version_text}"
    if not answer.known:
        yield f"Codex      {name} cannot list hooks; it runs hooks without trust."
        return
    if answer.runs:
        yield f"Codex      {name} will run: {', '.join(answer.runs)}"
    if answer.held:
        held = ", ".join(f"{event} ({reason})" for event, reason in answer.held.items())
        yield f"Codex      {name} will NOT run: {held}"
        yield "           Run 'infinium-codex init --trust', or trust them in Codex with /hooks."
    if not answer.listed:
        yield f"Codex      {name} lists no hooks here, because the project is not trusted."
        start = f"Start 'codex' in {found.hooks.reads}"
        yield f"           {start}, trust the project, then run 'infinium-codex init --trust'."
    yield from (f"           {name}: {message}" for message in answer.words)
