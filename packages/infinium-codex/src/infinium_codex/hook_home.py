"""The hook's home: a directory whose paths stay the same through every upgrade, so that Codex's trust in them lasts.

It holds a copy of `hook.py` and two links: `python`, the interpreter itself, which runs the hook without any site
packages, and `venv`, the environment the connector is installed in, which runs the worker.
"""

import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

import infinium_codex
from infinium_codex.paths import Places


@dataclass(frozen=True, kw_only=True, slots=True)
class HomeState:
    """Whether the hook's home is as this installation would make it."""

    missing: tuple[str, ...] = ()
    outdated: tuple[str, ...] = ()

    @property
    def intact(self) -> bool:
        return not self.missing and not self.outdated


def hook_command(places: Places, event: str) -> str:
    """The command Codex runs for `event`: it prints nothing and exits 0, even when nothing of ours is left.

    There is no `exec`: an interpreter that cannot find hook.py exits with 2, which would block the user's tool. When
    the interpreter has gone (an upgrade of Python), any other one runs the hook, and the worker mends the link.
    """
    python, hook = (shlex.quote(str(places.data / name)) for name in ("python", "hook.py"))
    run = f"-I -S {hook} {event} >/dev/null 2>&1"
    return f"{python} {run} || python3 {run}; exit 0"


def is_our_command(command: str, places: Places | None = None) -> bool:
    """Whether a hook command is one of ours, of this user's or of another home."""
    if places is not None:
        return shlex.quote(str(places.data / "hook.py")) in command
    return "/infinium-codex/hook.py" in command


def install(places: Places) -> bool:
    """Make the home what it should be; False when it was already."""
    if check(places).intact:
        return False
    places.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    aside = places.data / f".hook.py.{os.getpid()}"
    aside.write_bytes(_hook_source())
    aside.chmod(0o600)
    aside.replace(places.data / "hook.py")
    for name, target in _links().items():
        link = places.data / f".{name}.{os.getpid()}"
        link.symlink_to(target)
        link.replace(places.data / name)
    return True


def check(places: Places) -> HomeState:
    """Compare the home with what this installation would make it."""
    hook = places.data / "hook.py"
    wanted = {"hook.py": hook.is_file() and hook.read_bytes() == _hook_source()}
    wanted |= {name: _links_to(places.data / name, target) for name, target in _links().items()}
    missing = tuple(name for name in wanted if not (places.data / name).exists())
    return HomeState(missing=missing, outdated=tuple(n for n, good in wanted.items() if not good and n not in missing))


def remove(places: Places) -> bool:
    """Take the home away; False when there was none. What else a user put there stays."""
    found = False
    for name in ("hook.py", "python", "venv", "hook.errors"):
        path = places.data / name
        if path.is_symlink() or path.exists():
            path.unlink()
            found = True
    if found and not any(places.data.iterdir()):
        places.data.rmdir()
    return found


def _links() -> dict[str, str]:
    # Real paths: the worker itself runs through the link `venv`, and must not point it at itself.
    base = getattr(sys, "_base_executable", None) or sys.executable
    return {"python": os.path.realpath(base), "venv": os.path.realpath(sys.prefix)}


def _links_to(link: Path, target: str) -> bool:
    return link.is_symlink() and str(link.readlink()) == target


def _hook_source() -> bytes:
    return (Path(infinium_codex.__path__[0]) / "hook.py").read_bytes()
