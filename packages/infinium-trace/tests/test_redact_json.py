"""A secret is removed from a finished body, wherever it stands and also where a preview cut it."""

import base64
import json

import pytest
from infinium_trace import (
    MAX_BODY_BYTES,
    ToolFinished,
    TraceContext,
    TraceOptions,
    TurnEnded,
    TurnStarted,
    build_turn_trace,
    fold,
    redact_json,
)

SECRET = "quartz-mango-7319-heron"


def body(output: str, max_output_preview: int = 300) -> bytes:
    """The body of a turn, built while the secret is not known."""
    started = TurnStarted(at_ms=1_000, turn_id="t-1", prompt="Print the key.")
    tool = ToolFinished(at_ms=2_000, call_id="c-1", tool="shell", output=output)
    session = fold([started, tool, TurnEnded(at_ms=3_000, last_message="Done.")])
    settings = TraceOptions(program="foo", version="1.0.0", max_output_preview=max_output_preview)
    return build_turn_trace(session, session.turns[0], TraceContext(session_id="s-1"), settings).body


def redacted_tag(document: bytes) -> str:
    return str(json.loads(document)["environment"]["custom_tags"]["redacted"])


def test_a_body_without_the_secret_is_the_same_object() -> None:
    found = body("2 passed … and more")
    assert redact_json(found, SECRET) is found


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        json.dumps({"key": SECRET}),
        base64.b64encode(f"user:{SECRET}".encode()).decode(),
        SECRET.encode().hex(),
    ],
    ids=["plain", "JSON", "base64", "hex"],
)
def test_every_form_is_removed_and_counted(form: str) -> None:
    clean = redact_json(body(f"here: {form} behind it"), SECRET)
    assert form.encode() not in clean
    assert SECRET.encode() not in clean
    assert b"behind it" in clean
    assert redacted_tag(clean) == "own-secret: 1"


def test_a_secret_with_quotes_and_other_alphabets_is_removed() -> None:
    secret = 'sésame"\\ouvre-toi\n4711'
    clean = redact_json(body(f"here: {secret} behind it"), secret)
    assert "ouvre-toi" not in clean.decode()


@pytest.mark.parametrize("limit", range(60, 130, 3))
def test_no_long_piece_of_a_secret_is_left_at_a_cut(limit: int) -> None:
    """Wherever the preview ends in the secret, its beginning and its end are removed."""
    document = body(f"{'x' * 40}{SECRET}{'y' * 60}{SECRET}{'x' * 30}", max_output_preview=limit)
    clean = redact_json(document, SECRET).decode()
    pieces = [SECRET[:6], SECRET[-6:], SECRET]
    assert not [piece for piece in pieces if piece in clean]
    assert redact_json(clean.encode(), SECRET) == clean.encode(), "the second time nothing is left to remove"


def test_counts_are_added_to_those_of_the_build() -> None:
    found = body(f"password = 'hunter2!x' and {SECRET}")
    assert redacted_tag(found) == "password: 1"
    assert redacted_tag(redact_json(found, SECRET)) == "own-secret: 1, password: 1"


def test_a_body_stays_within_the_limit() -> None:
    """The marker is longer than a short secret."""
    document = json.dumps({"steps": [{"output_preview": "abc12 " * 1_000} for _ in range(170)]}).encode()
    assert len(document) < MAX_BODY_BYTES < len(document.replace(b"abc12", b"[redacted:own-secret]"))
    clean = redact_json(document, "abc12")
    assert len(clean) <= MAX_BODY_BYTES
    assert b"abc12" not in clean


def test_a_text_that_is_no_json_is_searched_too() -> None:
    assert redact_json(f"{{ {SECRET}".encode(), SECRET) == b"{ [redacted:own-secret]"
    assert redact_json(json.dumps(f"about {SECRET}").encode(), SECRET) == b'"about [redacted:own-secret]"'
