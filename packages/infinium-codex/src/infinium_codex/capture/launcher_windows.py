"""The hook's launcher on Windows: a program without a window that runs the hook, found on PATH by its name alone.

PowerShell, cmd.exe and sh read quotes and variables differently, but all start a bare name. The launcher is the stub
that pip uses for programs of its packages; behind it stand the interpreter and a line that runs the user's hook. It is
written beside `infinium-codex.exe`, in a directory that is on PATH already. As the stub names the base interpreter, no
process that the hook starts holds a file open that an upgrade of the connector replaces.
"""

import io
import os
import shutil
import sysconfig
from pathlib import Path
from typing import Final

from infinium_codex.support.paths import APP
from infinium_codex.support.spawn import background_python

NAME: Final = "infinium-codex-hook"
_STUBS: Final = {"AMD64": "w64.exe", "ARM64": "w64-arm.exe"}


def windows_command(arguments: str) -> str:
    """The command that the agent runs on Windows.

    `exit 0` is for PowerShell and sh without the connector; cmd.exe gives it to the launcher, and the hook ignores it.
    """
    return f"{NAME} {arguments}; exit 0"


def launcher_path() -> Path:
    """Where the launcher is, or is to be written: beside `infinium-codex.exe`."""
    program = shutil.which("infinium-codex.exe")
    return Path(program).parent / f"{NAME}.exe" if program else Path(sysconfig.get_path("scripts"), f"{NAME}.exe")


def missing_on_path() -> list[str]:
    """What `init` prints if the agent will not find the launcher by its name. The agent may have another PATH."""
    if os.name != "nt" or shutil.which(NAME):
        return []
    directory = launcher_path().parent
    return [f"           '{NAME}' is not on PATH: add {directory} to PATH and start the agent again."]


def launcher_program() -> bytes:
    """The content of the launcher. It is the same for all users of the interpreter: each has a hook's home."""
    import platform
    from zipfile import ZipFile, ZipInfo

    import distlib

    stub = Path(distlib.__file__).with_name(_STUBS.get(platform.machine(), "w32.exe")).read_bytes()
    archive = io.BytesIO()  # the stub looks for its first line before an archive, which the interpreter does not read
    with ZipFile(archive, "w") as empty:
        empty.writestr(ZipInfo("__main__.py"), "")
    return stub + f'#!"{background_python()}" -I -S -c "{_RUN_HOOK}"\n'.encode() + archive.getvalue()


_RUN_HOOK: Final = (
    "import nt,sys,marshal;sys.argv[0]=nt.environ.get('LOCALAPPDATA','')+r'\\"
    f"{APP}\\hook.pyc';"
    r"exec('try:\n exec(marshal.loads(open(sys.argv[0],\'rb\').read()[16:]))\nexcept Exception: pass')"
)
"""Runs the compiled hook in the home of the user. It prints nothing and exits with 0, even without a home."""
