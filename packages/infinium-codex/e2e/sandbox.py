"""A machine with the real Codex on it."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import pytest
from codex_install import CodexUnavailableError, install_codex
from infinium_codex.codex.app_server import AppServer
from infinium_codex.codex.program import find_codex
from infinium_codex.codex.trust import trust_ours
from infinium_codex.demo.scripted_model import ScriptedModel, codex_config
from machine import Machine


class Sandbox(Machine):
    """A machine with one version of Codex, or none, and the installed `infinium-codex` on its PATH."""

    def __init__(self, root: Path, codex_directory: Path | None, version: str) -> None:
        super().__init__(root, project="project", program=["infinium-codex"])
        self.version = version
        self.codex_home.mkdir()
        places = [str(codex_directory)] if codex_directory is not None else []
        self.environ["PATH"] = os.pathsep.join([*places, str(Path(sys.executable).parent), self.environ["PATH"]])
        self.execute(["git", "init", "-q", "-b", "trunk"])

    @property
    def config_toml(self) -> Path:
        """Codex's configuration."""
        return self.codex_home / "config.toml"

    def configure_codex(self, model: ScriptedModel, first: str = "", last: str = "") -> None:
        """Write Codex's config.toml, with a comment as a user's file has; `first` and `last` are more lines of it."""
        text = codex_config(model.base_url, str(self.project), self.version)
        self.config_toml.write_text(f"# mine, keep it\n{first}{text}{last}", "utf-8")

    def codex_exec(self, *arguments: str, environ: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """Run one turn with `codex exec`, without approvals."""
        self.settle_config()
        command = ["codex", "exec", "--dangerously-bypass-approvals-and-sandbox", *arguments]
        return self.execute(command, environ=environ)

    def transcripts(self) -> list[Path]:
        """Codex's transcripts, oldest first."""
        return sorted((self.codex_home / "sessions").rglob("*.jsonl"))

    def measured_turn_ms(self) -> int | tuple[int, int]:
        """The duration of the only turn as Codex states it, or bounds from its records where its version does not."""
        records = [json.loads(line) for line in self.transcripts()[0].read_text("utf-8").splitlines()]
        events = [record for record in records if record["type"] == "event_msg"]
        ended = next(record for record in events if record["payload"]["type"] == "task_complete")
        if "duration_ms" in ended["payload"]:
            return int(ended["payload"]["duration_ms"])
        started = next(record for record in events if record["payload"]["type"] == "task_started")
        elapsed = datetime.fromisoformat(ended["timestamp"]) - datetime.fromisoformat(started["timestamp"])
        longest = round(elapsed.total_seconds() * 1000)
        return longest - 50, longest

    def trust_all_hooks(self) -> None:
        """Trust every hook of the project, as a user does in Codex's own screen."""
        codex = find_codex(self.environ)
        assert codex is not None
        with AppServer(codex, self.project, self.environ) as server:
            trust_ours(server.list_hooks(self.project).hooks, lambda _: True).write(server)

    def user_files(self) -> list[Path]:
        """The files of the user that `init` writes to."""
        return [path for path in (self.config_toml, self.config, self.hooks) if path.exists()]


def sandbox_with(version: str, root: Path) -> Sandbox:
    """A sandbox with this version of Codex; skips the test where Codex cannot be installed."""
    try:
        return Sandbox(root, install_codex(version), version)
    except CodexUnavailableError as error:
        pytest.skip(f"Codex {version}: {error}")
