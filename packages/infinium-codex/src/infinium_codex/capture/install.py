"""The hook's home: a directory in the user's data whose paths survive upgrades, so that the agent keeps trusting them.

It holds the hook's program as source (`hook.py`) and compiled for this interpreter (`hook.pyc`), the script with which
the shell records tool events (`tool_event.sh`), the markers of traced sessions (`traced`), the launcher of the worker
(`worker.py`), and two links: `python`, the interpreter that runs the hook without site packages, and `venv`, the
environment that the connector is installed in, which runs the worker. On Windows there are no links: the interpreter is
named in the hook's launcher (`launcher_windows`), and the directories of the packages in the worker's.
"""

import ast
import marshal
import os
import sys
from importlib.util import MAGIC_NUMBER, find_spec
from pathlib import Path
from typing import Final
from zlib import crc32

from infinium_config.files import remove_file, write_atomically
from msgspec import Struct

import infinium_codex
from infinium_codex.agent import Agent, HookNames
from infinium_codex.capture import launcher_windows
from infinium_codex.capture.hook_command import COMPILED, SCRIPT, SOURCE
from infinium_codex.capture.inbox import MARKERS
from infinium_codex.support.files import replace_link
from infinium_codex.support.paths import Places

LAUNCHER: Final = "worker.py"
_IS_WINDOWS: Final = os.name == "nt"
HOOK_MODULES: Final = ("hook_windows.py",) if _IS_WINDOWS else ("hook_project.py", "hook_marker.py", "hook.py")
"""The sources of the hook of this system, in `infinium_codex.capture`. The last one has `main`."""


class HomeState(Struct, frozen=True, kw_only=True):
    """The hook's home compared with what this installation would write."""

    missing: tuple[str, ...] = ()
    """Files that do not exist. A missing `hook.pyc` counts as outdated: the command then runs `hook.py`."""
    outdated: tuple[str, ...] = ()
    """Files with other content."""

    @property
    def intact(self) -> bool:
        return not self.missing and not self.outdated


def install(places: Places, agent: Agent, *, mode: int = 0o600) -> bool:
    """Write the hook's home, its files with this mode. False if it is intact already. Raises OSError."""
    if check(places, agent).intact:
        return False
    places.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    programs = _programs(agent)
    for name, content in {**programs, COMPILED: _compile(programs[SOURCE])}.items():
        if not _has_content(places.data / name, content):  # Windows does not replace a program that runs
            write_atomically(places.data / name, content, mode=mode)
    for name, target in _links().items():
        replace_link(places.data / name, target)
    return True


def check(places: Places, agent: Agent) -> HomeState:
    """Compare the hook's home with what `install` would write."""
    programs = _programs(agent)
    is_current = {name: _has_content(places.data / name, content) for name, content in programs.items()}
    is_current[COMPILED] = _is_compiled_from(programs[SOURCE], places.data / COMPILED)
    is_current |= {name: _links_to(places.data / name, target) for name, target in _links().items()}
    missing = tuple(name for name in is_current if name != COMPILED and not (places.data / name).exists())
    outdated = tuple(name for name, current in is_current.items() if not current and name not in missing)
    return HomeState(missing=missing, outdated=outdated)


def remove(places: Places) -> bool:
    """Remove the hook's home. False if there is none. Other files in the directory are kept."""
    import shutil

    found = False
    launcher = (str(launcher_windows.launcher_path()),) if _IS_WINDOWS else ()
    for name in (SOURCE, COMPILED, LAUNCHER, SCRIPT, "python", "venv", "hook.errors", *launcher):
        path = places.data / name
        if path.is_symlink() or path.exists():
            remove_file(path)
            found = True
    shutil.rmtree(places.data / MARKERS, ignore_errors=True)
    if found and not any(places.data.iterdir()):
        places.data.rmdir()
    return found


def hook_program(names: HookNames, modules: tuple[str, ...] = HOOK_MODULES) -> bytes:
    """The hook's program: the sources of the hook's modules, and the call of `main` with the agent's names."""
    source = "\n\n".join(_without_own_imports(_source_of(module)) for module in modules)
    session_field = f'"{names.session_id}"'.encode()
    arguments: tuple[object, ...] = (names.triggers, session_field)
    if modules[-1] == "hook.py":  # containers and CI on Windows use `flush`
        arguments += (names.session_ended, names.end_wait_seconds)
    return f"{source}\n\nimport sys\n\nmain(sys.argv, {', '.join(map(repr, arguments))})\n".encode()


def _source_of(name: str) -> str:
    return (Path(infinium_codex.__path__[0]) / "capture" / name).read_text("utf-8")


def _without_own_imports(source: str) -> str:
    """A module's source without its imports of other modules of the hook: the program has them all in one file."""
    return "\n".join(line for line in source.splitlines() if not line.startswith("from infinium_codex."))


def _programs(agent: Agent) -> dict[str, bytes]:
    """The content of each program, by its name in the hook's home or by its path."""
    programs = {SOURCE: hook_program(agent.hooks), LAUNCHER: _launcher(_package_directories(agent), agent).encode()}
    if _IS_WINDOWS:
        programs[str(launcher_windows.launcher_path())] = launcher_windows.launcher_program()
    else:
        programs[SCRIPT] = _source_of(SCRIPT).encode()
    return programs


def _links() -> dict[str, str]:
    if _IS_WINDOWS:
        return {}
    # Real paths: the worker itself runs through the link `venv`, which must not point to itself.
    base = getattr(sys, "_base_executable", None) or sys.executable
    return {"python": os.path.realpath(base), "venv": str(_environment())}


def _environment() -> Path:
    """The environment the connector is installed in. In the worker, which runs without `site`, it is not sys.prefix."""
    return Path(os.path.realpath(Path(sys.executable).parent.parent))


def _links_to(link: Path, target: str) -> bool:
    return link.is_symlink() and str(link.readlink()) == target


def _has_content(path: Path, content: bytes) -> bool:
    return path.is_file() and path.read_bytes() == content


def _compile(source: bytes) -> bytes:
    """The bytes of a .pyc file. Compiling the source at every event would take longer than the hook's own work.

    Annotations are left out, because Python would evaluate them at every start.
    """
    tree = ast.parse(source)
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef():
                node.returns = None
            case ast.arg():
                node.annotation = None
    body = marshal.dumps(compile(tree, SOURCE, "exec", dont_inherit=True, optimize=2))
    return _pyc_header(source, body) + body


def _is_compiled_from(source: bytes, path: Path) -> bool:
    """Whether the file is a complete .pyc of this source. Compiling again would not give the same bytes."""
    if not path.is_file():
        return False
    found = path.read_bytes()
    header, body = found[:_PYC_HEADER_BYTES], found[_PYC_HEADER_BYTES:]
    return header == _pyc_header(source, body)


_PYC_HEADER_BYTES: Final = 16


def _pyc_header(source: bytes, body: bytes) -> bytes:
    """The header of a .pyc that Python does not compare with a source; the hash field holds two checksums."""
    unchecked = 1
    return MAGIC_NUMBER + b"".join(number.to_bytes(4, "little") for number in (unchecked, crc32(source), crc32(body)))


def _launcher(directories: list[str], agent: Agent) -> str:
    """The program that starts the worker."""
    return _LAUNCHER.format(
        directories=directories,
        agent=agent.reference,
        turn_started=agent.hooks.turn_started,
        turn_ended=agent.hooks.turn_ended,
    )


def _package_directories(agent: Agent) -> list[str]:
    """The directories of all packages that the worker needs; empty where only `site` can tell.

    The worker avoids `site`, which runs the `.pth` files of other packages: that takes longer than the work on a short
    turn. On Windows the worker runs in the base interpreter, whose `site` does not know the environment.
    """
    packages = Path(infinium_codex.__path__[0]).parent
    of_agent = agent.reference.partition(":")[0].partition(".")[0]
    if _IS_WINDOWS:
        needed = ("infinium_config", "infinium_trace", "infinium_transport", "keyring", "niquests", "msgspec", of_agent)
        found = (find_spec(name) for name in needed)
        others = (str(Path(spec.origin).parents[1]) for spec in found if spec is not None and spec.origin)
        return list(dict.fromkeys((str(packages), *others)))
    together = all(
        (packages / name).is_dir() for name in ("infinium_config", "infinium_transport", "keyring", of_agent)
    )
    return [str(packages)] if together and not _sees_system_packages() else []


_LAUNCHER: Final = """\
import sys

sys.path += {directories}
try:
    from infinium_codex.background.worker import main
except ImportError:  # the packages are elsewhere, or the environment was recreated for another Python
    import site

    site.main()
    from infinium_codex.background.worker import main

main(sys.argv, agent={agent!r}, turn_started={turn_started!r}, turn_ended={turn_ended!r})
"""


def _sees_system_packages() -> bool:
    """Whether this is not a virtual environment, or one that includes the system's packages."""
    try:
        settings = (_environment() / "pyvenv.cfg").read_text("utf-8")
    except OSError:
        return True
    return "include-system-site-packages = true" in settings.lower()
