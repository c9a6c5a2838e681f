"""From the hook's call to an OTLP engine: the real hook, worker and scheduler, and a receiver on loopback."""

import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from api import Api, receive, reply, serve
from infinium_codex.capture.hook_command import home_of, is_our_command
from infinium_codex.otlp.variables import OTLP_AGENT
from infinium_transport import Outbox
from machine import Machine, wait_for
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from recorded import Recording, recordings

pytest_plugins = ["no_leftovers"]

TURN = recordings("turn")[-1]
RESUME = recordings("resume")[-1]
CREDENTIAL = "sesame-otlp-4711"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    found = Machine(tmp_path)
    found.set_up()
    return found


@pytest.fixture
def engine() -> Iterator[Api]:
    with serve([reply(200, b"")]) as found:
        yield found


def pointing_at(engine: Api, **more: str) -> dict[str, str]:
    headers = {"OTEL_EXPORTER_OTLP_HEADERS": f"x-key={CREDENTIAL}"}
    return {"CONNECTOR_OTLP_ENDPOINT": f"http://127.0.0.1:{engine.port}", **headers, **more}


def spans(engine: Api) -> list[str]:
    """The names of the spans in every request, in order."""
    requests = [request for request in engine.requests if request.path == "/v1/traces"]
    return [
        span.name
        for request in requests
        for span in ExportTraceServiceRequest.FromString(request.body).resource_spans[0].scope_spans[0].spans
    ]


def queued(machine: Machine) -> list[str]:
    """The agents of the queued requests."""
    machine.wait_until_idle()
    outbox = Outbox(machine.state / "outbox")
    return [outbox.read(found).agent_id for found in outbox.pending()]


def test_a_turn_goes_to_infinium_and_to_the_engine(machine: Machine, engine: Api) -> None:
    machine.play(TURN, pointing_at(engine))
    [trace] = machine.traces()
    assert trace["input_summary"] == "Try the build, then leave a note."
    assert spans(engine).count("invoke_agent codex") == 1
    assert "execute_tool shell" in spans(engine)
    assert {request.headers["x-key"] for request in engine.requests} == {CREDENTIAL}
    assert machine.errors() == []


def test_an_engine_needs_no_agent_and_no_project(tmp_path: Path, engine: Api) -> None:
    """With managed hooks and `CONNECTOR_OTLP_ENDPOINT` alone, every project is exported."""
    machine = Machine(tmp_path)
    machine.set_up()
    machine.config.unlink()
    machine.play(TURN, pointing_at(engine))
    machine.wait_until_idle()
    assert spans(engine).count("invoke_agent codex") == 1
    assert (machine.errors(), queued(machine)) == ([], [])


def test_the_standard_variables_alone_record_nothing_outside_a_project(tmp_path: Path, engine: Api) -> None:
    """They may be those of a program that the user develops."""
    machine = Machine(tmp_path)
    machine.set_up()
    machine.config.unlink()
    machine.play(TURN, {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{engine.port}"})
    machine.wait_until_idle()
    assert (engine.requests, machine.spools) == ([], [])


def test_a_turn_is_exported_once(machine: Machine, engine: Api) -> None:
    for _ in range(2):
        machine.play(TURN, pointing_at(engine))
        machine.wait_until_idle()
    assert spans(engine).count("invoke_agent codex") == 1


def test_turns_are_exported_where_the_agent_gets_sessions(tmp_path: Path, engine: Api) -> None:
    machine = Machine(tmp_path)
    machine.set_up("--granularity", "session")
    machine.play(RESUME, pointing_at(engine))
    kinds = [trace["environment"]["custom_tags"]["kind"] for trace in machine.traces()]
    assert set(kinds) == {"session"}
    assert spans(engine).count("invoke_agent codex") == 2


def test_an_engine_that_is_down_delays_only_its_own_queue(machine: Machine) -> None:
    with receive() as engine:
        environ = pointing_at(engine, INFINIUM_MAX_RETRIES="0")
        port = engine.port
    machine.play(TURN, environ)
    assert len(machine.traces()) == 1
    assert queued(machine) == [OTLP_AGENT]
    with serve([reply(200, b"")], port=port) as engine:
        machine.must_run("retry", environ=environ)
        assert spans(engine).count("invoke_agent codex") == 1
    assert queued(machine) == []


def test_the_scheduler_sends_what_is_due_with_the_connection_it_holds(machine: Machine) -> None:
    """It was started by a shell without OTLP variables; the credential is in memory alone."""
    machine.play(TURN, {"CONNECTOR_SESSION_TTL": "600"})
    prompt = {"session_id": "open", "turn_id": "t", "hook_event_name": "UserPromptSubmit", "prompt": "stay"}
    machine.hook(machine.placed(prompt, None), {"CONNECTOR_SESSION_TTL": "600"})
    wait_for(lambda: machine.schedulers, "a scheduler")
    with receive() as engine:
        environ = pointing_at(engine, INFINIUM_MAX_RETRIES="0")
        port = engine.port
    machine.play(RESUME, environ)
    assert queued(machine) != []
    with serve([reply(200, b"")], port=port) as engine:
        wait_for(lambda: spans(engine).count("invoke_agent codex") == 2, "the scheduler's delivery")
        assert {request.headers["x-key"] for request in engine.requests} == {CREDENTIAL}
    assert [path for path, content in machine.contents().items() if CREDENTIAL.encode() in content] == []


def test_a_refused_credential_parks_the_queue_until_it_changes(machine: Machine) -> None:
    with serve([reply(401, b"who are you")]) as engine:
        machine.play(TURN, pointing_at(engine))
        assert queued(machine) == [OTLP_AGENT]
        engine.answers[:] = [reply(200, b"")]
        machine.must_run("retry", environ=pointing_at(engine, OTEL_EXPORTER_OTLP_HEADERS="x-key=another"))
        assert engine.requests[-1].headers["x-key"] == "another"
    assert queued(machine) == []


def test_a_rejected_request_is_a_dead_letter_with_the_reason(machine: Machine) -> None:
    with serve([reply(400, b"bad span")]) as engine:
        machine.play(TURN, pointing_at(engine))
        machine.wait_until_idle()
    [dead] = machine.json("queue", "list")["traces"]
    assert (dead["state"], dead["agent_id"], dead["reason"]) == ("dead", OTLP_AGENT, "HTTP 400: bad span")


def test_metrics_follow_the_same_path(machine: Machine, engine: Api) -> None:
    machine.play(TURN, pointing_at(engine, OTEL_METRICS_EXPORTER="otlp"))
    machine.wait_until_idle()
    [body] = [request.body for request in engine.requests if request.path == "/v1/metrics"]
    [scope] = ExportMetricsServiceRequest.FromString(body).resource_metrics[0].scope_metrics
    assert {"gen_ai.invoke_agent.duration", "gen_ai.client.token.usage"} <= {metric.name for metric in scope.metrics}


def test_settings_that_cannot_be_used_are_an_error_and_cost_no_trace(machine: Machine) -> None:
    machine.play(TURN, {"CONNECTOR_OTLP_ENDPOINT": "collector:4318"})
    assert len(machine.traces()) == 1
    assert "CONNECTOR_OTLP_ENDPOINT=collector:4318 is not an address" in machine.errors()[0]


def test_a_paused_project_is_not_exported(machine: Machine, engine: Api) -> None:
    machine.must_run("pause")
    machine.play(TURN, pointing_at(engine))
    machine.wait_until_idle()
    assert engine.requests == []


MODULES = """
import json, os, sys
from infinium_codex.session import processor
from infinium_codex.background import deliveries
from infinium_codex.delivery import send
print(json.dumps(sorted(sys.modules)))
"""


def test_without_a_configured_engine_nothing_of_the_export_is_imported() -> None:
    done = subprocess.run([sys.executable, "-c", MODULES], capture_output=True, text=True, check=True)
    loaded = [
        name for name in json.loads(done.stdout) if name.startswith(("opentelemetry", "google", "infinium_codex.otlp"))
    ]
    assert loaded == ["infinium_codex.otlp", "infinium_codex.otlp.variables"]


WITHOUT_EXTRA = """
import sys
for name in ("opentelemetry", "google"):
    sys.modules[name] = None
from infinium_codex.otlp.connections import find_connection
from infinium_codex.otlp.exporter import OtlpExporter
from infinium_codex.otlp.extra import MissingExtraError
from infinium_codex.otlp.settings import read_settings
environ = {"CONNECTOR_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
print(find_connection(environ, "http://127.0.0.1:4318/v1/traces").reason)
try:
    OtlpExporter(read_settings(environ), None, {}).queue_turn(None, None, None, None)
except MissingExtraError as error:
    print(error)
"""


def test_without_the_extra_the_reason_says_what_to_install() -> None:
    done = subprocess.run([sys.executable, "-c", WITHOUT_EXTRA], capture_output=True, text=True, check=True)
    assert [line.count("infinium-codex-connector[otlp]") for line in done.stdout.splitlines()] == [1, 1]


def place_transcript(machine: Machine, recording: Recording) -> None:
    """A session of the project in Codex's own directory, as if no hook had seen it."""
    thread = recording.sessions[0]
    directory = machine.codex_home / "sessions" / "2026" / "01" / "02"
    directory.mkdir(parents=True, exist_ok=True)
    lines = recording.transcript.read_text("utf-8").splitlines()
    first = json.loads(lines[0])
    first["payload"]["cwd"] = str(machine.project)
    path = directory / f"rollout-2026-01-02T03-04-05-{thread}.jsonl"
    path.write_text("\n".join([json.dumps(first), *lines[1:]]) + "\n", "utf-8")


def test_turns_that_no_hook_saw_are_exported_from_transcripts(machine: Machine, engine: Api) -> None:
    place_transcript(machine, RESUME)
    environ = {"HOME": str(machine.home)}
    address = f"http://127.0.0.1:{engine.port}"
    out = machine.must_run("export", "--otlp", "--endpoint", address, environ=environ)
    assert f"Exported   2 turns to {address}/v1/traces" in out
    assert spans(engine).count("invoke_agent codex") == 2
    second = machine.json("export", "--otlp", "--endpoint", address)
    assert (second["turns"], second["exported_before"]) == (0, 2)
    machine.must_run("export", "--otlp", "--endpoint", address, "--again")
    bodies = [request.body for request in engine.requests]
    assert sorted(bodies[:2]) == sorted(bodies[2:])


def test_turns_of_a_pause_are_never_exported(machine: Machine, engine: Api) -> None:
    place_transcript(machine, RESUME)
    first = json.loads(RESUME.transcript.read_text("utf-8").splitlines()[0])["timestamp"]
    started = datetime.fromisoformat(first).timestamp()
    log = machine.state / "pauses.jsonl"
    log.parent.mkdir(parents=True, exist_ok=True)
    lines = ({"at_ms": int(started - 60) * 1000, "paused": True}, {"at_ms": int(started + 3600) * 1000})
    log.write_text("".join(json.dumps({**line, "config": str(machine.config)}) + "\n" for line in lines), "utf-8")
    out = machine.json("export", "--otlp", "--endpoint", f"http://127.0.0.1:{engine.port}")
    assert (out["turns"], engine.requests) == (0, [])


def test_the_export_says_which_turns_wait_for_an_engine_that_is_down(machine: Machine) -> None:
    place_transcript(machine, RESUME)
    with receive() as engine:
        address = f"http://127.0.0.1:{engine.port}"
    done = machine.run("export", "--otlp", "--endpoint", address, environ={"INFINIUM_MAX_RETRIES": "0"})
    assert done.returncode == 1
    assert "Queued     2 turns" in done.stdout + done.stderr
    assert "connection refused" in done.stdout + done.stderr


def test_an_export_needs_a_format_and_an_endpoint(machine: Machine) -> None:
    for arguments, words in ((("export",), "Pass --otlp"), (("export", "--otlp"), "Pass --endpoint")):
        done = machine.run(*arguments)
        assert done.returncode == 2
        assert words in done.stderr


def test_old_turns_are_left_out(machine: Machine, engine: Api) -> None:
    place_transcript(machine, RESUME)
    address = f"http://127.0.0.1:{engine.port}"
    assert machine.json("export", "--otlp", "--endpoint", address, "--since", "2099-01-01")["turns"] == 0


def test_managed_hooks_export_every_project(tmp_path: Path, engine: Api) -> None:
    """The administrator names the engine in the hooks' commands; a user's own environment wins."""
    machine = Machine(tmp_path)
    directory = tmp_path / "opt" / "infinium-codex"
    address = f"http://127.0.0.1:{engine.port}"
    variables = ("--set", f"CONNECTOR_OTLP_ENDPOINT={address}", "--set", "OTEL_METRICS_EXPORTER=otlp")
    printed = machine.must_run("managed-config", "--prepare", "--directory", str(directory), *variables)
    groups = {name: group for name, group in tomllib.loads(printed)["hooks"].items() if name != "managed_dir"}
    machine.commands = {name: group[0]["hooks"][0]["command"] for name, group in groups.items()}
    assert all(is_our_command(command) and home_of(command) == directory for command in machine.commands.values())
    machine.play(TURN, {"CONNECTOR_OTLP_ENDPOINT": "off"})
    machine.wait_until_idle()
    assert engine.requests == []
    machine.play(TURN)
    machine.wait_until_idle()
    assert spans(engine).count("invoke_agent codex") == 1
    assert {request.path for request in engine.requests} == {"/v1/traces", "/v1/metrics"}


@pytest.mark.parametrize("assignment", ["PATH=/tmp", "OTEL_EXPORTER_OTLP_HEADERS=x-key=a", "OTEL_SERVICE_NAME=$(id)"])
def test_managed_hooks_set_no_other_variable_and_no_credential(machine: Machine, assignment: str) -> None:
    assert machine.run("managed-config", "--set", assignment).returncode == 2


def fleet_checks(machine: Machine, environ: dict[str, str]) -> dict[str, dict[str, str]]:
    report = json.loads(machine.run("doctor", "--fleet", "--json", environ=environ).stdout)
    return {check["name"]: check for check in report["checks"]}


def test_the_doctor_checks_the_chain_to_the_engine(machine: Machine) -> None:
    with serve([reply(200, b"")]) as engine:
        found = fleet_checks(machine, pointing_at(engine))
        verdicts = {name: found[name]["verdict"] for name in found if name.startswith("otlp")}
        assert verdicts == dict.fromkeys(("otlp settings", "otlp libraries", "otlp engine", "otlp queue"), "ok")
        assert (engine.requests[-1].path, engine.requests[-1].body) == ("/v1/traces", b"")
        environ = pointing_at(engine)
    down = fleet_checks(machine, environ)
    assert (down["otlp engine"]["verdict"], down["otlp queue"]["verdict"]) == ("warning", "ok")
    assert "stay queued" in down["otlp engine"]["evidence"]


@pytest.mark.parametrize(
    ("status", "verdict", "words"),
    [(401, "problem", "refuses the credentials"), (404, "problem", "HTTP 404"), (422, "ok", "has no spans")],
)
def test_the_doctor_says_why_an_engine_takes_no_spans(machine: Machine, status: int, verdict: str, words: str) -> None:
    with serve([reply(status, b"no")]) as engine:
        check = fleet_checks(machine, pointing_at(engine))["otlp engine"]
    assert check["verdict"] == verdict
    assert words in check["evidence"]


def test_the_doctor_without_an_endpoint(machine: Machine) -> None:
    found = fleet_checks(machine, {})
    assert found["otlp settings"]["verdict"] == "warning"
    assert fleet_checks(machine, {"CONNECTOR_OTLP_ENDPOINT": "nonsense"})["otlp settings"]["verdict"] == "problem"
