"""The user's page: its settings, its commands and its options are those of the program."""

import re
from pathlib import Path

from infinium_codex.cli import COMMANDS, CONFIG_COMMANDS, QUEUE_COMMANDS, build_app
from infinium_config import DECLARED, Declared, value_text

README = (Path(__file__).parents[3] / "README.md").read_text("utf-8")
ONLY_IN_THE_ENVIRONMENT = "INFINIUM_AGENT_SECRET"


def row(declared: Declared) -> str:
    """The line of a setting in the table."""
    variable = f"`{declared.variable}`" if declared.variable else "–"
    files = ", ".join([*(["P"] if declared.in_file else []), *(["U"] if declared.in_user_file else [])]) or "–"
    default = "–" if declared.default in (None, ()) else f"`{value_text(declared.default)}`"
    return f"| {variable} | `{declared.name}` | {files} | {default} | {declared.doc} |"


def test_the_table_of_settings_is_what_is_declared() -> None:
    table = README.partition("\n## Settings")[2].partition("\n## ")[0]
    shown = [line for line in table.splitlines() if line.startswith("| ") and not line.startswith("| variable")]
    assert shown[:-1] == [row(declared) for declared in DECLARED]
    assert shown[-1].startswith(f"| `{ONLY_IN_THE_ENVIRONMENT}`")


def test_every_command_is_named() -> None:
    table = README.partition("| command | does |")[2].partition("\n\n")[0]
    named = set(re.findall(r"[a-z-]+", table))
    assert {command for command in COMMANDS if command not in named} == {"init"}
    assert {*CONFIG_COMMANDS, *QUEUE_COMMANDS} <= named


def test_every_command_and_option_that_is_shown_exists() -> None:
    app = build_app()
    shown = re.findall(r"(?:infinium-codex|`)\s?([a-z][a-z-]+)((?: -{1,2}[a-z][a-z-]*)+)", README)
    unknown = []
    for command, options in shown:
        if command not in COMMANDS:
            continue
        known = {name for argument in app[command].assemble_argument_collection() for name in argument.names}
        unknown += [f"{command} {option}" for option in options.split() if option not in known]
    assert len(shown) > 10
    assert unknown == []


def test_every_link_leads_to_a_file_or_a_section() -> None:
    root = Path(__file__).parents[3]
    sections = {line[3:].lower().replace(" ", "-") for line in README.splitlines() if line.startswith("## ")}
    for link in re.findall(r"\]\(([^)]+)\)", README):
        assert link.removeprefix("#") in sections if link.startswith("#") else (root / link).exists()
