"""The spans and metrics of recorded turns: ids, tree, tokens and contents, by the GenAI conventions."""

import json
import platform
from typing import Any

import pytest
from infinium_codex.otlp import conventions as names
from infinium_codex.otlp.encode import encode_measurements, encode_turn, make_resource
from infinium_codex.otlp.measurements import measure
from infinium_codex.otlp.spans import Span, TurnSpans, build_spans
from infinium_trace import Session, TokenUsage, ToolCall, Turn, fold
from msgspec.structs import replace
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from recorded import CONTEXT, OPTIONS, Recording, recordings
from syrupy.assertion import SnapshotAssertion

TURN = recordings("turn")[-1]
SUBAGENT = recordings("subagent")[-1]
SECRET = "ghp_" + "a1B2c3D4e5F6g7H8i9J0" + "k1L2m3N4o5P6q7R8"


def spans_of(recording: Recording, *, capture_content: bool = False) -> list[TurnSpans]:
    session = fold(recording.events())
    return [build_spans(session, turn, CONTEXT, OPTIONS, capture_content=capture_content) for turn in session.turns]


def operation(turn: TurnSpans, name: str) -> list[Span]:
    return [span for span in turn.spans if span.attributes[names.OPERATION_NAME] == name]


def tree(turn: TurnSpans) -> list[str]:
    """The names of the spans, each indented below its parent."""
    lines: list[str] = []

    def add(parent: int | None, depth: int) -> None:
        for span in turn.spans:
            if span.parent_id == parent:
                lines.append(f"{'  ' * depth}{span.name}{' (error)' if span.error else ''}")
                add(span.span_id, depth + 1)

    add(None, 0)
    return lines


def one_call(**values: Any) -> TurnSpans:
    """The spans of a turn with one tool call."""
    call = ToolCall(call_id="c-1", tool="shell", started_at_ms=1_000, duration_ms=500.0, finished=True, **values)
    turn = Turn(id="t-1", started_at_ms=0, ended_at_ms=2_000, steps=(call,), prompt=f"Use {SECRET}")
    return build_spans(Session(turns=(turn,)), turn, CONTEXT, OPTIONS, capture_content=True)


def test_a_turn_with_a_failure(snapshot: SnapshotAssertion) -> None:
    [turn] = spans_of(TURN)
    assert tree(turn) == snapshot


def test_subagents_are_nested_below_the_agent_that_started_them(snapshot: SnapshotAssertion) -> None:
    [turn] = spans_of(SUBAGENT)
    assert tree(turn) == snapshot


@pytest.mark.parametrize("recording", recordings(), ids=str)
def test_every_recording_has_one_tree_a_turn_and_counts_its_tokens_once(recording: Recording) -> None:
    session = fold(recording.events())
    for turn, found in zip(session.turns, spans_of(recording), strict=True):
        ids = [span.span_id for span in found.spans]
        assert len(set(ids)) == len(ids)
        assert [span.parent_id for span in found.spans].count(None) == 1
        assert {span.parent_id for span in found.spans} <= {None, *ids}
        assert all(span.ended_at_ms >= span.started_at_ms for span in found.spans)
        chats = operation(found, names.CHAT)
        assert len(operation(found, names.EXECUTE_TOOL)) == len(turn.tool_calls)
        usage = TokenUsage(
            prompt=sum(int(span.attributes[names.INPUT_TOKENS]) for span in chats),
            completion=sum(int(span.attributes[names.OUTPUT_TOKENS]) for span in chats),
            cached=sum(int(span.attributes[names.CACHE_READ_TOKENS]) for span in chats),
            reasoning=sum(int(span.attributes[names.REASONING_TOKENS]) for span in chats),
        )
        assert usage == turn.usage
        others = [span for span in found.spans if span not in chats]
        assert not any(name.startswith("gen_ai.usage.") for span in others for name in span.attributes)


def test_tokens_are_those_that_the_model_server_reported() -> None:
    reported = SUBAGENT.about["reported"]
    chats = operation(spans_of(SUBAGENT)[0], names.CHAT)
    sent = sorted(int(span.attributes[names.INPUT_TOKENS]) for span in chats)
    assert sent == sorted(one["input_tokens"] for one in reported)


def test_the_ids_are_derived_from_the_trace_key() -> None:
    """The same turn, read a second time, is the same trace; the trace id is the key itself."""
    [first], [second] = spans_of(TURN), spans_of(TURN)
    assert first == second
    assert f"{first.trace_id:032x}" == first.key.replace("-", "")


def test_a_failed_command_has_its_exit_code_and_an_error_type() -> None:
    [tool] = operation(one_call(failed=True, exit_code=3), names.EXECUTE_TOOL)
    assert tool.error
    assert (tool.attributes[names.EXIT_CODE], tool.attributes[names.ERROR_TYPE]) == (3, "exit_code")


@pytest.mark.parametrize(
    ("values", "error"),
    [
        ({"failed": True}, "tool_error"),
        ({"refused": True}, "permission_denied"),
        ({"aborted": True}, "interrupted"),
        ({"exit_code": 0}, None),
    ],
)
def test_the_types_of_errors(values: dict[str, Any], error: str | None) -> None:
    [tool] = operation(one_call(**values), names.EXECUTE_TOOL)
    assert (tool.attributes.get(names.ERROR_TYPE), tool.error) == (error, error is not None)


def test_contents_are_left_out_by_default() -> None:
    [turn] = spans_of(TURN)
    contents = {names.INPUT_MESSAGES, names.OUTPUT_MESSAGES, names.TOOL_ARGUMENTS, names.TOOL_RESULT}
    assert contents.isdisjoint(name for span in turn.spans for name in span.attributes)
    text = encode_turn(turn, make_resource("codex", None, None, {}))
    assert b"build" not in text


def test_contents_are_redacted_and_have_the_form_of_the_conventions() -> None:
    turn = one_call(arguments={"command": f"curl -H 'Authorization: token {SECRET}'"}, output=f"token={SECRET}\n")
    root, tool = turn.spans[0], turn.spans[1]
    [message] = json.loads(str(root.attributes[names.INPUT_MESSAGES]))
    assert message == {"role": "user", "parts": [{"type": "text", "content": "Use [redacted:github-token]"}]}
    assert "[redacted:" in str(tool.attributes[names.TOOL_ARGUMENTS])
    assert "[redacted:" in str(tool.attributes[names.TOOL_RESULT])
    assert SECRET.encode() not in encode_turn(turn, make_resource("codex", None, None, {}))


def test_metadata_only_has_no_contents_even_if_they_are_asked_for() -> None:
    session = fold(TURN.events())
    options = replace(OPTIONS, redaction="metadata-only")
    found = build_spans(session, session.turns[0], CONTEXT, options, capture_content=True)
    assert names.INPUT_MESSAGES not in found.spans[0].attributes


def test_a_text_that_is_no_utf_8_is_encoded() -> None:
    turn = one_call(output="a")
    odd = replace(turn.spans[1], name="execute_tool \ud800", attributes={names.TOOL_NAME: "\ud800"})
    request = ExportTraceServiceRequest.FromString(
        encode_turn(replace(turn, spans=(turn.spans[0], odd)), make_resource("codex", None, None, {}))
    )
    assert request.resource_spans[0].scope_spans[0].spans[1].name == "execute_tool ?"


def test_the_request_on_the_wire() -> None:
    [turn] = spans_of(TURN)
    resource = make_resource("codex", "a project", None, {"team": "blue"})
    first, second = encode_turn(turn, resource), encode_turn(turn, resource)
    assert first == second
    [found] = ExportTraceServiceRequest.FromString(first).resource_spans
    about = {one.key: one.value.string_value for one in found.resource.attributes}
    assert about == {
        "service.name": "codex",
        "os.type": platform.system().lower(),
        "infinium.project": "a project",
        "team": "blue",
    }
    [scope] = found.scope_spans
    assert scope.schema_url == names.SCHEMA_URL
    assert [span.name for span in scope.spans] == [span.name for span in turn.spans]
    assert {span.trace_id.hex() for span in scope.spans} == {turn.key.replace("-", "")}


def test_the_users_resource_attributes_win() -> None:
    resource = make_resource("codex", None, "agents", {"service.name": "mine", "os.type": "plan9"})
    assert resource.attributes == {"service.name": "agents", "os.type": "plan9"}


def test_metrics_of_a_turn(snapshot: SnapshotAssertion) -> None:
    [turn] = spans_of(TURN)
    metrics = measure(turn, queued=3)
    request = ExportMetricsServiceRequest.FromString(
        encode_measurements(metrics, make_resource("codex", None, None, {}))
    )
    [scope] = request.resource_metrics[0].scope_metrics
    found = {}
    for metric in scope.metrics:
        kind = metric.WhichOneof("data")
        points = getattr(metric, kind).data_points
        found[metric.name] = {
            "unit": metric.unit,
            "kind": kind,
            "delta": kind == "gauge" or getattr(metric, kind).aggregation_temporality == 1,
            "points": [
                {
                    **{one.key: one.value.string_value for one in point.attributes},
                    "value": point.count if kind == "histogram" else point.as_double or point.as_int,
                    **({"sum": point.sum} if metric.name == names.TOKEN_USAGE else {}),
                }
                for point in points
            ],
        }
    assert found == snapshot
