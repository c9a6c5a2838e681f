"""`grade`: fetched from an API on loopback, kept, shown whatever its shape, and compared for CI."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from api import Api, reply, serve
from infinium_codex.delivery.grades import POLL_SECONDS, fetch_grade, grade_of
from infinium_codex.support.paths import find_places
from infinium_codex.view.grade import grade_lines, grade_score, grade_text
from infinium_config import resolve
from infinium_transport import Entry, EntryKind, NotReady, Rejected, ResultOutcome, StoredResult
from machine import Machine
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from recorded import recordings

pytest_plugins = ["no_leftovers"]

AGENT, SECRET = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff", "sesame-4711-canary"
KEY = "0f0e7a52-5f0a-5e9b-8f53-0b7c0a1d2e3f"
GRADE = {
    "overallScore": 82,
    "verdict": "good \x1b[31mred\x1b[0m",
    "criteria": [{"name": "tests", "score": 9}, {"name": "scope", "score": 7}],
    "notes": ["short", {"deep": {"er": None}}],
}


def result(grade: object) -> bytes:
    return reply(200, json.dumps({"data": {"interpretedTraceResult": grade}}).encode())


@pytest.fixture
def api() -> Iterator[Api]:
    with serve([reply(200)]) as found:
        yield found


@pytest.fixture
def machine(tmp_path: Path, api: Api) -> Machine:
    """A machine with one trace that the API accepted."""
    machine = Machine(tmp_path)
    machine.environ |= {"INFINIUM_AGENT_SECRET": SECRET, "CONNECTOR_WAIT_ON_END": "0"}
    machine.must_run("init", "--no-interactive", "--no-trust", "--agent-id", AGENT, "--base-url", api.base_url)
    machine.read_hooks()
    machine.play(recordings("turn")[-1])
    machine.wait_until_idle()
    assert machine.json("status")["waiting"] == 0
    api.requests.clear()
    return machine


def test_a_grade_is_fetched_once_kept_and_shown(machine: Machine, api: Api) -> None:
    api.answers = [result(GRADE)]
    done = machine.run("grade")
    assert done.returncode == 0, done.stderr
    assert "Score   82\n" in done.stdout
    assert "verdict       good \\x1b[31mred\\x1b[0m" in done.stdout
    assert "  name   score\n  tests  9\n  scope  7\n" in done.stdout
    [request] = api.requests
    assert request.headers[""] == f"GET /v1/agents/{AGENT}/interpreted-result/t-1 HTTP/1.1"
    assert request.headers["x-agent-key"] == SECRET
    api.answers = [reply(500, b"")]
    found = machine.json("grade", "latest", "--min", "82")
    assert (found["schema"], found["ok"], found["score"], found["grade"]) == (1, True, 82, GRADE)
    assert machine.json("grade", found["key"][:8])["grade"] == GRADE
    assert len(api.requests) == 1
    assert machine.run("grade", "--refresh").returncode == 1
    machine.must_run("history", "--clear", "--yes")
    assert not list(machine.state.rglob(f"{found['key']}.json"))


def test_min_fails_for_a_lower_or_missing_score(machine: Machine, api: Api) -> None:
    api.answers = [result({"score": "7.5 / 10", "other": {"value": 9}})]
    low = machine.run("grade", "--min", "8")
    assert (low.returncode, low.stdout.splitlines()[-1]) == (1, "The score 7.5 is lower than 8.")
    assert machine.run("grade", "--min", "7.5").returncode == 0
    assert machine.run("grade", "--min", "8", "--field", "other.value").returncode == 0
    assert machine.run("grade", "--min", "1", "--field", "other").returncode == 1
    api.answers = [result("splendid")]
    absent = machine.json("grade", "--refresh", "--min", "1")
    assert (absent["ok"], absent["exit_code"], absent["score"], absent["grade"]) == (False, 1, None, "splendid")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (reply(404, b'{"message": "none"}'), "Infinium has no grade for trace t-1 (HTTP 404: none)."),
        (reply(200, b"{}"), "--wait waits for it"),
        (reply(401, b""), "refused the credentials"),
        (reply(418, b"tea\x1b[2J"), "HTTP 418: tea [2J."),
        (reply(503, b""), "did not answer the request for the grade: HTTP 503."),
        (reply(200, b'{"data": {"interpretedTraceResult": "' + b"x" * (2 << 20) + b'"}}'), "larger than"),
        (result(json.loads("[" * 200 + "]" * 200)), "levels deep"),
    ],
)
def test_a_missing_refused_or_hostile_answer_is_one_error(
    machine: Machine, api: Api, answer: bytes, words: str
) -> None:
    api.answers = [answer]
    done = machine.run("grade", "--min", "0")
    assert (done.returncode, done.stdout) == (1, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_unknown_keys_and_local_traces_have_no_grade(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.set_up()
    assert "No trace of" in machine.run("grade").stderr
    machine.play(recordings("turn")[-1], {"CONNECTOR_WAIT_ON_END": "0"})
    [trace] = machine.traces()
    assert "on this machine only" in machine.run("grade", trace["environment"]["custom_tags"]["trace_key"]).stderr
    assert "No sent trace has a key" in machine.run("grade", "ffffffff").stderr


class Waiting:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def fetch(tmp_path: Path, api: Api, clock: Waiting, wait_seconds: float) -> StoredResult | ResultOutcome:
    environ = {"HOME": str(tmp_path), "INFINIUM_AGENT_ID": AGENT, "INFINIUM_AGENT_SECRET": SECRET}
    environ["INFINIUM_BASE_URL"] = api.base_url
    places = find_places(environ)._replace(state=tmp_path / "state" / "infinium-codex")
    trace = Entry(kind=EntryKind.sent, when=1.0, key=KEY, agent_id=AGENT, trace_id="t-1", where=api.base_url)
    settings = resolve(environ, None, None)
    found = fetch_grade(places, settings, trace, wait_seconds=wait_seconds, clock=lambda: clock.now, sleep=clock.sleep)
    if isinstance(found, StoredResult):
        assert grade_of(places, KEY) == found
    return found


def test_waiting_asks_again_until_the_grade_is_there(tmp_path: Path, api: Api) -> None:
    api.answers = [reply(404, b""), reply(503, b""), reply(429, b"", "Retry-After: 20"), result({"score": 1})]
    clock = Waiting()
    found = fetch(tmp_path, api, clock, 120.0)
    assert isinstance(found, StoredResult)
    assert (found.result, clock.now) == ({"score": 1}, 2 * POLL_SECONDS + 20)


def test_waiting_ends_in_time(tmp_path: Path, api: Api) -> None:
    api.answers = [reply(404, b"")]
    clock = Waiting()
    assert isinstance(fetch(tmp_path, api, clock, 120.0), NotReady)
    assert (clock.now, len(api.requests)) == (120.0, 41)
    api.answers = [reply(429, b"", "Retry-After: 900")]
    assert not isinstance(fetch(tmp_path, api, clock, 120.0), StoredResult)
    assert clock.now == 120.0


def test_waiting_does_not_repeat_a_refused_request(tmp_path: Path, api: Api) -> None:
    api.answers = [reply(400, b"bad")]
    assert fetch(tmp_path, api, Waiting(), 120.0) == Rejected(status=400, message="bad")
    assert len(api.requests) == 1


@pytest.mark.parametrize(
    ("grade", "score"),
    [
        (7, 7.0),
        ("85%", 85.0),
        ({"a": {"score": 3}, "overall_score": 2}, 2.0),
        ({"a": {"b": {"Score": "4"}}}, 4.0),
        ({"score": True, "grade": "B"}, None),
        ({"score": 10**400}, None),
        ([1, 2], None),
        (None, None),
    ],
)
def test_the_score_is_the_number_nearest_to_the_top(grade: object, score: float | None) -> None:
    assert grade_score(grade) == score


def test_a_grade_of_any_shape_is_shown_within_limits() -> None:
    deep: object = 1
    for _ in range(90):
        deep = {"k": [deep]}
    wide = {f"key {number}": "x" * 5_000 for number in range(2_000)}
    for grade in (deep, wide, [wide, wide], "", [], {}, {"": {}}, {"a\nb": [[], [1, [2]]]}, 1e308, -0.0):
        lines = grade_lines(grade)
        assert len(lines) <= 401
        assert max((len(line) for line in lines), default=0) < 2_200
        assert len(grade_text(grade)) <= 12
    assert grade_lines({"a": ["x", {"b": 1, "long name": "two\nlines"}]}) == (
        "a",
        "  - x",
        "  - b          1",
        "    long name  two",
        "               lines",
    )


def test_the_secret_is_not_stored(machine: Machine, api: Api) -> None:
    api.answers = [result({"score": 1})]
    machine.must_run("grade")
    stored = [path for path in machine.state.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]
    assert stored == []


def test_the_score_is_a_metric_of_an_otlp_engine_once(machine: Machine, api: Api) -> None:
    api.answers = [result(GRADE)]
    with serve([reply(200, b"")]) as engine:
        environ = {"CONNECTOR_OTLP_ENDPOINT": f"http://127.0.0.1:{engine.port}", "OTEL_METRICS_EXPORTER": "otlp"}
        for _ in range(2):
            assert machine.run("grade", environ=environ).returncode == 0
        machine.wait_for(lambda: engine.requests, "the metric")
        machine.must_run("retry", environ=environ)
        [request] = engine.requests
    [scope] = ExportMetricsServiceRequest.FromString(request.body).resource_metrics[0].scope_metrics
    [metric] = scope.metrics
    assert (metric.name, metric.histogram.data_points[0].sum) == ("infinium.grade", 82.0)
    assert machine.run("grade").returncode == 0, "the latest trace is still the one at Infinium"
