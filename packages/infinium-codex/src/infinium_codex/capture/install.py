"""The hook's home: a directory whose paths stay the same through every upgrade, so that Codex's trust in them lasts.

It holds a copy of `hook.py`, the same compiled for this interpreter, `hook.pyc`, and the launcher of the worker,
`worker.py`; and two links: `python`, the interpreter itself, which runs the hook without any site packages, and `venv`,
the environment the connector is installed in, which runs the worker.
"""

import marshal
import os
import shlex
import sys
from importlib.util import MAGIC_NUMBER
from pathlib import Path
from typing import Final
from zlib import crc32

from msgspec import Struct

import infinium_codex
from infinium_codex.agent import Agent
from infinium_codex.support.paths import Places

SOURCE = "hook.py"
COMPILED = "hook.pyc"
LAUNCHER = "worker.py"


class HomeState(Struct, frozen=True, kw_only=True):
    """Whether the hook's home is as this installation would make it."""

    missing: tuple[str, ...] = ()
    """What nothing else stands in for."""
    outdated: tuple[str, ...] = ()

    @property
    def intact(self) -> bool:
        return not self.missing and not self.outdated


def hook_command(places: Places, event: str) -> str:
    """The command Codex runs for `event`: it prints nothing and exits 0, even when nothing of ours is left.

    There is no `exec`: an interpreter that cannot find its program exits with 2, which would block the user's tool. The
    hook itself always exits 0, so what comes behind `||` runs only where nothing has read the event yet: the source,
    where what was compiled is damaged or another version's; and when the interpreter has gone (an upgrade of Python),
    any other one. The worker mends both.
    """
    python, hook = (shlex.quote(str(places.data / name)) for name in ("python", SOURCE))
    compiled = shlex.quote(str(places.data / COMPILED))
    tries = (f"{python} -I -S {compiled}", f"{python} -I -S {hook}", f"python3 -I -S {hook}")
    return f"{{ {' || '.join(f'{each} {event}' for each in tries)}; }} >/dev/null 2>&1; exit 0"


def home_of(command: str) -> Path:
    """The directory that a hook command of ours runs from."""
    return Path(shlex.split(command.removeprefix("{ "))[0]).parent


def is_our_command(command: str, places: Places | None = None) -> bool:
    """Whether a hook command is one of ours, of this user's or of another home."""
    if places is not None:
        return shlex.quote(str(places.data / "hook.py")) in command
    return "/infinium-codex/hook.py" in command


def install(places: Places, agent: Agent, *, mode: int = 0o600) -> bool:
    """Make the home what it should be, its programs with this mode; False when it was already."""
    if check(places, agent).intact:
        return False
    places.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    programs = _programs(agent)
    for name, content in {**programs, COMPILED: _compiled(programs[SOURCE])}.items():
        aside = places.data / f".{name}.{os.getpid()}"
        aside.write_bytes(content)
        aside.chmod(mode)
        aside.replace(places.data / name)
    for name, target in _links().items():
        link = places.data / f".{name}.{os.getpid()}"
        link.symlink_to(target)
        link.replace(places.data / name)
    return True


def check(places: Places, agent: Agent) -> HomeState:
    """Compare the home with what this installation would make it."""
    programs = _programs(agent)
    wanted = {name: _holds(places.data / name, content) for name, content in programs.items()}
    wanted[COMPILED] = _is_compiled(places.data / COMPILED, programs[SOURCE])
    wanted |= {name: _links_to(places.data / name, target) for name, target in _links().items()}
    missing = tuple(name for name in wanted if name != COMPILED and not (places.data / name).exists())
    return HomeState(missing=missing, outdated=tuple(n for n, good in wanted.items() if not good and n not in missing))


def remove(places: Places) -> bool:
    """Take the home away; False when there was none. What else a user put there stays."""
    found = False
    for name in (SOURCE, COMPILED, LAUNCHER, "python", "venv", "hook.errors"):
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
    return {"python": os.path.realpath(base), "venv": str(_environment())}


def _environment() -> Path:
    """The environment we are installed in: `sys.prefix` is not that in the worker, which runs without `site`."""
    return Path(os.path.realpath(Path(sys.executable).parent.parent))


def _links_to(link: Path, target: str) -> bool:
    return link.is_symlink() and str(link.readlink()) == target


def _holds(path: Path, content: bytes) -> bool:
    return path.is_file() and path.read_bytes() == content


def _programs(agent: Agent) -> dict[str, bytes]:
    package = Path(infinium_codex.__path__[0])
    return {SOURCE: (package / "capture" / SOURCE).read_bytes(), LAUNCHER: _launcher(package.parent, agent).encode()}


def _compiled(source: bytes) -> bytes:
    """What compiling the hook at every event would come to: that takes longer than all the hook does."""
    body = marshal.dumps(compile(source, SOURCE, "exec", dont_inherit=True, optimize=2))
    return _head(source, body) + body


def _is_compiled(path: Path, source: bytes) -> bool:
    """Whether the file is whole and of this source: compiled again, some of its bytes would come out differently."""
    if not path.is_file():
        return False
    found = path.read_bytes()
    head, body = found[:_HEAD_BYTES], found[_HEAD_BYTES:]
    return head == _head(source, body)


_HEAD_BYTES: Final = 16


def _head(source: bytes, body: bytes) -> bytes:
    """The head of a .pyc that Python compares with no source; in the place for that, checksums for ourselves."""
    unchecked = 1
    return MAGIC_NUMBER + b"".join(each.to_bytes(4, "little") for each in (unchecked, crc32(source), crc32(body)))


def _launcher(packages: Path, agent: Agent) -> str:
    """The program that starts the worker.

    `site` runs what other packages put into an environment's `.pth` files, which takes longer than the work on a short
    turn. Where everything we need lies in one directory, that directory is enough.
    """
    together = all((packages / name).is_dir() for name in ("infinium_config", "infinium_transport", "keyring"))
    return _LAUNCHER.format(
        directories=[str(packages)] if together and not _sees_system_packages() else [],
        agent=agent.reference,
        turn_started=agent.hooks.turn_started,
        turn_ended=agent.hooks.turn_ended,
    )


_LAUNCHER: Final = """\
import sys

sys.path += {directories}
try:
    from infinium_codex.background.worker import main
except ImportError:  # they lie elsewhere, or the environment was made anew for another Python
    import site

    site.main()
    from infinium_codex.background.worker import main

main(sys.argv, agent={agent!r}, turn_started={turn_started!r}, turn_ended={turn_ended!r})
"""


def _sees_system_packages() -> bool:
    """Whether the environment goes beyond itself, or is none of its own."""
    try:
        settings = (_environment() / "pyvenv.cfg").read_text("utf-8")
    except OSError:
        return True
    return "include-system-site-packages = true" in settings.lower()
