"""Delivery of a thousand queued traces on loopback, over niquests posting the same bodies.

The receiver has a process of its own, as a server has: in this one it would compete with the client.
"""

import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from connectors import WORKSPACE
from infinium_transport import Envelope, StateDirectory, deliver
from processes import Sample
from table import Row

COUNT = 1_000
BODY = (
    b'{"name": "x", "steps": [' + b'{"action": "tool_call", "output_preview": "xxxxxxxxxxxxxxxxxxxx"},' * 200 + b"{}]}"
)
ROUNDS = 7
_RECEIVER = """\
import sys
from api import receive

with receive() as receiver:
    print(receiver.base_url, flush=True)
    sys.stdin.read()
"""


def thousand_traces() -> Iterator[Row]:
    """Seconds for all traces, by the outbox and by niquests alone, in turn."""
    sent, posted = [], []
    for _ in range(ROUNDS):
        with _receiver() as base_url, tempfile.TemporaryDirectory() as directory:
            sent.append(_deliver(Path(directory), base_url))
        with _receiver() as base_url:
            posted.append(_post(f"{base_url}/agents/a/trace"))
    ours, theirs = Sample(values=tuple(sent)), Sample(values=tuple(posted))
    yield Row.ratio(f"{COUNT:,} queued traces / niquests posting them", ours, theirs, 1.3)


@contextmanager
def _receiver() -> Iterator[str]:
    """Run a receiver; yields its base URL."""
    with subprocess.Popen(
        [sys.executable, "-c", _RECEIVER],
        cwd=WORKSPACE / "packages" / "infinium-transport" / "tests",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.stdin.close()


def _deliver(root: Path, base_url: str) -> float:
    state = StateDirectory(root)
    for _ in range(COUNT):
        key = str(uuid.uuid4())
        state.outbox.put(Envelope(key=key, agent_id="a", base_url=base_url, body=BODY, created=time.time(), name="x"))
    start = time.perf_counter()
    report = deliver(state, lambda _agent, _url: "secret", "bench")
    spent = time.perf_counter() - start
    if report.sent != COUNT:
        raise RuntimeError(f"only {report.sent} of {COUNT} traces were sent")
    return spent


def _post(url: str) -> float:
    import niquests

    headers = {"Content-Type": "application/json", "x-agent-id": "a", "x-agent-key": "secret"}
    with niquests.Session() as session:
        session.post(url, data=BODY, headers=headers)
        start = time.perf_counter()
        for _ in range(COUNT):
            _ = session.post(url, data=BODY, headers=headers).content
        return time.perf_counter() - start
