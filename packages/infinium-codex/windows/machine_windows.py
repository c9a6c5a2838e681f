"""A user's project and Codex in the Windows of the tests."""

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from infinium_codex.demo.scripted_model import Patch, Reply, Say, ScriptedModel, Shell, codex_config
from scenarios import PATCH, usage
from wine_lab import Lab, new_codex_home, windows_path

AGENT = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
SECRET = b"sesame-4711-canary"
COMMAND = "echo building& exit 3"
WAIT_SECONDS = 60.0


class User:
    """The user of the Windows, with a project of their own."""

    def __init__(self, lab: Lab, name: str) -> None:
        self.lab = lab
        self.root = lab.drive / "w" / re.sub(r"\W+", "-", name)
        shutil.rmtree(self.root, ignore_errors=True)
        self.project = self.root / "mein Prüfstand"
        (self.project / ".git").mkdir(parents=True)
        self.codex_home = new_codex_home(self.root / "codex home")
        self.home = lab.profile / "AppData" / "Local" / "infinium-codex"
        self.codex_version = ""

    @property
    def launcher(self) -> Path:
        """The hook's launcher."""
        return self.lab.python / "Scripts" / "infinium-codex-hook.exe"

    def configure_codex(self, model: ScriptedModel, version: str) -> None:
        """Put this version of Codex on PATH, with the scripted model and the project trusted."""
        self.codex_version = version
        config = codex_config(model.base_url, windows_path(self.project), version)
        (self.codex_home / "config.toml").write_text(config, "utf-8")

    def run(
        self, *command: str, stdin: bytes = b"", environ: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a program in the project."""
        own = {"CODEX_HOME": windows_path(self.codex_home), **(environ or {})}
        if self.codex_version:
            own["path"] = windows_path(self.lab.codex(self.codex_version))
        return self.lab.run(*command, stdin=stdin, cwd=self.project, environ=own, seconds=180)

    def connector(self, *arguments: str, stdin: bytes = b"", code: int = 0) -> str:
        """Run `infinium-codex` and return what it prints, which must be text of some code page."""
        done = self.run("infinium-codex", *arguments, stdin=stdin)
        printed = (done.stdout + done.stderr).decode("cp1252")
        assert done.returncode == code, printed
        return printed

    def initialize(self, base_url: str, *options: str) -> None:
        """Set the project up: hooks in the project's file, trusted, and the secret in the Credential Manager."""
        agent = ("--agent-id", AGENT, "--base-url", base_url, "--agent-secret", "-")
        self.connector("init", "--no-interactive", *agent, "--trust", *options, stdin=SECRET + b"\n")

    def report(self, *arguments: str) -> dict[str, object]:
        """The JSON that a command prints."""
        done = self.run("infinium-codex", *arguments, "--json")
        found = json.loads(done.stdout.decode("utf-8", "replace"))
        assert isinstance(found, dict)
        return found

    def codex_exec(self, prompt: str, environ: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[bytes]:
        """Run one turn with `codex exec`, without approvals."""
        done = self.run("codex", "exec", "--dangerously-bypass-approvals-and-sandbox", prompt, environ=environ)
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        return done

    def processes(self) -> list[str]:
        """The command lines of the connector's processes."""
        code = (
            "import psutil\n"
            "for each in psutil.process_iter(['cmdline']):\n"
            "    line = ' '.join(each.info['cmdline'] or ())\n"
            "    if 'infinium' in line and 'psutil' not in line: print(line)"
        )
        return self.lab.run("python", "-c", code).stdout.decode(errors="replace").splitlines()

    def remove_everything(self) -> None:
        """End the connector's processes and remove what it keeps."""
        self.run("infinium-codex", "uninstall", "--yes", "--purge")


def turn() -> list[Reply]:
    """A command with exit code 3, a patch and a message."""
    return [
        Reply([Shell(COMMAND)], usage(1)),
        Reply([Patch(PATCH)], usage(2)),
        Reply([Say("The build fails; a note is left.")], usage(3)),
    ]


def wait_for(condition: Callable[[], object], what: str) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come within {WAIT_SECONDS:.0f} s"
        time.sleep(0.2)
