"""Starts background processes.

A worker imports this module at every prompt, so it imports only what the interpreter has already loaded.
"""

import os
import sys

_SIGKILL = 9
"""The module signal imports more than a scheduler does."""

TYPE_CHECKING = False  # importing typing or collections costs more than this module
if TYPE_CHECKING:
    from collections.abc import Mapping


def leave_directory() -> None:
    """Go to the root directory: the one this process was started in may be removed or unmounted meanwhile."""
    os.chdir(f"{os.environ.get('SYSTEMDRIVE', '')}/")


def background_python() -> str:
    """The interpreter without a window. It is the base one: an environment's own would start it as another process."""
    base = getattr(sys, "_base_executable", None) or sys.executable
    windowless = os.path.join(os.path.dirname(base), "pythonw.exe")  # noqa: PTH118, PTH120
    return windowless if os.path.exists(windowless) else base  # noqa: PTH110


if sys.platform == "win32":
    _RUN = "import sys; sys.path += sys.argv.pop(1).split('|'); from {module} import main; main(sys.argv)"

    def module_command(module: str, *arguments: str) -> list[str]:
        """The command that runs `main` of a module in an interpreter without a window.

        It is the base interpreter: a process in it holds no program of the environment open, which an upgrade could
        then not replace. It gets the module path of this process.
        """
        path = "|".join(dict.fromkeys(entry for entry in sys.path if os.path.isabs(entry)))  # noqa: PTH117
        return [background_python(), "-I", "-S", "-c", _RUN.format(module=module), path, *arguments]

    def start_detached(command: list[str], environ: "Mapping[str, str]") -> None:
        """Start a process that outlives this one, its console and its job. It inherits no handle."""
        import subprocess

        flags = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
        null = subprocess.DEVNULL
        for job in (subprocess.CREATE_BREAKAWAY_FROM_JOB, 0):
            try:
                process = subprocess.Popen(
                    command, env=dict(environ), stdin=null, stdout=null, stderr=null, creationflags=flags | job
                )
            except PermissionError:
                if not job:
                    raise
            else:
                process.returncode = 0  # it is not waited for, and must not be reported as left
                return

    class Child:
        """A process without a window that this one waits for. Raises OSError if it cannot be started."""

        def __init__(self, command: list[str]) -> None:
            import subprocess

            self._process = subprocess.Popen(command, creationflags=subprocess.CREATE_NO_WINDOW)

        def has_ended(self) -> bool:
            """Whether it has ended."""
            return self._process.poll() is not None

        def kill(self) -> None:
            """End it at once."""
            self._process.kill()

else:

    def module_command(module: str, *arguments: str) -> list[str]:
        """The command that runs a module in this interpreter."""
        return [sys.executable, "-I", "-m", module, *arguments]

    def start_detached(command: list[str], environ: "Mapping[str, str]") -> None:
        """Start a process in a session of its own, so that it outlives this one. It inherits no descriptor."""
        null = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1, 2)]
        os.posix_spawn(command[0], command, dict(environ), file_actions=null, setsid=True)

    class Child:
        """A process that this one waits for. Raises OSError if it cannot be started."""

        def __init__(self, command: list[str]) -> None:
            self._pid = os.posix_spawn(command[0], command, os.environ)

        def has_ended(self) -> bool:
            """Whether it has ended. Not to be asked again after that."""
            return os.waitpid(self._pid, os.WNOHANG)[0] != 0

        def kill(self) -> None:
            """End it at once, also if it is stopped."""
            os.kill(self._pid, _SIGKILL)
