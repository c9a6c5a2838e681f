"""The scheduler works even if Codex never runs again: the real hook, worker and scheduler, with a short session TTL."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import infinium_codex
import infinium_config
import pytest
from api import Api, receive
from infinium_codex.background.schedule import GRACE, SAVED_VARIABLES, Schedule, entry_name
from infinium_codex.background.wake_up import wake
from infinium_codex.background.worker import UNREPORTED_SECONDS
from infinium_codex.codex.agent import CODEX
from infinium_codex.otlp.variables import SAVED_VARIABLES as OTLP_VARIABLES
from infinium_codex.session.files import SessionFiles
from infinium_codex.session.plan import ClosePolicy
from infinium_codex.session.processor import State, trace_session
from infinium_codex.support.paths import Places, spool_directory
from infinium_config import DECLARED
from infinium_transport import Outbox, Recipient
from machine import Machine, end_background
from msgspec.structs import replace
from recorded import recording, recordings

pytest_plugins = ["no_leftovers"]

STALE = {"CONNECTOR_SESSION_TTL": "0.3"}
TURN = recordings("turn")[-1]
RESUME = recordings("resume")[-1]
WAITING = {"CONNECTOR_SESSION_TTL": "600"}
AGENT = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    found = Machine(tmp_path)
    found.set_up()
    return found


@pytest.fixture
def summing(tmp_path: Path) -> Machine:
    """A machine that traces sessions and not turns."""
    found = Machine(tmp_path)
    found.set_up("--granularity", "session")
    return found


def prompt(machine: Machine, turn: str, text: str, environ: dict[str, str] | None = None, session: str = "s-1") -> None:
    payload = {"session_id": session, "turn_id": turn, "hook_event_name": "UserPromptSubmit", "prompt": text}
    machine.hook(machine.placed(payload, None), environ or STALE)


def stop(machine: Machine, turn: str, environ: dict[str, str] | None = None, session: str = "s-1") -> None:
    payload = {"session_id": session, "turn_id": turn, "hook_event_name": "Stop", "last_assistant_message": "ok"}
    machine.hook(machine.placed(payload, None), environ or STALE)


def end(machine: Machine) -> None:
    payload = {"session_id": "s-1", "hook_event_name": "SessionEnd", "reason": "other"}
    machine.hook(machine.placed(payload, None), STALE)


def gone(machine: Machine) -> bool:
    return not machine.schedulers


def tags(trace: dict[str, Any]) -> dict[str, str]:
    found = trace["environment"]["custom_tags"]
    assert isinstance(found, dict)
    return found


def schedule_of(machine: Machine) -> Schedule:
    return Schedule(str(machine.home / ".local" / "state" / "infinium-codex" / "schedule"))


def places_of(machine: Machine) -> Places:
    state = machine.home / ".local" / "state" / "infinium-codex"
    return Places(data=machine.home / "data", state=state, spool=machine.spools[0].parent)


def test_a_codex_killed_in_its_first_turn(machine: Machine) -> None:
    """No hook reports the end of the session: its open turn is sent as interrupted, and its spool is removed."""
    prompt(machine, "turn-1", "killed")
    [trace] = machine.wait_for_traces(1)
    assert (trace["input_summary"], tags(trace)["status"]) == ("killed", "interrupted")
    machine.wait_for(lambda: gone(machine), "the scheduler to end")
    assert machine.spools == []


def test_a_session_left_open_is_summed_up_and_later_turns_are_its_next_part(summing: Machine) -> None:
    """The terminal stays open and fires no SessionEnd; the user continues later and then ends the session."""
    for turn in ("turn-1", "turn-2"):
        prompt(summing, turn, turn)
        stop(summing, turn)
    [first] = summing.wait_for_traces(1)
    prompt(summing, "turn-3", "turn-3")
    stop(summing, "turn-3")
    summing.wait_for_traces(2)
    end(summing)
    summing.wait_for(lambda: gone(summing), "the scheduler to end")
    _, second = summing.traces()
    assert [(tags(trace)["part"], tags(trace)["turns"]) for trace in (first, second)] == [("1", "2"), ("2", "1")]
    assert second["input_summary"] == "turn-3"
    assert summing.spools == []


def test_a_session_that_ended_is_not_summed_up_again_by_the_scheduler(summing: Machine) -> None:
    prompt(summing, "turn-1", "one")
    stop(summing, "turn-1")
    end(summing)
    summing.wait_for(lambda: gone(summing), "the scheduler to end")
    assert [tags(trace)["part"] for trace in summing.traces()] == ["1"]


def test_a_trace_that_could_not_be_sent_goes_when_it_is_due(tmp_path: Path) -> None:
    """Only the worker's environment has the secret; the scheduler inherits it from there."""
    machine = Machine(tmp_path)
    secret = {"INFINIUM_AGENT_SECRET": "sesame-4711", "INFINIUM_MAX_RETRIES": "0"}
    with receive(500, 503) as receiver:
        done = machine.run(
            *("init", "--no-interactive", "--agent-id", AGENT, "--base-url", receiver.base_url), environ=secret
        )
        assert done.returncode == 0, done.stderr
        machine.read_hooks()
        prompt(machine, "turn-1", "asked", secret)
        stop(machine, "turn-1", secret)
        machine.wait_for(lambda: len(receiver.requests) == 3, "the third attempt")
        machine.wait_for(lambda: machine.json("status", "--all")["waiting"] == 0, "the trace to be sent")
    assert len({request.body for request in receiver.requests}) == 1
    entries = Path(schedule_of(machine).directory)
    assert [path for path in entries.iterdir() if path.is_file() and b"sesame" in path.read_bytes()] == []


def test_one_scheduler_serves_all_sessions(machine: Machine) -> None:
    waiting = {"CONNECTOR_SESSION_TTL": "600"}
    for number in range(6):
        prompt(machine, "turn-1", "x", waiting, f"s-{number}")
    machine.wait_until_idle()
    assert len(machine.schedulers) == 1
    assert len(schedule_of(machine).entries()) == 6


def test_a_killed_scheduler_is_replaced_by_the_next_worker(machine: Machine) -> None:
    waiting = {"CONNECTOR_SESSION_TTL": "600"}
    prompt(machine, "turn-1", "x", waiting)
    [first] = machine.wait_for(lambda: machine.schedulers, "the scheduler")
    os.kill(first, signal.SIGKILL)
    machine.wait_for(lambda: gone(machine), "its end")
    prompt(machine, "turn-1", "y", waiting, "s-2")
    [second] = machine.wait_for(lambda: machine.schedulers, "another scheduler")
    assert first != second


def reboot(machine: Machine) -> None:
    """No process survives a reboot. Here the temp directory keeps its files."""
    end_background(machine.root)
    machine.wait_for(lambda: gone(machine), "the scheduler's end")


def test_after_a_reboot_retry_has_open_sessions_looked_after_again(machine: Machine) -> None:
    prompt(machine, "turn-1", "x", WAITING)
    machine.wait_for(lambda: machine.schedulers, "the scheduler")
    reboot(machine)
    assert machine.run("retry").stdout == "No traces are queued.\n"
    assert len(machine.schedulers) == 1


def test_what_a_reboot_loses_and_what_not(tmp_path: Path) -> None:
    """As the README says: the summary is lost and reported, the turn's queued trace is sent, the history stays."""
    machine = Machine(tmp_path)
    shell = {**SHELLS[AGENT], **WAITING}
    with receive(200, 429) as receiver:
        two_projects(machine, receiver.base_url)
        machine.project = machine.home / AGENT
        assert machine.run("init", "--no-interactive", "--granularity", "both", environ=shell).returncode == 0
        for turn in ("turn-1", "turn-2"):
            prompt(machine, turn, turn, shell)
            stop(machine, turn, shell)
            machine.wait_until_idle()
        reboot(machine)
        shutil.rmtree(spool_directory(machine.environ))
        prompt(machine, "turn-1", "after it", shell, "s-2")
        machine.wait_for(lambda: any("are missing from" in error for error in machine.errors()), "a word of the loss")
        assert len(machine.schedulers) == 1
        assert [trace["name"] for trace in machine.json("history")["traces"]] == ["turn-1"]
        assert machine.run("retry", environ=shell).stdout == "Sent       1\n"
    names = [request.trace["name"] for request in receiver.requests]
    assert names == ["turn-1", "turn-2", "turn-2"]


def test_what_retry_cannot_send_is_left_to_the_scheduler(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    with receive(429, 503) as receiver:
        two_projects(machine, receiver.base_url)
        turn_of(machine, AGENT)
        reboot(machine)
        done = machine.run("retry", environ=SHELLS[AGENT])
        assert (done.returncode, len(receiver.requests) >= 2) == (1, True)
        machine.wait_for(lambda: machine.json("status", "--all")["waiting"] == 0, "the trace to be sent")


def test_the_waiting_scheduler_is_small(machine: Machine) -> None:
    prompt(machine, "turn-1", "x", {"CONNECTOR_SESSION_TTL": "600"})
    machine.wait_until_idle()
    [pid] = machine.schedulers
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    assert int(status["VmRSS"].split()[0]) <= 15 * 1024
    program = "import sys; sys.path += sys.argv[1:]; import infinium_codex.background.scheduler; print(*sys.modules)"
    packages = [str(Path(package.__path__[0]).parent) for package in (infinium_codex, infinium_config)]
    command = [sys.executable, "-I", "-S", "-c", program, *packages]
    loaded = set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())
    ours = {name for name in loaded if name.startswith("infinium_")}
    own = ("", ".schedule", ".scheduler", ".signal_posix", ".wake_up")
    own_support = ("infinium_codex.support.held_secrets", "infinium_codex.support.spawn")
    support = {"infinium_codex.support", *own_support, "infinium_config.files"}
    background = {f"infinium_codex.background{name}" for name in own}
    assert ours == {"infinium_codex", "infinium_config", *support, *background}
    unwanted = {"collections", "dataclasses", "importlib.util", "msgspec", "pathlib", "re", "subprocess", "typing"}
    assert loaded & unwanted == set()


def test_background_processes_have_a_low_priority(machine: Machine) -> None:
    """The worker lowers its priority first, so that the processes it starts inherit it."""
    prompt(machine, "turn-1", "x", {"CONNECTOR_SESSION_TTL": "600"})
    [pid] = machine.wait_for(lambda: machine.schedulers, "the scheduler")
    assert os.getpriority(os.PRIO_PROCESS, pid) == min(os.getpriority(os.PRIO_PROCESS, 0) + 10, 19)


def test_the_session_keeps_the_settings_it_had(machine: Machine) -> None:
    """The scheduler has another environment; it applies the redaction settings of the session's own."""
    prompt(machine, "turn-1", "plain", session="s-1")
    prompt(machine, "turn-2", "private", {**STALE, "CONNECTOR_REDACTION": "metadata-only"}, "s-2")
    traces = machine.wait_for_traces(2)
    assert sorted(trace.get("input_summary", "") for trace in traces) == ["", "plain"]


def test_a_session_that_cannot_be_traced_is_kept_a_day_and_then_removed(machine: Machine) -> None:
    machine.config.write_text('{"base_url": 7}')
    prompt(machine, "turn-1", "never told")
    machine.wait_for(lambda: any("base_url" in error for error in machine.errors()), "the attempt")
    [spool] = machine.spools
    machine.wait_until_idle()
    waits = {entry_name(str(spool)): (str(spool), 0.3 + GRACE)}
    machine.wait_for(lambda: schedule_of(machine).entries() == waits, "the day of grace")
    old = time.time() - GRACE - 60
    os.utime(spool, (old, old))
    schedule_of(machine).add_session(str(spool), CODEX.reference, STALE)
    assert wake(schedule_of(machine).directory)
    machine.wait_for(lambda: not machine.spools, "the spool to go")
    machine.wait_for(lambda: gone(machine), "the scheduler to end")
    assert "could not be traced for more than a day" in machine.errors()[0]


def test_a_turn_is_not_cut_short_while_codex_has_its_transcript_open(machine: Machine) -> None:
    """A build of an hour fires no event, but Codex keeps the transcript open while the session lasts."""
    transcript = machine.home / "running.jsonl"
    transcript.write_bytes(b"".join(TURN.transcript.read_bytes().splitlines(keepends=True)[:5]))
    [turn_id] = {payload["turn_id"] for _, payload in TURN.hook_events() if "turn_id" in payload}
    payload = {"session_id": "s-1", "turn_id": turn_id, "hook_event_name": "UserPromptSubmit", "prompt": "build"}
    machine.hook(machine.placed(payload, transcript), {"CONNECTOR_SESSION_TTL": "600"})
    machine.wait_until_idle()
    [spool] = machine.spools

    def close() -> State:
        files, policy = SessionFiles(spool), ClosePolicy.when_idle
        return trace_session(CODEX, files, places_of(machine), machine.environ, policy=policy).state

    with transcript.open("ab"):
        assert close() is State.pending
    assert close() is State.done


def test_a_review_whose_end_no_event_reports_is_traced_soon(machine: Machine) -> None:
    """On 0.133 to 0.144 neither Stop nor SessionEnd follows `codex exec review`."""
    review = recording("0.137.0", "review")
    day = machine.home / ".codex" / "sessions" / "2026" / "11" / "24"
    day.mkdir(parents=True)
    [session] = review.sessions
    threads = {session, *(path.stem[-36:] for path in review.path.glob("thread-*.jsonl"))}
    paths = {thread: day / f"rollout-2026-11-24T10-00-00-{thread}.jsonl" for thread in threads}
    for thread, path in paths.items():
        shutil.copy(review.transcript_of(thread), path)
    for _, payload in review.hook_events():
        thread = str(payload["transcript_path"]).removesuffix(".jsonl")[-36:]
        machine.hook(machine.placed(payload, paths[thread]), WAITING)
    assert machine.traces() == []
    [spool] = machine.spools
    schedule, name = schedule_of(machine), entry_name(str(spool))
    assert schedule.entries()[name][1] == UNREPORTED_SECONDS
    maintain(machine, spool.stat().st_size, spool)
    [trace] = machine.traces()
    assert (trace["name"], trace["environment"]["custom_tags"]["status"]) == ("Look for lost entries.", "completed")
    assert name not in schedule.entries()


def test_a_session_that_went_on_meanwhile_is_left_alone(machine: Machine) -> None:
    """An event that arrives between the scheduler's check and the maintenance makes the session active again."""
    waiting = {"CONNECTOR_SESSION_TTL": "600"}
    prompt(machine, "turn-1", "going on", waiting)
    machine.wait_until_idle()
    [spool] = machine.spools
    seen = spool.stat().st_size
    prompt(machine, "turn-1", "and on", waiting)
    machine.wait_until_idle()
    maintain(machine, seen, spool)
    assert machine.traces() == []
    maintain(machine, spool.stat().st_size, spool)
    assert [trace["input_summary"] for trace in machine.traces()] == ["going on"]


def test_only_the_variables_of_settings_are_written_to_the_schedule(machine: Machine) -> None:
    """Other variables whose names begin alike may hold secrets of other programs."""
    settings = {declared.variable for declared in DECLARED if declared.variable}
    assert {*settings, *OTLP_VARIABLES} == SAVED_VARIABLES
    others = {"INFINIUM_TOKEN": "secret-one", "CONNECTOR_PASSWORD": "secret-two", "INFINIUM_AGENT_SECRET": "sesame"}
    prompt(machine, "turn-1", "asked", {**WAITING, **others})
    machine.wait_until_idle()
    [entry] = [path for path in Path(schedule_of(machine).directory).iterdir() if path.name.startswith("s-1")]
    assert [value for value in others.values() if value.encode() in entry.read_bytes()] == []
    assert b"CONNECTOR_SESSION_TTL=600" in entry.read_bytes()


# Two agents whose secrets are in the environments of two shells

OTHER = "b7d1c9aa-0f5e-4a7b-8b1e-2a9d8e7c6b5a"
SHELLS = {AGENT: {"INFINIUM_AGENT_SECRET": "sesame-one"}, OTHER: {"INFINIUM_AGENT_SECRET": "sesame-two"}}


def two_projects(machine: Machine, base_url: str) -> None:
    machine.environ |= {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring", "INFINIUM_MAX_RETRIES": "0"}
    for agent, shell in SHELLS.items():
        machine.project = machine.home / agent
        (machine.project / ".git").mkdir(parents=True)
        done = machine.run(*("init", "--no-interactive", "--agent-id", agent, "--base-url", base_url), environ=shell)
        assert done.returncode == 0, done.stderr
    machine.read_hooks()


def turn_of(machine: Machine, agent: str) -> None:
    machine.project = machine.home / agent
    prompt(machine, "turn-1", "asked", SHELLS[agent], f"s-{agent}")
    stop(machine, "turn-1", SHELLS[agent], f"s-{agent}")
    machine.wait_until_idle()


def agents_asked_for(receiver: Api) -> list[str]:
    return [request.headers["x-agent-id"] for request in receiver.requests]


def outbox_of(machine: Machine) -> Outbox:
    return Outbox(Path(schedule_of(machine).directory).parent / "outbox")


def rest_for(machine: Machine, seconds: float, *, scheduler_after: float | None = None) -> None:
    """Postpone all queued traces by this many seconds; the scheduler looks then, or after `scheduler_after` seconds."""
    outbox = outbox_of(machine)
    for queued in outbox.pending():
        noted = outbox.delay(queued.key)
        assert noted is not None
        now = time.time()
        outbox.postpone(queued.key, replace(noted, since=now, due=now + seconds))
    schedule_of(machine).add_outbox(seconds if scheduler_after is None else scheduler_after)
    wake(schedule_of(machine).directory)


def test_the_scheduler_with_the_secret_stays_when_another_agents_turn_is_sent(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    with receive(429) as receiver:
        two_projects(machine, receiver.base_url)
        turn_of(machine, AGENT)
        rest_for(machine, 1.0)
        turn_of(machine, OTHER)
        machine.wait_for(lambda: len(receiver.requests) == 3, "the first agent's second attempt")
        machine.wait_for(lambda: machine.json("status", "--all")["waiting"] == 0, "its trace to be gone")
    assert agents_asked_for(receiver) == [AGENT, OTHER, AGENT]
    keys = {request.headers["x-agent-key"] for request in receiver.requests if request.trace["name"]}
    assert keys == {"sesame-one", "sesame-two"}


def test_a_worker_without_the_secret_of_what_is_due_leaves_it_to_the_scheduler(tmp_path: Path) -> None:
    """Another agent's turn ends just before the scheduler that has the secret sends."""
    machine = Machine(tmp_path)
    with receive(429) as receiver:
        two_projects(machine, receiver.base_url)
        turn_of(machine, AGENT)
        rest_for(machine, 0.0, scheduler_after=3.0)
        turn_of(machine, OTHER)
        machine.wait_for(lambda: machine.json("status", "--all")["waiting"] == 0, "the trace to be gone")
    assert sorted(agents_asked_for(receiver)) == sorted([AGENT, OTHER, AGENT])


def test_a_worker_with_a_secret_of_its_own_waits_for_a_sender_that_has_none(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    with receive() as receiver:
        two_projects(machine, receiver.base_url)
        machine.project = machine.home / AGENT
        with outbox_of(machine).sender_lock(Recipient(AGENT, receiver.base_url)) as held:
            assert held
            prompt(machine, "turn-1", "asked", SHELLS[AGENT])
            stop(machine, "turn-1", SHELLS[AGENT])
            machine.wait_for(lambda: list(outbox_of(machine).pending()), "the trace")
            time.sleep(0.5)  # so that the worker finds the lock taken
        machine.wait_for(lambda: receiver.requests, "the trace to be sent")


def test_the_scheduler_keeps_the_secrets_of_several_shells_apart(tmp_path: Path) -> None:
    """The traces of both agents are delayed, and no process but the scheduler has their secrets."""
    machine = Machine(tmp_path)
    with receive(429, 429) as receiver:
        two_projects(machine, receiver.base_url)
        turn_of(machine, AGENT)
        turn_of(machine, OTHER)
        rest_for(machine, 0.0)
        machine.wait_for(lambda: machine.json("status", "--all")["waiting"] == 0, "both traces to be sent")
    sent = {(request.headers["x-agent-id"], request.headers["x-agent-key"]) for request in receiver.requests}
    assert sent == {(agent, shell["INFINIUM_AGENT_SECRET"]) for agent, shell in SHELLS.items()}
    entries = Path(schedule_of(machine).directory)
    assert [path for path in entries.iterdir() if path.is_file() and b"sesame" in path.read_bytes()] == []


@pytest.mark.parametrize("granularity", ["turn", "session"])
def test_a_killed_session_is_sent_with_the_secret_of_its_own_shell(tmp_path: Path, granularity: str) -> None:
    """The secret is in the environment and the agent's id in the project file. Another shell has started the scheduler.

    A turn that was killed, and the summary of a session left open: no process but the scheduler sends either.
    """
    machine = Machine(tmp_path)
    with receive() as receiver:
        two_projects(machine, receiver.base_url)
        machine.project = machine.home / OTHER
        prompt(machine, "turn-1", "runs on", {**SHELLS[OTHER], **WAITING}, "s-other")
        machine.wait_for(lambda: machine.schedulers, "the scheduler")
        machine.project = machine.home / AGENT
        machine.must_run("init", "--no-interactive", "--granularity", granularity, environ=SHELLS[AGENT])
        shell = {**SHELLS[AGENT], **STALE}
        prompt(machine, "turn-1", "asked", shell)
        if granularity == "session":
            stop(machine, "turn-1", shell)
        machine.wait_for(lambda: receiver.requests, "the trace")
    assert [request.headers["x-agent-key"] for request in receiver.requests] == ["sesame-one"]
    assert agents_asked_for(receiver) == [AGENT]


def test_whose_traces_wait_for_another_shell_is_told_and_what_to_do(tmp_path: Path) -> None:
    """After a reboot the scheduler has the secret of the shell that started it, and the other agent's trace waits."""
    machine = Machine(tmp_path)
    with receive(429) as receiver:
        two_projects(machine, receiver.base_url)
        turn_of(machine, AGENT)
        reboot(machine)
        rest_for(machine, 0.0)
        turn_of(machine, OTHER)
        [held] = machine.wait_for(lambda: machine.json("status", "--all")["held"], "the scheduler to try")
        assert held["reason"].startswith("this agent's secret is not in the environment, and the system keyring ")
        assert (held["agent_id"], held["traces"], held["kind"]) == (AGENT, 1, "refused")
        assert not [error for error in machine.errors() if AGENT in error], "it is no error of this project"
        errors = [error["message"] for error in machine.json("errors", "--all")["errors"]]
        told = next(error for error in errors if error.startswith(f"Traces of agent {AGENT} are queued"))
        assert "Run 'infinium-codex retry' in this agent's project, in a shell that has its secret" in told
        assert "is not set" not in told
        fixes = {OTHER: "Run 'infinium-codex retry' in this agent's project", AGENT: "infinium-codex retry: "}
        for agent, fix in fixes.items():
            machine.project = machine.home / agent
            found = json.loads(machine.run("doctor", "--json", environ=SHELLS[agent]).stdout)
            [waiting] = [check for check in found["checks"] if check["name"] == "queue"]
            assert (waiting["verdict"], found["flow"] == "no") == ("warning", False)
            assert f"1 of agent {AGENT}: there is no secret to send with" in waiting["evidence"]
            assert waiting["fix"].startswith(fix)
            assert f"-> {fix}" in machine.run("status", "--all", environ=SHELLS[agent]).stdout

        # In a directory that names no agent the secret might be anybody's: it goes nowhere.
        nowhere = machine.run("retry", environ=SHELLS[OTHER], cwd=machine.home)
        assert nowhere.returncode == 1
        assert "belongs to no agent" in machine.json("status", "--all")["held"][0]["reason"]
        assert agents_asked_for(receiver) == [AGENT, OTHER]
        assert machine.run("retry", environ=SHELLS[AGENT]).stdout == "Sent       1\n"
        assert machine.json("status", "--all")["held"] == []


# Spools that are not there any more


def play_turns(machine: Machine, *numbers: int, ended: bool = False) -> Path:
    """Run the hooks of two turns of one session, without its end; returns the spool."""
    transcript = machine.home / "transcript.jsonl"
    transcript.write_bytes(RESUME.transcript.read_bytes())
    turns = list(dict.fromkeys(payload["turn_id"] for _, payload in RESUME.hook_events() if "turn_id" in payload))
    for _, payload in RESUME.hook_events():
        if payload.get("turn_id") in [turns[number] for number in numbers]:
            machine.hook(machine.placed(payload, transcript), WAITING)
            machine.wait_until_idle()
    session = RESUME.hook_events()[0][1]["session_id"]
    if ended:
        last = {"session_id": session, "hook_event_name": "SessionEnd", "reason": "other"}
        machine.hook(machine.placed(last, transcript), WAITING)
    return next(machine.tmp.glob("infinium-codex-*")) / f"{session}.spool"


def removed(machine: Machine) -> list[str]:
    return [error for error in machine.errors() if "Another program removed the events" in error]


def test_a_summary_goes_out_though_somebody_removed_the_spool(summing: Machine) -> None:
    """A cleaner of the temp directory removed the spool and left the checkpoint; the transcript has the turns."""
    spool = play_turns(summing, 0, 1)
    assert summing.traces() == []
    spool.unlink()
    for _ in range(2):
        maintain(summing, 0, spool)
        [summary] = summing.traces()
        assert (tags(summary)["turns"], summary["llm_usage"]["api_calls_count"]) == ("2", 2)
        assert len(removed(summing)) == 1
    assert schedule_of(summing).entries() == {}


def test_a_session_that_goes_on_in_a_new_spool_is_summed_up_whole(summing: Machine) -> None:
    spool = play_turns(summing, 0)
    spool.unlink()
    play_turns(summing, 1)
    assert spool.stat().st_size  # the summary is still to come
    play_turns(summing, ended=True)
    [summary] = summing.traces()
    assert (tags(summary)["turns"], summary["llm_usage"]["api_calls_count"]) == ("2", 2)
    assert len(removed(summing)) == 1
    assert not spool.exists()


def test_cleanup_sums_up_what_it_finds_without_a_spool(summing: Machine) -> None:
    spool = play_turns(summing, 0, 1)
    spool.unlink()
    old = time.time() - GRACE - 700
    os.utime(spool.with_suffix(".state"), (old, old))
    assert summing.run("cleanup").returncode == 0
    assert [tags(summary)["turns"] for summary in summing.traces()] == ["2"]
    assert schedule_of(summing).entries() == {}
    assert list(spool.parent.glob(f"{spool.stem}*")) == []


def test_a_checkpoint_nobody_looks_after_any_more_is_found_beside_another_session(summing: Machine) -> None:
    """Its schedule entry is gone too. The scheduler finds it when it closes another session of that directory."""
    spool = play_turns(summing, 0, 1)
    spool.unlink()
    schedule_of(summing).remove(entry_name(str(spool)))
    prompt(summing, "turn-1", "another session")
    both = summing.wait_for_traces(2)
    assert sorted(tags(summary)["turns"] for summary in both) == ["1", "2"]


def test_events_that_are_gone_with_everything_beside_them_are_told_of(machine: Machine) -> None:
    """A reboot empties the temp directory, but not the schedule."""
    prompt(machine, "turn-1", "lost", WAITING)
    machine.wait_until_idle()
    [spool] = machine.spools
    spool.unlink()
    maintain(machine, 0, spool)
    maintain(machine, 0, spool)
    [told] = machine.errors()
    assert told.startswith("The events of a session are missing from ")
    assert schedule_of(machine).entries() == {}


def half_removed(machine: Machine) -> Path:
    """A spool whose worker was killed during its removal, after a prompt that the worker had not read."""
    for turn in ("turn-1", "turn-2"):
        prompt(machine, turn, turn, WAITING)
        stop(machine, turn, WAITING)
        machine.wait_until_idle()
    prompt(machine, "turn-3", "behind its last look", WAITING)
    machine.wait_until_idle()
    [spool] = machine.spools
    spool.rename(spool.with_suffix(".closed"))
    return spool


def test_a_worker_killed_while_it_removed_a_spool_leaves_no_event_behind(machine: Machine) -> None:
    """No hook starts another worker. The session is active: the turn of the prompt is not closed."""
    spool = half_removed(machine)
    maintain(machine, 0, spool)
    assert not spool.with_suffix(".closed").exists()
    assert schedule_of(machine).has(entry_name(str(spool)))
    assert len(machine.traces()) == 2
    maintain(machine, spool.stat().st_size, spool)
    assert [trace["input_summary"] for trace in machine.traces()][2:] == ["behind its last look"]
    assert not spool.exists()


def test_a_half_removed_spool_nobody_looks_after_is_found_beside_another_session(machine: Machine) -> None:
    spool = half_removed(machine)
    schedule_of(machine).remove(entry_name(str(spool)))
    prompt(machine, "turn-1", "another session", session="s-2")
    told = {trace["input_summary"] for trace in machine.wait_for_traces(4)}
    assert {"another session", "behind its last look"} <= told
    assert list(spool.parent.glob("*.closed")) == []


def maintain(machine: Machine, size: int, spool: Path) -> None:
    """The maintenance that the scheduler starts for a spool that still has this size."""
    command = [sys.executable, "-I", "-m", "infinium_codex.background.maintenance", schedule_of(machine).directory]
    subprocess.run([*command, f"{size}:{entry_name(str(spool))}"], env=machine.environ, check=True)
