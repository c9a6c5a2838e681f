"""`infinium-codex demo`: one turn of Codex through the real hook, worker and local destination, in a throw-away home.

Everything goes the way a user's own turn goes: `init --local` sets up an empty project, the commands it wrote into
hooks.json are run with a recorded session's events (or by the real Codex, with a scripted model), and the trace is
read back from the local destination. Nothing outside the throw-away directory is read or written.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

from msgspec import Struct

from infinium_codex.codex.program import CodexProgram, find_codex
from infinium_codex.demo.scripted_model import DEMO_PROMPT, ScriptedModel, codex_config, demo_turn
from infinium_codex.support.json_fields import mapping, parse_object, text
from infinium_codex.support.result import CommandContext, Result
from infinium_codex.view.terminal import view_trace

WAIT_SECONDS = 30.0
POLL_SECONDS = 0.1


class DemoOptions(Struct, frozen=True, kw_only=True):
    """What the demo is asked to do."""

    codex: bool = False
    """Run the real Codex with a scripted model instead of the recorded session."""


class DemoError(Exception):
    """A step of the demo did not work; the text says which, and what the step printed."""


def run(options: DemoOptions, ctx: CommandContext) -> Result:
    """Trace one turn and show the trace."""
    codex = find_codex(ctx.environ) if options.codex else None
    if options.codex and codex is None:
        hint = "Install it (npm install -g @openai/codex), or leave out --codex to replay a recorded session."
        return Result.failure("Codex is not on PATH.", hint)
    with tempfile.TemporaryDirectory(prefix="infinium-demo-") as directory:
        stage = _Stage(Path(directory), ctx.environ)
        try:
            session = _play_codex(stage, codex) if codex else _play_recording(stage)
            key, payload = stage.wait_for_trace()
        except DemoError as error:
            return Result.failure(
                str(error), "This is a fault of the connector, or of this machine: nothing of yours was touched."
            )
    lines = (f"{session}, traced by the hook and worker as installed:", "", *view_trace(payload))
    return Result.success(lines, {"key": key, "trace": payload})


class _Stage:
    """An empty home and an empty project."""

    def __init__(self, root: Path, environ: Mapping[str, str]) -> None:
        self.home, self.project = root / "home", root / "home" / "project"
        self.codex_home = self.home / ".codex"
        for path in (self.codex_home, self.project / ".git", root / "tmp"):
            path.mkdir(parents=True)
        own = ("INFINIUM_", "CONNECTOR_", "CODEX_", "XDG_")
        self.environ = {name: value for name, value in environ.items() if not name.startswith(own)}
        self.environ |= {
            "HOME": str(self.home),
            "CODEX_HOME": str(self.codex_home),
            "TMPDIR": str(root / "tmp"),
            "XDG_DATA_HOME": str(self.home / "data"),
            "XDG_STATE_HOME": str(self.home / "state"),
            "CONNECTOR_SESSION_TTL": "1",  # the timer that watches over the session ends with it
        }

    def connector(self, *arguments: str) -> str:
        """Run `infinium-codex` on this stage and give what it printed."""
        return self.run([sys.executable, "-m", "infinium_codex.cli", *arguments])

    def run(self, command: list[str], stdin: bytes = b"") -> str:
        done = subprocess.run(
            command, input=stdin, capture_output=True, cwd=self.project, env=self.environ, check=False, timeout=120
        )
        if done.returncode != 0:
            said = (done.stderr or done.stdout).decode("utf-8", "replace").strip()
            raise DemoError(f"'{' '.join(command[:4])} …' ended with exit code {done.returncode}: {said[-2000:]}")
        return done.stdout.decode("utf-8", "replace")

    def hook_commands(self) -> dict[str, str]:
        """The command `init` registered for each event."""
        hooks = mapping(parse_object((self.project / ".codex" / "hooks.json").read_bytes()) or {}, "hooks")
        commands = {}
        for event, groups in hooks.items():
            if isinstance(groups, list) and groups and isinstance(groups[0], dict):
                commands[event] = text(groups[0]["hooks"][0], "command") or ""
        return commands

    def wait_for_trace(self) -> tuple[str, dict[str, object]]:
        """The first trace in the local destination, and its key."""
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            traces = (parse_object(self.connector("history", "--json")) or {}).get("traces")
            if isinstance(traces, list) and traces:
                key = text(traces[0], "key") or ""
                shown = parse_object(self.connector("show", key, "--json")) or {}
                return key, dict(mapping(shown, "trace"))
            time.sleep(POLL_SECONDS)
        raise DemoError(f"No trace came within {WAIT_SECONDS:.0f} seconds.")


def _play_recording(stage: _Stage) -> str:
    """Run the registered hook commands with the events of a session recorded from the real Codex."""
    stage.connector("init", "--local", "--no-interactive", "--no-trust")
    commands = stage.hook_commands()
    recording = resources.files("infinium_codex.demo") / "recording"
    events, transcript, about = (
        _placed((recording / name).read_text("utf-8"), stage)
        for name in ("events.jsonl", "transcript.jsonl", "recording.json")
    )
    path = stage.codex_home / "transcript.jsonl"
    path.write_text(_as_of_now(transcript.splitlines()), "utf-8")
    for line in events.splitlines():
        payload = json.loads(line)["payload"] | {"transcript_path": str(path)}
        stage.run(["sh", "-c", commands[payload["hook_event_name"]]], json.dumps(payload).encode())
    return f"A recorded session of Codex {json.loads(about)['codex']}"


def _play_codex(stage: _Stage, codex: CodexProgram) -> str:
    """Let the real Codex run a turn with a scripted model."""
    with ScriptedModel(demo_turn()) as model:
        config = stage.codex_home / "config.toml"
        config.write_text(codex_config(model.base_url, str(stage.project), codex.version_text), "utf-8")
        stage.connector("init", "--local", "--no-interactive", "--trust")
        stage.run([codex.path, "exec", "--dangerously-bypass-approvals-and-sandbox", DEMO_PROMPT])
    return f"A turn of the real Codex {codex.version_text}"


def _placed(recorded: str, stage: _Stage) -> str:
    """A recorded text with this stage's paths in place of the recording's."""
    return recorded.replace("/home/dev/project", str(stage.project)).replace("/home/dev", str(stage.home))


def _as_of_now(lines: list[str]) -> str:
    """The transcript as if it had begun now, as the hooks' own times will have it."""
    records = [json.loads(line) for line in lines]
    times = [datetime.fromisoformat(record["timestamp"]) for record in records]
    shift = datetime.now(UTC) - times[0]
    for record, when in zip(records, times, strict=True):
        record["timestamp"] = (when + shift).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        for name in ("started_at_ms", "completed_at_ms"):
            if name in record["payload"]:
                record["payload"][name] += round(shift.total_seconds() * 1000)
    return "".join(f"{json.dumps(record)}\n" for record in records)
