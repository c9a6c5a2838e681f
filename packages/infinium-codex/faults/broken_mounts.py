"""Small or read-only file systems in a mount namespace that only the machine's commands see."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from lab import Lab


class Namespace:
    """A mount namespace in which the lab's commands run while it is open."""

    def __init__(self, lab: Lab, pid: int) -> None:
        self.lab, self.pid = lab, pid
        enter = ["nsenter", "--target", str(pid), "--user", "--mount", "--preserve-credentials", "--"]
        lab.prefix = [*enter, "sh", "-c", 'cd "$0" && exec "$@"', str(lab.project)]
        lab.root_seen = Path(f"/proc/{pid}/root")

    def run(self, script: str, *arguments: object) -> None:
        """Run a shell script in the namespace."""
        command = [*self.lab.prefix, "sh", "-euc", script, "sh", *map(str, arguments)]
        subprocess.run(command, check=True, capture_output=True, cwd="/")

    def mount_small(self, directory: Path, options: str) -> None:
        """Mount a memory file system over a directory and copy the directory's content to it."""
        directory.mkdir(parents=True, exist_ok=True)
        self.run(
            'mkdir "$3"; cp -a "$1/." "$3"; mount -t tmpfs -o "$2,mode=700" none "$1"; cp -a "$3/." "$1"; rm -r "$3"',
            directory, options, directory.with_name(f"{directory.name}.before"),
        )  # fmt: skip

    def fill(self, directory: Path, leave: int) -> None:
        """Fill the file system of a directory until `leave` bytes are free."""
        free = 'free=$(($(stat -f -c "%a * %S" "$1") - $2)); '
        self.run(f'{free}[ "$free" -le 0 ] || head -c "$free" /dev/zero >"$1/ballast"', directory, leave)

    def free(self, directory: Path) -> None:
        """Remove the file that fills the file system."""
        self.run('rm -f "$1/ballast"', directory)


@contextmanager
def namespace(lab: Lab) -> Iterator[Namespace]:
    """A namespace for the `with` block; skips the test where the system permits none."""
    if shutil.which("unshare") is None or shutil.which("nsenter") is None:
        pytest.skip("unshare is not installed")
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c", "echo ready; exec sleep 1000"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        try:
            if process.stdout.readline() != b"ready\n":
                pytest.skip("this machine permits no namespaces")
            yield Namespace(lab, process.pid)
        finally:
            lab.prefix, lab.root_seen = [], Path("/")
            process.kill()
