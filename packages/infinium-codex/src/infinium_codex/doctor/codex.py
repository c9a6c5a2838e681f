"""Codex itself: whether it is there and answers, its hooks are on, ours may run, and the project is trusted."""

from infinium_codex.codex.config_toml import ConfigTomlError
from infinium_codex.codex.features import needs_flag
from infinium_codex.codex.program import codex_home
from infinium_codex.codex.settings import FLAG, OLD_FLAG, REQUIREMENTS
from infinium_codex.codex.versions import HOOKS_SINCE
from infinium_codex.console.formatting import local_time
from infinium_codex.doctor import sessions
from infinium_codex.doctor.checks import Check, ok, problem, unknown, warning
from infinium_codex.doctor.situation import Situation

NAME = "codex"


def found(s: Situation) -> Check:
    """The program on PATH, and its version."""
    name = NAME
    if s.codex is None:
        return _not_on_path(name, s)
    if s.codex.version is None:
        return warning(name, f"{s.codex.path} did not tell its version", "See what 'codex --version' says.")
    if not s.codex.since(HOOKS_SINCE):
        return problem(name, f"Codex {s.codex.version_text}, {s.codex.path}, knows no hooks", "Update Codex.")
    return ok(name, f"Codex {s.codex.version_text}, {s.codex.path}")


def _not_on_path(name: str, s: Situation) -> Check:
    """A desktop application brings its own Codex, and a pipeline's image may get it later: what was traced tells."""
    again = "PATH=/the/directory/of/codex:$PATH infinium-codex doctor"
    traced = sessions.traced_lately(s)
    if traced is not None:
        evidence = f"no 'codex' on PATH, but a session here was traced {local_time(traced)}: one runs from elsewhere"
        return warning(name, evidence, f"To have its hooks and their trust looked at too: {again}")
    evidence = "no 'codex' on PATH, and nothing was traced here lately: whether one will run our hooks cannot be told"
    return unknown(name, evidence, f"Install Codex, or where it is installed: {again}")


def answers(s: Situation) -> Check:
    """Whether it can be asked about its configuration and hooks."""
    name = "codex answers"
    if s.codex is None:
        return unknown(name, "there is no Codex to ask")
    if not s.hooks.can_ask:
        return ok(name, f"Codex {s.codex.version_text} cannot be asked about hooks; its files are looked at instead")
    if s.view.error:
        return problem(name, s.view.error, "See what 'codex' says when it starts, and mend what it names.")
    return ok(name, f"Codex was asked about {s.hooks.worktree or s.hooks.reads}")


def warnings(s: Situation) -> Check:
    """What Codex has to say about hook files, of this project and the user's."""
    name = "codex warnings"
    if not s.view.asked:
        return unknown(name, "Codex could not be asked")
    words = s.view.listed.warnings + s.view.listed.errors
    if words:
        return warning(name, "; ".join(words), "Mend or remove the file it names.")
    return ok(name, "none")


def feature(s: Situation) -> Check:
    """Whether hooks are switched on."""
    name = "hooks feature"
    path = codex_home(s.environ) / "config.toml"
    if s.codex is None or s.view.error:
        return unknown(name, "Codex could not be asked")
    try:
        if needs_flag(s.codex, s.environ):
            evidence = f"hooks are off in Codex {s.codex.version_text} unless {path} has features.{OLD_FLAG} = true"
            return problem(name, evidence, "infinium-codex doctor --fix")
    except ConfigTomlError as error:
        return problem(name, str(error), f"Mend {path}.")
    off = s.view.settings.hooks_off
    if off == REQUIREMENTS:
        return problem(name, f"turned off by {REQUIREMENTS}", "Only your administrator can change that.")
    if off:
        return problem(name, f"turned off in {off}", "Set it to true there, or remove the line.")
    if s.view.settings.old_flag:
        evidence = f"on, by its old name {OLD_FLAG}, of which Codex warns at every start"
        return warning(name, evidence, f"infinium-codex init, which names it {FLAG}")
    return ok(name, "on")


def policy(s: Situation) -> Check:
    """Whether an administrator lets ours run."""
    name = "policy"
    if not s.view.asked:
        return unknown(name, "Codex could not be asked")
    if s.view.settings.managed_only and s.managed is None:
        hint = "Your administrator can roll ours out: 'infinium-codex managed-config' prints how."
        return problem(name, f"only managed hooks may run (allow_managed_hooks_only in {REQUIREMENTS})", hint)
    return ok(name, "ours are managed by your administrator" if s.managed else "nothing forbids hooks")


def trusted(s: Situation) -> Check:
    """Whether Codex trusts the project: else it passes over the whole `.codex`."""
    name = "project trusted"
    if not s.view.asked:
        return unknown(name, "Codex could not be asked")
    if not s.view.settings.trusted and s.managed is None:
        fix = f"Start 'codex' in {s.hooks.reads}, say yes to its question, then run 'infinium-codex init --trust'."
        return problem(name, f"Codex does not trust {s.hooks.reads}, and passes over its .codex", fix)
    return ok(name, f"Codex trusts {s.hooks.reads}" if s.view.settings.trusted else "not needed by managed hooks")
