"""A trace is built in one place: session, turn and options in; key, body, headers and labels out."""

import json
from typing import Any

import pytest
from infinium_trace import (
    MAX_BODY_BYTES,
    RedactionPatternError,
    Session,
    SummaryBuilder,
    Trace,
    TraceOptions,
    TurnEnded,
    TurnStarted,
    TurnStatus,
    build_turn_trace,
    fold,
    trace_key,
)
from msgspec.structs import replace
from story import CONTEXT, OPTIONS, hook, whole_session

TOKEN = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
OWN_SECRET = "quartz-mango-7319-heron"


def session_of(*prompts: str) -> Session:
    """Return a session with one completed turn for each prompt."""
    events: list[TurnStarted | TurnEnded] = []
    for number, prompt in enumerate(prompts):
        events.append(TurnStarted(**hook(10 * number, f"turn-{number}"), prompt=prompt))
        events.append(TurnEnded(**hook(10 * number + 5, f"turn-{number}"), status=TurnStatus.COMPLETED))
    return fold(events)


def summary_of(session: Session, options: TraceOptions = OPTIONS) -> SummaryBuilder:
    summary = SummaryBuilder(CONTEXT, options)
    summary.add(session, session.turns)
    return summary


def payload_of(trace: Trace) -> dict[str, Any]:
    found = json.loads(trace.body)
    assert isinstance(found, dict)
    return found


def tags_of(trace: Trace) -> dict[str, str]:
    found = payload_of(trace)["environment"]["custom_tags"]
    assert isinstance(found, dict)
    return found


def test_a_turns_trace_has_one_key_in_its_tag_and_header() -> None:
    session = fold(whole_session())
    trace = build_turn_trace(session, session.turns[0], CONTEXT, OPTIONS)
    assert trace.key == trace_key(CONTEXT.session_id, None, "turn-1", "turn")
    assert trace.headers == {"Content-Type": "application/json", "Idempotency-Key": trace.key}
    assert tags_of(trace)["trace_key"] == trace.key
    assert trace.name == payload_of(trace)["name"] == "Add a cart"
    assert trace.labels == {"kind": "turn", "turn": "turn-1", "session": CONTEXT.session_id, "project": "shop"}


def test_a_summary_has_the_same_output_as_a_turn() -> None:
    trace = summary_of(fold(whole_session())).build(part=2)
    assert trace.key == trace_key(CONTEXT.session_id, None, "turn-1", "session")
    assert trace.headers["Idempotency-Key"] == tags_of(trace)["trace_key"] == trace.key
    assert trace.name == "Session of 4 turns, part 2: Add a cart"
    assert trace.labels == {"kind": "session", "part": "2", "session": CONTEXT.session_id, "project": "shop"}


@pytest.mark.parametrize("mode", ["on", "off", "metadata-only"])
def test_the_redaction_tag_is_the_mode_that_was_applied(mode: str) -> None:
    session = session_of(f"use {TOKEN}")
    options = replace(OPTIONS, redaction=mode)
    for trace in (build_turn_trace(session, session.turns[0], CONTEXT, options), summary_of(session, options).build()):
        assert tags_of(trace)["redaction"] == mode
        assert (TOKEN in trace.body.decode()) == (mode == "off")
        assert TOKEN not in trace.name or mode == "off"


@pytest.mark.parametrize("mode", ["on", "off", "metadata-only"])
def test_the_connectors_own_secrets_are_removed_in_every_mode(mode: str) -> None:
    session = session_of(f"use {OWN_SECRET}")
    options = replace(OPTIONS, redaction=mode, secrets=(OWN_SECRET,))
    trace = build_turn_trace(session, session.turns[0], CONTEXT, options)
    assert OWN_SECRET not in trace.body.decode()


def test_patterns_and_allowed_values_of_the_user_are_applied() -> None:
    session = session_of(f"ticket ACME-12 and {TOKEN}")
    options = replace(OPTIONS, redact_patterns=(r"ACME-\d+",), redact_allow=(TOKEN,))
    trace = build_turn_trace(session, session.turns[0], CONTEXT, options)
    assert trace.name == f"ticket [redacted:custom] and {TOKEN}"


def test_each_trace_counts_its_own_findings_only() -> None:
    session = session_of(f"use {TOKEN}", "hello")
    first, second = (build_turn_trace(session, turn, CONTEXT, OPTIONS) for turn in session.turns)
    assert tags_of(first)["redacted"] == "github-token: 1"
    assert "redacted" not in tags_of(second)


def test_the_agent_program_is_named_by_the_caller() -> None:
    session = session_of("hello")
    options = TraceOptions(program="foo", version="1.2.3", tags=("nightly",))
    payload = payload_of(build_turn_trace(session, session.turns[0], CONTEXT, options))
    assert payload["sections"]["general"]["tags"] == ["foo", "nightly"]
    assert (payload["environment"]["framework"], payload["environment"]["sdk_version"]) == ("foo", "1.2.3")


def test_a_program_has_to_be_named() -> None:
    with pytest.raises(TypeError, match="program"):
        TraceOptions(version="1.2.3")  # type: ignore[call-arg]


def test_the_body_keeps_the_limit_of_the_options() -> None:
    session = session_of("hello " * 4_000)
    options = replace(OPTIONS, max_input_summary=100_000)
    turn = session.turns[0]
    assert 20_000 < len(build_turn_trace(session, turn, CONTEXT, options).body) <= MAX_BODY_BYTES
    small = build_turn_trace(session, turn, CONTEXT, replace(options, max_body_bytes=5_000))
    assert len(small.body) <= 5_000
    assert tags_of(small)["trace_key"] == small.key


def test_an_unknown_redaction_mode_is_an_error_that_names_the_modes() -> None:
    with pytest.raises(ValueError, match=r"Unknown redaction mode 'of'\. Use one of: on, off, metadata-only\."):
        TraceOptions(program="foo", version="1", redaction="of")


def test_an_invalid_pattern_is_an_error_that_names_it() -> None:
    session = session_of("hello")
    with pytest.raises(RedactionPatternError, match=r"\(unclosed"):
        build_turn_trace(session, session.turns[0], CONTEXT, replace(OPTIONS, redact_patterns=("(unclosed",)))
