"""The README's table of settings and its first example."""

import json
from pathlib import Path
from textwrap import dedent

import pytest
from infinium_config import DECLARED, Declared

README = Path(__file__).parents[1] / "README.md"
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


def test_the_first_example_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It finds the settings of the working directory and the secret for Infinium's own origin."""
    monkeypatch.chdir(tmp_path)
    for name, value in {"HOME": str(tmp_path), "INFINIUM_AGENT_ID": AGENT, "INFINIUM_AGENT_SECRET": "sesame"}.items():
        monkeypatch.setenv(name, value)
    lines = README.read_text(encoding="utf-8").partition("\n## ")[0].splitlines()
    example = dedent("\n".join(line for line in lines if line.startswith("    ") or not line))
    sent: list[str] = []
    exec(compile(example, README.name, "exec"), {"send": sent.append})
    assert sent == ["sesame"]
    assert capsys.readouterr().out == "https://platform.i42m.ai/api/v1 (default)\n"
