"""Starts background processes.

A worker imports this module at every prompt, so it imports only what the interpreter has already loaded.
"""

import os
import sys

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

    def run_and_wait(command: list[str]) -> None:
        """Run a process without a window to its end. Raises OSError if it cannot be started."""
        import subprocess

        subprocess.run(command, creationflags=subprocess.CREATE_NO_WINDOW, check=False)

else:

    def module_command(module: str, *arguments: str) -> list[str]:
        """The command that runs a module in this interpreter."""
        return [sys.executable, "-I", "-m", module, *arguments]

    def start_detached(command: list[str], environ: "Mapping[str, str]") -> None:
        """Start a process in a session of its own, so that it outlives this one. It inherits no descriptor."""
        null = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_RDWR, 0) for fd in (0, 1, 2)]
        os.posix_spawn(command[0], command, dict(environ), file_actions=null, setsid=True)

    def run_and_wait(command: list[str]) -> None:
        """Run a process to its end. Raises OSError if it cannot be started."""
        pid = os.posix_spawn(command[0], command, os.environ)
        os.waitpid(pid, 0)
