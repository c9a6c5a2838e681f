"""Record real sessions of Codex as fixtures: `nox -s record` writes them for the versions it is given.

Each recording is a directory with `events.jsonl` (the payload and time of each hook call), `transcript.jsonl`, a
`thread-<id>.jsonl` for every other thread (a subagent, a fork), and `recording.json` (Codex's version, the usage the
model reported). Paths and Codex's own instruction texts are removed. `python record.py VERSION SCENARIO…` records
those scenarios alone.
"""

import json
import shutil
import sys
import tempfile
from collections.abc import Mapping
from functools import reduce
from pathlib import Path
from typing import Any

from codex_install import ALL, NEWEST, install_codex
from infinium_codex.codex.app_server import AppServer
from infinium_codex.codex.hook_events import EVENT_NAMES
from infinium_codex.codex.program import CodexProgram
from infinium_codex.codex.threads import ThreadKind, thread_kind
from infinium_codex.codex.trust import trust_ours
from infinium_codex.codex.versions import HOOKS_ON_SINCE, TRUST_SINCE
from infinium_codex.demo.scripted_model import DEMO_PROMPT, ScriptedModel, demo_turn

E2E = Path(__file__).parent
PACKAGE = E2E.parent
sys.path.append(str(PACKAGE / "tests"))  # pytest has it from pyproject.toml

from codex_terminal import NO_ADVERTISEMENT  # noqa: E402
from sandbox import Sandbox  # noqa: E402
from scenarios import SCENARIOS, Scenario  # noqa: E402

RECORDINGS = PACKAGE / "tests" / "recordings"
DEMO = PACKAGE / "src" / "infinium_codex" / "demo" / "recording"
LONGEST_TEXT = 600
"""No scenario has longer strings. A longer one is Codex's own text and is removed."""

_DUMP = """\
import sys, time
event = sys.stdin.read().strip()
with open(sys.argv[1], "a") as file:
    file.write('{"at_ms": %d, "payload": %s}\\n' % (time.time() * 1000, event))
"""

_STOP_ONCE = """\
import json, sys
if not json.load(sys.stdin)["stop_hook_active"]:
    print(json.dumps({"decision": "block", "reason": "Say goodbye, too."}))
"""


def main(arguments: list[str]) -> None:
    """Record the named versions, by default all; of each the named scenarios, by default all that apply."""
    versions = [argument for argument in arguments if argument[0].isdigit()] or list(ALL)
    wanted = [argument for argument in arguments if not argument[0].isdigit()]
    for version in versions:
        for name, scenario in SCENARIOS.items():
            if name in wanted if wanted else scenario.everywhere or version == NEWEST:
                record(version, scenario, RECORDINGS / version / name)
    if not arguments:
        demo = Scenario(demo_turn, lambda sandbox: sandbox.codex_exec(DEMO_PROMPT))
        record(ALL[-1], demo, DEMO)


def record(version: str, scenario: Scenario, into: Path) -> None:
    """Play one scenario with the real Codex and write the recording."""
    with tempfile.TemporaryDirectory() as root, ScriptedModel(scenario.replies()) as model:
        sandbox = Sandbox(Path(root), install_codex(version), version)
        sandbox.configure_codex(
            model, scenario.root_config, NO_ADVERTISEMENT + (scenario.config(sandbox) if scenario.config else "")
        )
        events = sandbox.root / "events.jsonl"
        _register(sandbox, events, scenario)
        scenario.play(sandbox)
        shutil.rmtree(into, ignore_errors=True)
        into.mkdir(parents=True)
        places = {str(sandbox.project): "/home/dev/project", str(sandbox.home): "/home/dev", str(sandbox.root): "/home"}
        places |= {str(E2E): "/home/dev/e2e", sys.executable: "/usr/bin/python3"}
        write_records(into / "events.jsonl", events, places)
        session = json.loads(events.read_text("utf-8").splitlines()[0])["payload"]["session_id"]
        for transcript in sandbox.transcripts():
            thread = transcript.stem[-len(session) :]
            write_records(
                into / ("transcript.jsonl" if thread == session else f"thread-{thread}.jsonl"), transcript, places
            )
        about = {
            "codex": version,
            "reported": [usage.to_wire() for usage in model.reported],
        }
        (into / "recording.json").write_text(json.dumps(about, indent=2) + "\n", "utf-8")
        print(f"{into.parent.name}/{into.name}: {len(events.read_text('utf-8').splitlines())} events")


def _register(sandbox: Sandbox, events: Path, scenario: Scenario) -> None:
    """Register a trusted hook for every event that appends its payload to a file."""
    dump = sandbox.root / "dump.py"
    dump.write_text(_DUMP, "utf-8")
    command = f"{sys.executable} -I -S {dump} {events} >/dev/null 2>&1"
    hooks = {event: [{"hooks": [{"type": "command", "command": command, "timeout": 3}]}] for event in EVENT_NAMES}
    if scenario.goes_on_once:
        stop = sandbox.root / "stop.py"
        stop.write_text(_STOP_ONCE, "utf-8")
        hooks["Stop"] += [{"hooks": [{"type": "command", "command": f"{sys.executable} -I -S {stop}", "timeout": 3}]}]
    path = sandbox.hooks
    path.parent.mkdir()
    path.write_text(json.dumps({"hooks": hooks}), "utf-8")
    major, minor, patch = map(int, sandbox.version.split("."))
    codex = CodexProgram(path=str(install_codex(sandbox.version) / "codex"), version=(major, minor, patch))
    with AppServer(codex, sandbox.project, sandbox.environ) as server:
        if not codex.since(HOOKS_ON_SINCE):
            server.write_config({"features.codex_hooks": True})
        if codex.since(TRUST_SINCE):
            trust_ours(server.list_hooks(sandbox.project).hooks, lambda _: True).write(server)


def write_records(target: Path, source: Path, places: Mapping[str, str]) -> None:
    """Write the JSON lines of a file without Codex's own texts; each place's path is replaced."""
    lines = []
    of_codex = False
    for line in source.read_text("utf-8").splitlines():
        moved = reduce(lambda text, place: text.replace(*place), places.items(), line)
        record = _without_codex_texts(json.loads(moved))
        if record.get("type") == "session_meta":
            of_codex = thread_kind(record["payload"]) is ThreadKind.OWN
        lines.append(json.dumps(_without_prompts(record) if of_codex else record, ensure_ascii=False))
    target.write_text("\n".join(lines) + "\n", "utf-8")


def _without_codex_texts(record: dict[str, Any]) -> dict[str, Any]:
    payload = record.get("payload", {})
    if record.get("type") == "response_item" and payload.get("role") in ("developer", "system"):
        payload = {**payload, "content": []}
    if payload.get("role") == "user":
        own = [item for item in payload["content"] if not _is_codex_text(str(item.get("text", "")).lstrip())]
        payload = {**payload, "content": own}
    if record.get("type") == "world_state":
        payload = {}
    if record.get("type") == "compacted":
        summary = str(payload.get("message", "")).rpartition("\n")[2]
        payload = {**payload, "message": f"(Codex's own words)\n{summary}", "replacement_history": []}
    if payload.get("type") == "thread_settings_applied":
        payload = {"type": payload["type"]}
    return {**record, "payload": _short({key: value for key, value in payload.items() if key not in _DROPPED})}


def _without_prompts(record: dict[str, Any]) -> dict[str, Any]:
    """The record of a thread that Codex runs for itself without the prompts, which Codex wrote."""
    payload = record.get("payload", {})
    if payload.get("role") == "user":
        payload = {**payload, "content": []}
    if payload.get("type") == "user_message":
        payload = {**payload, "message": "(Codex's own)"}
    if payload.get("item", {}).get("type") == "UserMessage":
        payload = {**payload, "item": {**payload["item"], "content": []}}
    return {**record, "payload": payload}


def _is_codex_text(text: str) -> bool:
    """Whether Codex wrote this part of a user's message. It frames the scenario's own AGENTS.md with its heading."""
    return text[:1] in ("<", "#") and not text.startswith("# AGENTS.md instructions")


_DROPPED = ("internal_chat_message_metadata_passthrough", "rate_limits")
"""Large fields without information."""


def _short(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _short(item) for key, item in value.items() if not key.endswith("instructions")}
    if isinstance(value, list):
        return [_short(item) for item in value]
    return (
        f"({len(value)} characters of Codex's own)" if isinstance(value, str) and len(value) > LONGEST_TEXT else value
    )


if __name__ == "__main__":
    main(sys.argv[1:])
