"""The report is one HTML file that refers to nothing outside of itself, whatever the texts in it say."""

import base64
import hashlib
import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
import view_samples
from infinium_codex.view.html.detail import MAX_BYTES
from infinium_codex.view.html.prose import prose
from infinium_codex.view.html.report import render_report
from infinium_codex.view.model import SessionView
from infinium_trace import ChangeKind, FileChange
from kept_sessions import keep
from machine import Machine
from recorded import ROOT

TURN = ROOT / "0.169.0" / "turn"
ALLOWED = {"id", "class", "href", "title", "role", "lang", "charset", "content", "name", "http-equiv", "for", "type"}
ALLOWED |= {"hidden", "open", "tabindex", "placeholder", "autocomplete", "spellcheck", "start", "data-for"}
ALLOWED |= {"viewbox", "preserveaspectratio", "d", "x", "width", "height"}


class Page(HTMLParser):
    """The elements of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: dict[str, str] = {}
        self.text = ""
        self.open: list[str] = []
        self.wrong: list[str] = []
        """Elements that are closed where another one is open."""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in ("meta", "input", "br", "hr"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if self.open and self.open[-1] == tag:
            self.open.pop()
        else:
            self.wrong.append(tag)

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("style", "script"):
            self.texts[self.open[-1]] = self.texts.get(self.open[-1], "") + data
        else:
            self.text += data


def page_of(session: SessionView) -> Page:
    return Page(render_report([session]))


@pytest.mark.parametrize("name", ["empty", "small", "real", "hostile", "delegating"])
def test_a_page_refers_to_nothing_outside_and_every_link_has_its_target(name: str) -> None:
    page = page_of(view_samples.SAMPLES[name]())
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for tag, attributes in page.elements:
        unknown = {one for one in attributes if one not in ALLOWED and not one.startswith("aria-")}
        assert unknown == set(), tag
        if "href" in attributes:
            assert attributes["href"].startswith("#")
            assert attributes["href"][1:] in ids
    assert page.wrong == []
    assert page.open == []


@pytest.mark.parametrize("name", ["real", "hostile"])
def test_the_policy_permits_the_style_and_the_script_of_the_page_alone(name: str) -> None:
    page = page_of(view_samples.SAMPLES[name]())
    [policy] = [one["content"] for _, one in page.elements if one.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    for tag in ("style", "script"):
        assert sum(found == tag for found, _ in page.elements) == 1
        digest = base64.b64encode(hashlib.sha256(page.texts[tag].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy


def test_hostile_texts_are_shown_as_they_are() -> None:
    page = page_of(view_samples.hostile())
    for text in view_samples.HOSTILE[:6]:
        assert text in page.text
    assert "{{ 7 * 7 }}" in page.text
    assert "\\u202e" in page.text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029]", page.text)


def test_a_real_session_is_told_in_order_with_its_changes_tests_cost_and_grade() -> None:
    page = page_of(view_samples.real())
    words = " ".join(page.text.split())
    told = (
        *("Where do we parse dates", "Please support ISO week dates", "I will add a pattern", "One case fails"),
        *("ISO week dates now parse", "passed: pytest, 44 run", "modified", "return date.fromisocalendar", "Commits"),
        *("Now benchmark it", "Interrupted:", "Push it.", "[redacted:"),
    )
    positions = [words.find(one, words.index("Request 1")) for one in told]
    assert -1 not in positions
    assert positions == sorted(positions)
    assert "grade 0.91" in words
    assert "scope kept" in words
    assert "exit 1" in words
    assert "ghp_" not in words


def test_a_page_of_10_000_steps_has_every_step_and_is_at_most_2_mib() -> None:
    session = view_samples.huge()
    page = render_report([session])
    assert len(page.encode()) <= MAX_BYTES
    steps = sum(1 for turn in session.turns for step in turn.walk() if step.kind.value == "tool")
    rows = re.findall(r"<li[^>]*>(?:<details><summary>|<p>)<b>shell</b>", page)
    assert len(rows) == steps
    assert "to keep this page below 2 MiB" in page


@pytest.mark.parametrize("what", ["messages", "patches", "wide characters"])
def test_10_000_steps_of_any_kind_fit(what: str) -> None:
    story = view_samples.Story(1, "x", view_samples.START_MS)
    for number in range(10_000):
        if what == "messages":
            story.say(f"Message **{number}** {'of many words ' * 20}")
        elif what == "patches":
            change = FileChange(path=f"src/{number}.py", kind=ChangeKind.ADDED, lines_added=1, lines_removed=0)
            story.patch(f"*** Begin Patch\n*** Add File: src/{number}.py\n+x = {number}\n*** End Patch\n", change)
        else:
            story.shell(f"echo {'漢' * 60}{number}")
    page = render_report([view_samples.session_view([story.end("Done.")])])
    assert len(page.encode()) <= MAX_BYTES
    assert "Done." in page


def test_tests_are_stale_where_files_changed_afterwards() -> None:
    story = (
        view_samples.Story(1, "x", view_samples.START_MS)
        .shell("python -m pytest", "== 2 passed in 0.1s ==\n")
        .model(1.0)
    )
    change = FileChange(path="a.py", kind=ChangeKind.ADDED, lines_added=1, lines_removed=0)
    story.patch("*** Begin Patch\n*** Add File: a.py\n+x\n*** End Patch\n", change)
    words = page_of(view_samples.session_view([story.end("Done.")])).text
    assert "passed: pytest, 2 run, 0 failed; files changed afterwards" in words


def test_a_long_output_is_cut_in_the_middle_with_a_count() -> None:
    story = view_samples.Story(1, "x", view_samples.START_MS)
    story.shell("make", "first line\n" + "middle\n" * 20_000 + "last line\n")
    words = page_of(view_samples.session_view([story.end("Done.")])).text
    assert "first line" in words
    assert "last line" in words
    assert re.search(r"1\d,\d{3} lines \(1\d\d,\d{3} characters\) not shown", words)


@pytest.mark.parametrize("address", ["javascript:alert(1)", "data:text/html,x", "http://127.0.0.1:9/x", "//x/y"])
def test_links_and_images_of_a_message_are_words(address: str) -> None:
    shown = str(prose(f"[words]({address}) ![picture]({address}) <{address}>\n\n[ref]\n\n[ref]: {address}"))
    assert "words" in shown
    assert "<a" not in shown
    assert "<img" not in shown


def test_the_command_writes_a_file_for_its_user_alone(machine: Machine) -> None:
    machine.set_up()
    session = keep(machine, TURN)
    told = machine.json("report", session[:12], "-o", "page.html")
    path = machine.project / "page.html"
    assert told["path"] == str(path)
    assert told["bytes"] == path.stat().st_size
    assert (told["sessions"], told["turns"]) == (1, 1)
    if sys.platform != "win32":
        assert path.stat().st_mode & 0o777 == 0o600
    request = machine.json("list")["turns"][0]["request"]
    assert request in Page(path.read_text("utf-8")).text
    machine.must_run("report")
    assert (machine.project / "codex-report.html").exists()


def test_the_command_reports_the_sessions_since_a_time(machine: Machine) -> None:
    machine.set_up()
    keep(machine, TURN)
    keep(machine, ROOT / "0.169.0" / "patches")
    told = machine.json("report", "--since", "2020-01-01")
    assert told["sessions"] == 2
    later = json.loads(machine.run("report", "--since", "2100-01-01", "--json").stdout)
    assert later["turns"] == 0
    assert "No requests are recorded" in (machine.project / "codex-report.html").read_text("utf-8")


@pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for a browser is a shell script")
def test_the_command_opens_the_page_in_a_browser(machine: Machine) -> None:
    machine.set_up()
    keep(machine, TURN)
    browser, opened = machine.root / "browser", machine.root / "opened"
    browser.write_text(f'#!/bin/sh\necho "$1" > "{opened}"\n', "utf-8")
    browser.chmod(0o700)
    machine.must_run("report", "--open", environ={"BROWSER": f"{browser} %s"})
    assert opened.read_text("utf-8").strip() == (machine.project / "codex-report.html").as_uri()


def test_the_command_says_which_directory_is_missing(machine: Machine) -> None:
    machine.set_up()
    keep(machine, TURN)
    done = machine.run("report", "-o", "missing/page.html")
    assert done.returncode == 1
    assert f"{machine.project / 'missing'} is not a directory." in done.stderr


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)
