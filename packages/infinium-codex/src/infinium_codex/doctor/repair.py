"""What `doctor --fix` mends: what needs no question. Trust is its user's to give, so it is never given here."""

from collections.abc import Iterator

from infinium_codex.capture import install as hook_home
from infinium_codex.codex import features
from infinium_codex.codex.agent import CODEX
from infinium_codex.codex.app_server import AppServerError
from infinium_codex.codex.config_toml import ConfigTomlError
from infinium_codex.codex.hooks_json import HooksFileError
from infinium_codex.doctor import hooks
from infinium_codex.doctor.situation import Situation
from infinium_codex.doctor.storage import is_open_to_others, private_directories
from infinium_codex.support.result import CommandError


def mend(s: Situation) -> tuple[str, ...]:
    """Mend what can be mended, and say what was done, and what was tried in vain."""
    return (*_hook_program(s), *_directories(s), *_feature(s), *_hooks(s))


def _hook_program(s: Situation) -> Iterator[str]:
    try:
        if s.managed is None and hook_home.install(s.places, CODEX):
            yield f"hook program: {s.places.data} made anew"
    except OSError as error:
        yield f"hook program: {s.places.data} could not be made: {error.strerror}"


def _directories(s: Situation) -> Iterator[str]:
    for path in private_directories(s):
        try:
            if not path.exists():
                path.mkdir(parents=True, mode=0o700)
                yield f"{path} made"
            elif is_open_to_others(path) and not path.is_symlink():
                path.chmod(0o700)
                yield f"{path} closed to others"
        except OSError as error:
            yield f"{path} could not be made: {error.strerror}"


def _feature(s: Situation) -> Iterator[str]:
    try:
        if s.codex is not None and s.is_set_up and features.needs_flag(s.codex, s.environ):
            yield f"hooks feature: {features.turn_on(s.codex, s.cwd, s.environ)}"
    except (ConfigTomlError, OSError) as error:
        yield f"hooks feature: not turned on: {error}"


def _hooks(s: Situation) -> Iterator[str]:
    """Our hooks as this Codex needs them; the user's own keep their trust."""
    if not s.is_set_up or s.managed:
        return
    try:
        plan = hooks.planned(s)
        if plan.changed:
            s.hooks.apply(plan, trust=False)
            done = [f"{len(plan.added)} added"] if plan.added else []
            done += [f"{', '.join(plan.repaired)} taken from its top level"] if plan.repaired else []
            yield f"hooks file: {s.hooks.path}: {'; '.join(done)}"
    except (HooksFileError, CommandError, AppServerError) as error:
        yield f"hooks file: {s.hooks.path} not changed: {error}"
