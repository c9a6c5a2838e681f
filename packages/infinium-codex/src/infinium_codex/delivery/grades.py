"""Fetches the grade that the server gives a trace, and keeps it on this machine."""

import time
from collections.abc import Callable

from infinium_config import SecretFound, Settings
from infinium_transport import Entry, Fetched, NotReady, ResultOutcome, Retry, StoredResult

from infinium_codex.delivery.secrets import find_secret
from infinium_codex.delivery.send import make_client
from infinium_codex.delivery.stores import open_state
from infinium_codex.support.paths import Places
from infinium_codex.support.result import CommandError

POLL_SECONDS = 3.0
"""Between two requests, as the server's own SDK does. A grade is usually there after 5 to 30 s."""


def grade_of(places: Places, key: str) -> StoredResult | None:
    """Return the grade of a trace, as it was fetched last; None if none was."""
    return open_state(places).results.read(key)


def fetch_grade(
    places: Places,
    settings: Settings,
    trace: Entry,
    *,
    wait_seconds: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> StoredResult | ResultOutcome:
    """Fetch the grade of a sent trace and store it. Return it, or the last outcome if there is none.

    `trace` is the ledger's entry; its agent's secret goes only to an address that the user approved. While there is no
    grade yet, or the server is not available, the request is repeated for `wait_seconds`. Raises CommandError without
    a secret, StorageError if the grade cannot be stored.
    """
    assert trace.trace_id is not None
    secret = find_secret(places, settings, trace.agent_id, trace.where)
    if not isinstance(secret, SecretFound):
        raise CommandError(f"The grade cannot be fetched: {secret.reason}.", secret.hint)
    deadline = clock() + wait_seconds
    with make_client(settings) as client:
        while True:
            outcome = client.fetch_result(trace.where, trace.agent_id, trace.trace_id, secret.secret.reveal())
            pause = POLL_SECONDS
            if isinstance(outcome, Retry):
                pause = max(pause, outcome.after or 0.0)
            if not isinstance(outcome, NotReady | Retry) or clock() + pause > deadline:
                break
            sleep(pause)
    if not isinstance(outcome, Fetched):
        return outcome
    grade = StoredResult(key=trace.key, trace_id=trace.trace_id, fetched=time.time(), result=outcome.result)
    open_state(places).results.store(grade)
    return grade
