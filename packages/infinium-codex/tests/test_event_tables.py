"""Tables from kind to function are complete and consistent, so that a new kind needs only its entry."""

import pytest
from infinium_codex.codex.agent import CODEX
from infinium_codex.codex.events import TRANSLATORS
from infinium_codex.codex.hook_events import EVENT_NAMES, events_of
from infinium_codex.codex.program import CodexProgram
from infinium_codex.codex.transcript.items import IGNORED_ITEMS, ITEM_HANDLERS
from infinium_codex.codex.transcript.records import IGNORED_RECORDS, RECORD_HANDLERS
from infinium_codex.codex.versions import Version, is_at_least, parse_version


def test_every_hook_event_has_a_translator() -> None:
    assert sorted(TRANSLATORS) == sorted(EVENT_NAMES)


def test_every_event_that_starts_the_worker_is_registered() -> None:
    assert set(CODEX.hooks.triggers) <= set(EVENT_NAMES)


def test_an_ignored_kind_has_no_handler() -> None:
    """The reader skips lines of an ignored kind by their prefix, so that a handler would never run."""
    assert not IGNORED_RECORDS & set(RECORD_HANDLERS)
    assert not IGNORED_ITEMS & set(ITEM_HANDLERS)


CORE = ("SessionStart", "UserPromptSubmit", "PreToolUse", "PostToolUse", "Stop")


@pytest.mark.parametrize(
    ("version", "events"),
    [((0, 118, 0), CORE), ((0, 145, 0), (*CORE, "SessionEnd")), ((0, 150, 0), EVENT_NAMES), (None, EVENT_NAMES)],
)
def test_hooks_are_registered_for_the_events_that_a_version_has(
    version: Version | None, events: tuple[str, ...]
) -> None:
    """A Codex whose version is unknown counts as new."""
    assert events_of(CodexProgram(path="codex", version=version)) == events


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("codex-cli 0.169.0\n", (0, 169, 0)),
        ("0.145.0-alpha.3", (0, 145, 0)),
        ("0.145", (0, 145, 0)),
        ("nightly", None),
        ("9" * 5_000, None),
    ],
)
def test_a_version_is_read_from_the_text_codex_prints(text: str, version: Version | None) -> None:
    assert parse_version(text) == version


def test_versions_are_compared_by_number() -> None:
    assert is_at_least((0, 150, 0), (0, 99, 0))
    assert not is_at_least((0, 99, 9), (0, 150, 0))
