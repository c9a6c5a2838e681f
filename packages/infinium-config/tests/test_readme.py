"""The README keeps its word: its table is the declared settings, its sibling connector runs."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from infinium_config import DECLARED, Declared

README = Path(__file__).parents[1] / "README.md"
SECRET = {"INFINIUM_AGENT_SECRET": "sk-do-not-show"}
AGENT = "6f0c6d4e-3b1a-4c55-9f0e-1f6f3c1f2a10"


def row(declared: Declared) -> str:
    variable = f"`{declared.variable}`" if declared.variable else "–"
    default = "–" if declared.default is None else f"`{json.dumps(declared.default).strip(chr(34))}`"
    in_file = "yes" if declared.in_file else "–"
    return f"| `{declared.name}` | {variable} | {in_file} | {default} | {declared.doc} |"


def test_the_table_of_settings_is_what_is_declared() -> None:
    text = README.read_text(encoding="utf-8").partition("## Settings")[2]
    shown = [line for line in text.splitlines() if line.startswith("| `")]
    assert shown == [row(declared) for declared in DECLARED]


def sibling() -> str:
    """The README's one block of Python that is a whole program."""
    (program,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    return str(program)


def run(project: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """The sibling connector, as its agent's hook would start it, in an empty home directory."""
    home = project.parent / "home"
    home.mkdir(exist_ok=True)
    # no keyring of the machine the tests run on: only the environment has secrets here
    own = {"HOME": str(home), "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
    return subprocess.run(
        [sys.executable, "-c", sibling()],
        cwd=project,
        env={"PATH": os.environ["PATH"], **own, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_sibling_connector_is_short() -> None:
    assert len(sibling().splitlines()) <= 25


def test_the_sibling_connector_runs(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    done = run(project)
    assert (done.returncode, done.stdout) == (0, ""), "outside a project it has nothing to say"

    (project / ".infinium").mkdir()
    config = project / ".infinium" / "config.json"
    config.write_text(json.dumps({"agent_id": AGENT, "claude_hooks": True}))
    done = run(project, **SECRET, INFINIUM_TIMEOUT="abc")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"POST https://platform.i42m.ai/api/v1/agents/{AGENT}/trace with Secret(***)\n"
    assert "INFINIUM_TIMEOUT='abc' is invalid" in done.stderr

    done = run(project)
    assert done.returncode == 1
    assert "keyring.backends.fail" in done.stderr

    config.write_text(json.dumps({"agent_id": AGENT, "base_url": "https://elsewhere.example"}))
    done = run(project, **SECRET)
    assert (done.returncode, done.stdout) == (1, "")
    assert "https://elsewhere.example:443 is not approved" in done.stderr

    done = run(project, INFINIUM_BASE_URL="local")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    config.write_text(json.dumps({"agent_id": AGENT, "paused": True}))
    done = run(project, **SECRET)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    config.write_text("{")
    done = run(project)
    assert done.returncode == 1
    assert "is not valid JSON" in done.stderr
    assert "Traceback" not in done.stderr
