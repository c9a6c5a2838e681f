"""The request of a trace is what the user asked. What a client or Codex put around it is told apart, as context."""

import hashlib
from typing import Any

import pytest
from infinium_codex.codex.prompts import instructions_in, read_prompt, skill_in
from infinium_trace import ContextItem
from recorded import Recording, recordings

REQUEST = "\n## My request for Codex:\nFix it.\n"
SELECTION = "# Not a heading of the client\n\n## Setup\n- a: b"


def context_of(prompt: str) -> list[tuple[str, str | None, str | None]]:
    return [(item.kind, item.name, item.text) for item in read_prompt(prompt).context]


@pytest.mark.parametrize(
    ("envelope", "context"),
    [
        ("# Context from my IDE setup:\n\n## Active file: src/a b.py\n", [("active file", "src/a b.py", None)]),
        (
            "# Context from my IDE setup:\n\n## Open tabs:\n- a.py: src/a.py\n- C.md: c:/x (1)/C.md\n",
            [("open files", "src/a.py, c:/x (1)/C.md", None)],
        ),
        (
            f"# Context from my IDE setup:\n\n## Active file: a.md\n\n## Active selection of the file:\n{SELECTION}\n",
            [("active file", "a.md", None), ("selection", None, SELECTION)],
        ),
        (
            "\n# Files mentioned by the user:\n\n## a.lua: c:/Games/a.lua\n\n## shot.png: /tmp/shot.png\n",
            [("mentioned file", "c:/Games/a.lua", None), ("mentioned file", "/tmp/shot.png", None)],
        ),
        (
            "\n# Review findings:\n\n## Finding 1 (src/a.ts:49) [added]\n[P2] Misses a case\n\nIt does.\n",
            [("review finding", "Finding 1 (src/a.ts:49) [added]", "[P2] Misses a case\n\nIt does.")],
        ),
        ("# Something of tomorrow:\n\nsome text\n", [("something of tomorrow", None, "some text")]),
    ],
)
def test_the_clients_headings_are_context_and_not_the_request(
    envelope: str, context: list[tuple[str, str | None, str | None]]
) -> None:
    assert read_prompt(envelope + REQUEST).request == "Fix it."
    assert context_of(envelope + REQUEST) == context


@pytest.mark.parametrize(
    "prompt",
    [
        "Fix it.",
        "# A heading of the user's own\n\nFix it.",
        "Explain this:\n## My request for Codex:\nFix it.",
        "# Context from my IDE setup:\n\nwithout a request below",
    ],
)
def test_a_prompt_without_an_envelope_is_the_request(prompt: str) -> None:
    assert read_prompt(prompt).request == prompt
    assert read_prompt(prompt).context == ()


def test_a_prompt_of_an_image_alone_is_its_mark() -> None:
    assert read_prompt("", (ContextItem(kind="image", name="a.png"),)).request == "[image]"
    assert read_prompt("").request is None


def test_instruction_files_have_a_name_and_a_hash_and_never_their_text() -> None:
    found = instructions_in("# AGENTS.md instructions for /repo\n\n<INSTRUCTIONS>\nBe brief.\n</INSTRUCTIONS>")
    assert found == ContextItem(
        kind="instructions", name="/repo/AGENTS.md", sha256=hashlib.sha256(b"Be brief.").hexdigest()
    )
    assert instructions_in("# AGENTS.md is missing, write it") is None


def test_a_skill_has_its_name() -> None:
    found = skill_in("<skill>\n<name>pdf-maker</name>\n<path>/skills/pdf/SKILL.md</path>\nIts text.\n</skill>")
    assert found is not None
    assert (found.kind, found.name) == ("skill", "pdf-maker")


def context_steps(trace: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for step in trace["steps"] if step["action"] == "context"]


@pytest.mark.parametrize("one", recordings("ide"), ids=str)
def test_the_trace_of_a_prompt_from_an_ide_begins_with_the_request(one: Recording) -> None:
    """Name, summary and objective are the request. Files, selection, image and instructions are one step."""
    first, second = one.payloads()
    assert first["name"] == "Round the total."
    assert first["input_summary"].startswith("Round the total.\nKeep the name.")
    assert first["expected_outcome"]["task_objective"].startswith("Round the total.")
    [step] = context_steps(first)
    found = {(item["kind"], item.get("name")) for item in step["metadata"]["context"]}
    assert found == {
        ("active file", "src/app.py"),
        ("selection", None),
        ("open files", "src/app.py, README.md"),
        ("mentioned file", "data/prices.csv"),
        ("image", "dot.png"),
        ("instructions", "AGENTS.md"),
    }
    assert "return sum(prices)" in step["input_preview"]
    [instructions] = [item for item in step["metadata"]["context"] if item["kind"] == "instructions"]
    assert instructions["sha256"] == hashlib.sha256(b"Answer briefly.").hexdigest()
    assert second["name"] == "And again."
    [again] = context_steps(second)
    assert again["metadata"]["context"] == [instructions], "instructions stay in force in later turns"
