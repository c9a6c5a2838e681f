"""The clock is set while traces are queued."""

import shutil
import subprocess
from collections.abc import Callable

import pytest
from api import Api, reply
from lab import Lab, Row

Tell = Callable[[Row], None]
pytestmark = pytest.mark.faults


def at(offset: str) -> dict[str, str]:
    """An environment in which programs see another time."""
    if shutil.which("faketime") is None:
        pytest.skip("faketime is not installed")
    done = subprocess.run(["faketime", "-m", "-f", offset, "env", "-0"], capture_output=True, text=True, check=True)
    found = dict(line.split("=", 1) for line in done.stdout.split("\0") if "=" in line)
    wanted = {name: value for name, value in found.items() if name.startswith(("LD_PRELOAD", "FAKETIME"))}
    return wanted | {"FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1"}


@pytest.mark.parametrize("steps", [("-1h", "+1d"), ("+1d", "-1h")], ids=["back, forward", "forward, back"])
def test_a_clock_that_is_set(lab: Lab, api: Api, tell: Tell, steps: tuple[str, str]) -> None:
    """A trace queued at another time is neither stuck, dropped nor sent twice."""
    good = api.answers
    api.answers = [reply(503)]
    lab.turn("s-1", "t-now")
    for number, offset in enumerate(steps):
        lab.wait_until_idle()
        lab.turn("s-1", f"t-{number}", environ=at(offset))
    lab.wait_until_idle()
    api.answers = good
    lab.turn("s-1", "t-after", environ=at("+20m"))
    lab.wait_until_idle()
    assert list(lab.outbox.pending()) == []
    row = lab.account(f"the clock set {', '.join(steps)}", 2)
    assert row.resent == 0
    tell(row)
