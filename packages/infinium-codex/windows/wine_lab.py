"""Sets up a Windows for tests inside Wine: CPython for Windows, the libraries, and Codex CLI for Windows.

`python wine_lab.py DIRECTORY [CODEX_VERSION…]`. Everything comes from package registries by name: Wine and a cross
compiler from Debian, CPython's own libraries inside a Windows wheel, Codex from npm. What exists is kept. `README.md`
says what is real in this Windows and what is not.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import threading
import time
import tomllib
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Self
from uuid import UUID

from msgspec import Struct
from packaging.markers import Marker
from stand_ins import POWERSHELL, PROCESS_RANDOM, PYTHON

ROOT = Path(__file__).parents[3]
PACKAGES = ("infinium-config", "infinium-trace", "infinium-transport", "infinium-codex")
DEBIAN_PACKAGES = {"wine": "wine", "wineboot": "wine", "x86_64-w64-mingw32-gcc": "gcc-mingw-w64-x86-64", "npm": "npm"}
"""The Debian package of each program that is needed."""
CPYTHON_WHEEL = "panda3d==1.10.16"
"""Its Windows wheels contain CPython's DLLs and extension modules, OpenSSL, libffi and SQLite."""
MINOR = f"{sys.version_info.minor}"
"""The standard library is copied from the running Python, so the minor version is the same."""
PREPARE_SECONDS = 600.0
SERVICES_SECONDS = 5.0
"""How long Windows' services take to start."""


class Lab(Struct, frozen=True, kw_only=True):
    """One Windows, in a directory."""

    directory: Path

    @property
    def prefix(self) -> Path:
        """Wine's directory, which holds the drive and the registry."""
        return self.directory / "prefix"

    @property
    def drive(self) -> Path:
        """The drive C:."""
        return self.prefix / "drive_c"

    @property
    def python(self) -> Path:
        """The directory of CPython."""
        return self.drive / "py"

    @property
    def profile(self) -> Path:
        """The profile directory of the Windows user."""
        return next(path for path in (self.drive / "users").iterdir() if path.name != "Public")

    def environ(self, **more: str) -> dict[str, str]:
        """The environment for programs in this Windows: no variable with a path of Linux, and `more`.

        `path` is added to the PATH.
        """
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "USER", "LANG", "LC_ALL") if name in os.environ}
        system = {"WINEPREFIX": str(self.prefix), "WINEDEBUG": "-all", "WINEPATH": r"C:\py;C:\py\Scripts"}
        if path := more.pop("path", ""):
            system["WINEPATH"] += f";{path}"
        return kept | system | more

    def run(
        self,
        *command: str,
        stdin: bytes = b"",
        cwd: Path | None = None,
        environ: Mapping[str, str] | None = None,
        seconds: float = PREPARE_SECONDS,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a Windows program to its end.

        Its standard streams are pipes: others can be invalid handles to it. What it leaves running inherits them from
        Wine, so their end is not waited for.
        """
        process = subprocess.Popen(
            ["wine", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd or self.drive,
            env=self.environ(**(environ or {})),
        )
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        readers = [_Reader(stream) for stream in (process.stdout, process.stderr)]
        with suppress(BrokenPipeError), process.stdin as pipe:
            pipe.write(stdin)
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        stdout, stderr = (reader.content() for reader in readers)
        return subprocess.CompletedProcess(command, code, stdout, stderr)

    def codex(self, version: str) -> Path:
        """The directory of `codex.exe` of a version."""
        return next((self.directory / f"codex-{version}").rglob("codex.exe")).parent

    @contextmanager
    def running(self) -> Iterator[Self]:
        """Keep this Windows up for the block: its first programs start services, which inherit the pipes they find."""
        idle = "import ctypes; ctypes.windll.user32.GetDesktopWindow(); input()"
        process = subprocess.Popen(
            ["wine", r"C:\py\python.exe", "-c", idle],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=self.environ(),
        )
        try:
            time.sleep(SERVICES_SECONDS)
            yield self
        finally:
            self.kill()
            process.communicate()

    def kill(self) -> None:
        """End every program of this Windows."""
        subprocess.run(["wineserver", "-k"], env=self.environ(), check=False)


class _Reader:
    """Reads a pipe on a thread."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self._chunks = stream, list[bytes]()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def content(self) -> bytes:
        """What was written until the writer ended."""
        self._thread.join(1)
        return b"".join(self._chunks)

    def _read(self) -> None:
        with self._stream:
            while chunk := os.read(self._stream.fileno(), 1 << 16):
                self._chunks.append(chunk)


def windows_path(path: Path) -> str:
    """A path of Linux as Windows programs see it."""
    text = str(path)
    before, mark, below = text.partition("/prefix/drive_c")
    return (f"C:{below}" if mark and before else f"Z:{text}").replace("/", "\\")


def set_up(directory: Path, codex_versions: Sequence[str] = ()) -> Lab:
    """Make the Windows in `directory`, or complete the one that is there."""
    _require_programs()
    directory.mkdir(parents=True, exist_ok=True)
    lab = Lab(directory=directory)
    if not (directory / "ready").exists():
        shutil.rmtree(lab.prefix, ignore_errors=True)
        for source in directory.glob("*.c"):
            source.unlink()
        _create_prefix(lab)
        _add_python(lab)
        (directory / "ready").touch()
    _add_stand_ins(lab)
    _add_libraries(lab)
    for version in codex_versions:
        _add_codex(lab, version)
    return lab


def install_connector(lab: Lab, wheels: Path) -> None:
    """Install wheels of the packages with pip for Windows, which writes the console scripts."""
    files = [windows_path(path) for path in sorted(wheels.glob("infinium_*.whl"))]
    done = lab.run("python", "-m", "pip", "install", "-q", "--no-index", "--no-deps", "--force-reinstall", *files)
    if done.returncode:
        raise SystemExit(f"pip for Windows failed:\n{(done.stdout + done.stderr).decode(errors='replace')}")


def new_codex_home(path: Path) -> Path:
    """Make a CODEX_HOME. Codex 0.169 locks and writes `installation_id` in one step, which Wine refuses."""
    path.mkdir(parents=True)
    (path / "installation_id").write_text(str(UUID(int=1)))
    return path


def _require_programs() -> None:
    missing = {package for program, package in DEBIAN_PACKAGES.items() if not shutil.which(program)}
    if missing:
        raise SystemExit(f"Missing programs. Install the Debian packages {' '.join(sorted(missing))}.")


def _create_prefix(lab: Lab) -> None:
    environ = lab.environ(WINEDLLOVERRIDES="mscoree=;mshtml=")  # without the offers to download .NET and a browser
    for command in (("wineboot", "-i"), ("wine", "winecfg", "-v", "win10"), ("wineserver", "-w")):
        subprocess.run(command, env=environ, check=True, capture_output=True, stdin=subprocess.DEVNULL)


def _add_stand_ins(lab: Lab) -> None:
    system = lab.drive / "windows" / "system32"
    _compile(lab, PROCESS_RANDOM, system / "bcryptprimitives.dll", "-shared", libraries=("-ladvapi32",))
    shell = next(path for path in system.rglob("*") if path.name.lower() == "powershell.exe")
    _compile(lab, POWERSHELL, shell, "-municode")


def _compile(lab: Lab, source: str, to: Path, *options: str, libraries: tuple[str, ...] = ()) -> None:
    """Compile a program, unless it was compiled from this source already."""
    code = lab.directory / f"{to.name}.c"
    if code.exists() and code.read_text() == source:
        return
    code.write_text(source)
    to.unlink(missing_ok=True)
    subprocess.run(["x86_64-w64-mingw32-gcc", "-O2", *options, str(code), "-o", str(to), *libraries], check=True)


def _add_python(lab: Lab) -> None:
    shutil.rmtree(lab.python, ignore_errors=True)
    (lab.python / "DLLs").mkdir(parents=True)
    wheels = lab.directory / "wheels"
    _pip("download", "-d", str(wheels), CPYTHON_WHEEL)
    beside = (f"python3{MINOR}.dll", "vcruntime140.dll", "vcruntime140_1.dll")
    with zipfile.ZipFile(next(wheels.glob("panda3d-*.whl"))) as wheel:
        for name in wheel.namelist():
            file = name.rpartition("/")[2]
            if name.startswith("deploy_libs/") and file and not file.startswith("api-ms"):
                directory = lab.python if file.lower() in beside else lab.python / "DLLs"
                (directory / file).write_bytes(wheel.read(name))
    skipped = shutil.ignore_patterns("__pycache__", "site-packages", "lib-dynload", "test", "idlelib", "config-*")
    shutil.copytree(sysconfig.get_paths()["stdlib"], lab.python / "Lib", ignore=skipped)
    (lab.python / "Lib" / "site-packages").mkdir()
    _add_interpreter(lab)


def _add_interpreter(lab: Lab) -> None:
    """Compile the two interpreters, and `python3.dll`, which forwards the stable ABI to the DLL of the version."""
    dll = f"python3{MINOR}"
    definition, library = lab.directory / "python.def", lab.directory / "python.a"
    definition.write_text(f"LIBRARY {dll}.dll\nEXPORTS\nPy_Main\n")
    subprocess.run(["x86_64-w64-mingw32-dlltool", "-d", str(definition), "-l", str(library)], check=True)
    for name, options in (("python.exe", ("-municode",)), ("pythonw.exe", ("-municode", "-mwindows"))):
        _compile(lab, PYTHON, lab.python / name, *options, libraries=(str(library),))
    listed = subprocess.run(
        ["x86_64-w64-mingw32-objdump", "-p", str(lab.python / f"{dll}.dll")], check=True, capture_output=True, text=True
    ).stdout
    names = re.findall(r"^\s+\[\s*\d+\](?: \+base\[\s*\d+\]\s+[0-9a-f]+)? (_?Py\w+)$", listed, re.MULTILINE)
    forwarder = lab.directory / "python3.def"
    forwarder.write_text("LIBRARY python3.dll\nEXPORTS\n" + "".join(f"{name}={dll}.{name}\n" for name in names))
    linked = ("-shared", "-nostdlib", "-Wl,--entry=0", str(forwarder))
    _compile(lab, "int unused;\n", lab.python / "python3.dll", *linked)


def _add_libraries(lab: Lab) -> None:
    """Unpack the wheels for Windows of everything that poetry.lock names for users and tests."""
    wanted = lab.directory / "requirements.txt"
    lines = "\n".join(["pip", *locked_for_windows(ROOT / "poetry.lock")])
    if wanted.exists() and wanted.read_text() == lines:
        return
    packages = lab.python / "Lib" / "site-packages"
    shutil.rmtree(packages)
    listed = lab.directory / "wanted.txt"
    listed.write_text(lines)
    _pip("install", "--target", str(packages), "-r", str(listed))
    listed.replace(wanted)


def locked_for_windows(lock: Path) -> list[str]:
    """The requirements that a lock file has for users and tests on Windows."""
    environ = {
        "os_name": "nt",
        "sys_platform": "win32",
        "platform_system": "Windows",
        "platform_machine": "AMD64",
        "python_version": f"3.{MINOR}",
        "python_full_version": f"3.{MINOR}.9",
    }
    lines = []
    for package in tomllib.loads(lock.read_text("utf-8"))["package"]:
        groups = {"main", "test"} & set(package["groups"])
        markers = package.get("markers", "")
        by_group = markers if isinstance(markers, dict) else dict.fromkeys(groups, markers)
        applies = any(not by_group.get(group) or Marker(by_group[group]).evaluate(environ) for group in groups)
        if applies and package.get("source", {}).get("type") != "directory":
            lines.append(f"{package['name']}=={package['version']}")
    return lines


def _pip(command: str, *arguments: str) -> None:
    target = ("--platform", "win_amd64", "--python-version", f"3.{MINOR}", "--only-binary=:all:", "--no-deps")
    subprocess.run([sys.executable, "-m", "pip", command, "-q", *target, *arguments], check=True)


def _add_codex(lab: Lab, version: str) -> None:
    target = lab.directory / f"codex-{version}"
    if target.exists():
        return
    packed = lab.directory / "npm"
    packed.mkdir(exist_ok=True)
    subprocess.run(
        ["npm", "pack", "--silent", f"@openai/codex@{version}-win32-x64"],
        cwd=packed,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    archive = next(packed.glob("*.tgz"))
    with tarfile.open(archive) as tar:
        tar.extractall(target.with_name("unpacked"), filter="data")
    archive.unlink()
    target.with_name("unpacked").rename(target)


if __name__ == "__main__":
    set_up(Path(sys.argv[1]).resolve(), sys.argv[2:])
