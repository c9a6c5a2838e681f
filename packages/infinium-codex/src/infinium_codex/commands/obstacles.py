"""What stands in the way of a set-up, told before anything is written: the reason, and the way out."""

import os
from pathlib import Path

from infinium_codex.codex.program import CodexProgram
from infinium_codex.codex.project_hooks import ProjectHooks, Survey
from infinium_codex.codex.settings import REQUIREMENTS
from infinium_codex.support.result import CommandError


def refuse_policy(survey: Survey, *, managed: bool) -> None:
    """Hooks turned off, or only managed ones allowed, of which ours are none."""
    settings = survey.settings
    if settings.hooks_off == REQUIREMENTS:
        raise CommandError(
            f"Hooks are turned off by {REQUIREMENTS}: Codex will run none here.",
            "Only your administrator can change that. Nothing was changed.",
        )
    if settings.hooks_off:
        hint = "Set it to true there, or remove the line; then run init again. Nothing was changed."
        raise CommandError(f"Hooks are turned off in {settings.hooks_off}.", hint)
    if settings.managed_only and not managed:
        raise CommandError(
            f"Only managed hooks may run here (allow_managed_hooks_only in {REQUIREMENTS}).",
            "Your administrator can roll ours out: 'infinium-codex managed-config' prints how. Nothing was changed.",
        )


def refuse_untrusted(survey: Survey, codex: CodexProgram | None, hooks: ProjectHooks) -> None:
    """A project Codex does not trust: it would pass over everything in its `.codex`."""
    if codex is None or survey.settings.trusted:
        return
    raise CommandError(
        f"Codex does not trust {hooks.reads}, so it would run none of its hooks. Only you should change that: run",
        f"    cd '{hooks.reads}' && codex\n"
        f"and say yes to its question; then run init again. Nothing was changed (--no-trust sets it up all the same).",
    )


def refuse_read_only(*files: Path) -> None:
    """Files that cannot be written, because their directory, or the nearest there is, cannot."""
    for file in files:
        directory = file.resolve().parent
        while not directory.exists():
            directory = directory.parent
        if not directory.is_dir() or not os.access(directory, os.W_OK | os.X_OK):
            raise CommandError(
                f"{file} cannot be written: {directory} is read-only for you.",
                "Check who owns it, and that it is not mounted read-only. Nothing was changed.",
            )
