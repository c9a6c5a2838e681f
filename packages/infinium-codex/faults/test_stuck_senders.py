"""A sender that is killed or stopped, and a server that is slow: other traces are sent, and its own are scheduled."""

import json
import os
import signal
import socket
import threading
from collections.abc import Callable

import pytest
from api import reply, serve
from infinium_codex.background.schedule import Schedule
from infinium_codex.background.wake_up import wake
from infinium_config import ApprovedOrigins
from infinium_transport import Recipient
from lab import AGENT, Lab, Row
from machine import wait_for

Tell = Callable[[Row], None]
OTHER = "b7d1c9aa-0f5e-4a7b-8b1e-2a9d8e7c6b5a"


def turn_of_other(lab: Lab, base_url: str) -> None:
    """Run a turn in a second project, of another agent, and wait until it is sent."""
    first, lab.project = lab.project, lab.home / "other"
    (lab.project / ".git").mkdir(parents=True)
    lab.config.parent.mkdir()
    lab.config.write_text(json.dumps({"agent_id": OTHER, "base_url": base_url, "flush_on_session_end": False}))
    ApprovedOrigins(lab.state.parent / "infinium" / "origins.json").approve(OTHER, base_url)
    lab.turn("s-other", "t-other")
    lab.project = first


def hold(release: threading.Event) -> Callable[[socket.socket], None]:
    """An answer that comes when the test releases it."""

    def answer(connection: socket.socket) -> None:
        release.wait(60)
        connection.sendall(reply(200))

    answer.accepts = True  # type: ignore[attr-defined]
    return answer


def test_a_slow_server_of_one_agent_delays_no_other(lab: Lab, tell: Tell) -> None:
    """The other agent's turn arrives while the first agent's request is still under way."""
    release = threading.Event()
    with serve([hold(release), reply(200)]) as slow:
        lab.environ["INFINIUM_TIMEOUT"] = "60"
        lab.send_to(slow.base_url)
        lab.turn("s-1", "t-1")
        wait_for(lambda: slow.requests, "the request")
        turn_of_other(lab, lab.api.base_url)
        wait_for(lambda: lab.api.requests, "the other agent's trace")
        assert len(slow.answered) == 1
        release.set()
        wait_for(lambda: not list(lab.outbox.pending()), "the first agent's trace")
        lab.api.requests += slow.requests
        lab.api.answered += [reply(200)] * len(slow.requests)
        tell(lab.account("a slow server of another agent", 1))


@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL], ids=["stopped", "killed"])
def test_a_stuck_sender(lab: Lab, tell: Tell, how: signal.Signals) -> None:
    """Its agent's traces are scheduled, another agent's arrive at once, and `doctor` names a stopped process."""
    release = threading.Event()
    with serve([hold(release), reply(200)]) as server:
        lab.environ["INFINIUM_TIMEOUT"] = "60"
        lab.send_to(server.base_url)
        lab.turn("s-1", "t-1")
        wait_for(lambda: server.requests, "the request")
        [sender] = lab.outbox.senders()
        assert sender.recipient == Recipient(AGENT, server.base_url)
        os.kill(sender.pid, how)
        assert (lab.state / "schedule" / "outbox").exists(), "the trace is scheduled before it is sent"
        turn_of_other(lab, lab.api.base_url)
        wait_for(lambda: lab.api.requests, "the other agent's trace")
        if how is signal.SIGSTOP:
            [check] = [check for check in lab.json("doctor")["checks"] if check["name"] == "queue"]
            assert f"process {sender.pid} is stopped" in check["evidence"]
            os.kill(sender.pid, signal.SIGKILL)
        release.set()
        wait_for(lambda: not lab.outbox.senders(), "the lock to be free")
        schedule = Schedule(str(lab.state / "schedule"))
        schedule.add_outbox(0.0)  # instead of waiting for the minute to be over
        wake(schedule.directory)
        wait_for(lambda: not list(lab.outbox.pending()), "the trace to be sent")
        lab.api.requests += server.requests
        lab.api.answered += [reply(200)] * len(server.requests)
        tell(lab.account(f"a sender that is {'stopped' if how is signal.SIGSTOP else 'killed'}", 1))
