"""Second stage of `init`: stop before anything is written where the set-up could not work, with the reason."""

import os
from pathlib import Path

from infinium_codex.codex.settings import REQUIREMENTS
from infinium_codex.setup.inspection import Inspection
from infinium_codex.support.result import CommandError

UNCHANGED = "Nothing was changed."


def check_policy(found: Inspection) -> None:
    """Raise CommandError where hooks are turned off, or only managed hooks may run and these are not managed."""
    settings = found.survey.settings
    if settings.hooks_off == REQUIREMENTS:
        raise CommandError(
            f"Hooks are turned off by {REQUIREMENTS}. Codex runs no hooks here.",
            f"Only your administrator can change this. {UNCHANGED}",
        )
    if settings.hooks_off:
        hint = f"Set the value to true there or remove the line, then run init again. {UNCHANGED}"
        raise CommandError(f"Hooks are turned off in {settings.hooks_off}.", hint)
    if settings.managed_only and not found.managed:
        raise CommandError(
            f"Only managed hooks may run here (allow_managed_hooks_only in {REQUIREMENTS}).",
            f"Your administrator can install the hooks; 'infinium-codex managed-config' prints how. {UNCHANGED}",
        )


def check_project_trust(found: Inspection) -> None:
    """Raise CommandError where Codex does not trust the project: Codex ignores its whole `.codex` directory then."""
    if found.managed or found.hooks.for_user or found.codex is None or found.survey.settings.trusted:
        return
    directory = found.hooks.reads
    raise CommandError(
        f"Codex does not trust {directory}, so it runs no hooks there. Only you should change this. Run",
        f"    cd '{directory}' && codex\n"
        f"and answer yes, then run init again. {UNCHANGED} To set up the project without trust, pass --no-trust.",
    )


def check_writable(*files: Path) -> None:
    """Raise CommandError where a file's directory, or its nearest existing parent, is not writable."""
    for file in files:
        directory = file.resolve().parent
        while not directory.exists():
            directory = directory.parent
        if not directory.is_dir() or not os.access(directory, os.W_OK | os.X_OK):
            raise CommandError(
                f"Cannot write {file}: {directory} is read-only for you.",
                f"Check its owner, and whether it is mounted read-only. {UNCHANGED}",
            )
