"""A shared turn has no secret and no place of this machine, and its Markdown is only what this program wrote."""

import re
from hashlib import sha256
from pathlib import Path

import pytest
import view_samples
from hypothesis import given
from hypothesis import strategies as st
from infinium_codex.view.markdown import MAX_CHARACTERS, turn_markdown
from infinium_codex.view.markdown_text import fenced, inline_code, message, plain, quoted
from infinium_codex.view.shareable import Finding, shareable
from infinium_trace import Redactor
from kept_sessions import keep
from machine import Machine
from markdown_it import MarkdownIt
from recorded import ROOT
from terminals import in_terminal

REQUEST = "Try the build, then leave a note."
OWN_HTML = re.compile(r"</?(?:details|summary|sub|code)>")
TEXTS = st.text(
    st.sampled_from("aZ09 \n\t`~*_[](){}<>|#@!&;:/\\-+=.$\"'") | st.characters(exclude_categories=["Cs"]), max_size=60
)


def rendered(markdown: str) -> list[tuple[str, str]]:
    """What a reader of Markdown that permits HTML makes of it: kind and content of each part, and of each word."""
    parser = MarkdownIt("commonmark", {"html": True, "linkify": False}).enable(["table", "strikethrough"])
    found = []
    for token in parser.parse(markdown):
        found.append((token.type, token.content))
        found += [(child.type, child.content or str(child.attrs)) for child in token.children or ()]
    return found


def assert_harmless(markdown: str) -> None:
    """No HTML of a text, no link, no image, no mention and no reference outside of code."""
    for kind, content in rendered(markdown):
        if kind == "html_block":
            rest = re.sub(r"<code>[^<>]*</code>", "", content)
            assert "<" not in OWN_HTML.sub("", rest)
        assert kind not in ("link_open", "image")
        if kind == "html_inline":
            assert OWN_HTML.fullmatch(content)
        if kind == "text":
            assert not re.search(r"[@#!]\w|\bGH-\d", content), content


@given(text=TEXTS)
def test_no_text_gets_a_meaning_in_markdown(text: str) -> None:
    for written in (plain(text), inline_code(text), fenced(text), message(text)):
        assert_harmless(f"{quoted(written)}\n\nafter")
        assert rendered(f"{quoted(written)}\n\nafter")[-2][1] == "after"


@given(text=TEXTS)
def test_a_fence_contains_its_text_whole(text: str) -> None:
    [(kind, content)] = rendered(fenced(text))
    assert kind == "fence"
    assert content.rstrip("\n").count("\n") == fenced(text).count("\n") - 2


def test_a_message_keeps_its_structure() -> None:
    text = "# Title\n\n1. one\n   - inner\n\n| a | b |\n|---|---|\n| `x\\|y` | *z* |\n\n```py\nprint()\n```\n\n> said"
    kinds = [kind for kind, _ in rendered(message(text))]
    for kind in ("ordered_list_open", "bullet_list_open", "table_open", "fence", "blockquote_open", "em_open"):
        assert kind in kinds


@pytest.mark.parametrize("text", view_samples.HOSTILE)
def test_hostile_messages_stay_in_their_place(text: str) -> None:
    story = view_samples.Story(1, text, view_samples.START_MS).model(1.0).shell(text, text, 0.2, 1)
    view = view_samples.session_view([story.end(text)])
    markdown = turn_markdown(view.turns[0])
    assert_harmless(markdown)
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", markdown)


def test_a_long_turn_fits_into_a_comment_and_lists_what_failed() -> None:
    [turn] = view_samples.huge(3_000, 1).turns
    markdown = turn_markdown(turn)
    assert len(markdown) <= MAX_CHARACTERS
    assert "of them are not listed" in markdown
    assert "exit 1" in markdown


def test_everything_that_is_removed_is_named_with_its_place() -> None:
    turn = view_samples.real().turns[1]
    shared, found = shareable(turn, Redactor(), "/home/ada")
    assert Finding(kind="home directory", where="step 7, output", count=1) in found
    assert "/home/ada" not in turn_markdown(shared)
    token = view_samples.real().turns[3]
    assert Finding(kind="github-token", where="request", count=1) in shareable(token, Redactor(), "/home/ada")[1]


def test_the_command_lists_asks_and_writes(machine: Machine) -> None:
    machine.set_up()
    keep(machine, ROOT / "0.169.0" / "turn")
    path = machine.project / "codex-turn.md"
    said = in_terminal(machine, "share", typed="n\n")
    assert "Write codex-turn.md with the rest?" in said
    assert "Nothing was written." in said
    assert not path.exists()
    in_terminal(machine, "share", typed="y\n")
    assert path.exists()
    told = machine.json("share", "--yes")
    assert told["path"] == str(path)
    assert told["bytes"] == path.stat().st_size
    assert path.read_text("utf-8").startswith("### Codex: ")
    assert machine.run("share").returncode == 2


def test_settings_without_redaction_do_not_reach_what_is_shared(machine: Machine) -> None:
    machine.set_up()
    keep(machine, ROOT / "0.169.0" / "turn")
    token = f"ghp_{sha256(b'share').hexdigest()[:36]}"
    for transcript in machine.codex_home.rglob("rollout-*.jsonl"):
        text = transcript.read_text("utf-8")
        transcript.write_text(text.replace(REQUEST, f"Use {token} in {machine.home}/x"), "utf-8")
    told = machine.json("share", "--yes", "-o", "turn.html", environ={"CONNECTOR_REDACTION": "off"})
    page = (machine.project / "turn.html").read_text("utf-8")
    assert "Use [redacted:github-token] in ~/x" in page
    assert token not in page
    assert str(machine.home) not in page
    assert {"kind": "github-token", "where": "request", "count": 1} in told["redactions"]
    assert {"kind": "home directory", "where": "request", "count": 1} in told["redactions"]
    kept = machine.run("share", "--yes", environ={"CONNECTOR_REDACTION": "metadata-only"})
    assert kept.returncode == 1
    assert "metadata-only" in kept.stderr


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)
