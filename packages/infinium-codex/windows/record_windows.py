"""Records real sessions of Codex for Windows as fixtures, inside Wine: `python record_windows.py LAB VERSION…`.

LAB is a directory of `wine_lab` in which the tests have installed the connector. The recordings are like those of
`e2e/record.py`, with the scenario `windows`. The hooks are the connector's own, with a worker that leaves the spool.
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path

PACKAGE = Path(__file__).parents[1]
sys.path += [str(PACKAGE / "tests"), str(PACKAGE / "e2e")]  # pytest has them from pyproject.toml

from infinium_codex.capture.frame import PROJECT  # noqa: E402
from infinium_codex.capture.records import Record, read_records  # noqa: E402
from infinium_codex.demo.scripted_model import Patch, Reply, Say, ScriptedModel, Shell  # noqa: E402
from machine_windows import User  # noqa: E402
from record import RECORDINGS, write_records  # noqa: E402
from scenarios import usage  # noqa: E402
from wine_lab import Lab, set_up, windows_path  # noqa: E402

PROMPT = "Try the build, then leave a note."
COMMAND = "python -c \"print('building'); raise SystemExit(3)\""
"""PowerShell and its stand-in run it alike."""
CHANGES = """\
*** Begin Patch
*** Add File: notes.txt
+first
+second
*** Update File: src/old.txt
@@
 one
-two
+zwei
 three
*** End Patch
"""


def replies() -> list[Reply]:
    """A command that fails, one with output of several lines, a patch of two files, and a message."""
    return [
        Reply([Shell(COMMAND)], usage(1)),
        Reply([Shell("type src\\old.txt")], usage(2)),
        Reply([Patch(CHANGES)], usage(3)),
        Reply([Say("The build fails; a note is left.")], usage(4)),
    ]


def record(lab: Lab, version: str, into: Path) -> None:
    """Play the session and write the recording."""
    user = User(lab, "recording")
    (user.project / "src").mkdir()
    (user.project / "src" / "old.txt").write_bytes(b"one\r\ntwo\r\nthree\r\n")
    spools = user.root / "spools"
    spools.mkdir()
    with ScriptedModel(replies()) as model:
        user.configure_codex(model, version)
        user.connector("init", "--no-interactive", "--local", "--trust")
        (user.home / "worker.py").write_text("")
        done = user.codex_exec(PROMPT, {"CONNECTOR_SESSION_DIR": windows_path(spools)})
        print(done.stdout.decode("utf-8", "replace"))
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as directory:
        events = Path(directory) / "events.jsonl"
        [spool] = spools.rglob("*.spool")
        with spool.open("rb") as file:
            found = [each for each in read_records(file) if isinstance(each, Record) and each.event != PROJECT]
        records = [{"at_ms": each.at_ms, "payload": json.loads(each.payload)} for each in found]
        lines = [json.dumps(each, ensure_ascii=False) for each in records]
        events.write_text("\n".join(lines), "utf-8")
        write_records(into / "events.jsonl", events, _places(user))
        [transcript] = (user.codex_home / "sessions").rglob("*.jsonl")
        write_records(into / "transcript.jsonl", transcript, _places(user))
    about = {"codex": version, "reported": [each.to_wire() for each in model.reported]}
    (into / "recording.json").write_text(json.dumps(about, indent=2) + "\n", "utf-8")
    user.remove_everything()


def _places(user: User) -> dict[str, str]:
    """The paths of the lab, as they stand in JSON, and in JSON within JSON, with those of a developer's machine."""
    moved = {
        windows_path(user.codex_home): "C:\\Users\\dev\\.codex",
        windows_path(user.root): "C:\\Users\\dev",
        windows_path(user.lab.profile): "C:\\Users\\dev",
    }
    found = {}
    for depth in range(1, 4):  # JSON within JSON has each back slash escaped again
        for old, new in moved.items():
            found[_escaped(old, depth)] = _escaped(new, depth)
    return found


def _escaped(path: str, depth: int) -> str:
    return path if depth == 0 else _escaped(json.dumps(path, ensure_ascii=False)[1:-1], depth - 1)


def main(directory: str, *versions: str) -> None:
    """Record the versions."""
    lab = set_up(Path(directory).resolve(), versions)
    with lab.running():
        for version in versions:
            record(lab, version, RECORDINGS / version / "windows")


if __name__ == "__main__":
    main(*sys.argv[1:])
