"""Disks that are full, out of inodes or read-only."""

from collections.abc import Callable

import pytest
from broken_mounts import namespace
from lab import Lab, Row

Times = Callable[[int, int], int]
Tell = Callable[[Row], None]
pytestmark = pytest.mark.faults


def test_a_full_disk_under_the_state(lab: Lab, times: Times, tell: Tell) -> None:
    """The disk is full at any point of the processing: the events stay in the spool until there is room."""
    count = times(6, 60)
    with namespace(lab) as inside:
        inside.mount_small(lab.state, "size=2m")
        for number in range(count):
            inside.fill(lab.state, leave=4096 * (number % 12))
            lab.turn(f"s-{number % 3}", f"t-{number}")
            lab.wait_until_idle()
            inside.free(lab.state)
        row = lab.account("a full disk under the state", count)
        assert row.resent == 0
        tell(row)


def test_a_full_disk_under_the_spool(lab: Lab, times: Times, tell: Tell) -> None:
    """A turn whose event could not be written is not expected; the turns around it arrive."""
    count = times(4, 40)
    with namespace(lab) as inside:
        inside.mount_small(lab.tmp, "size=256k")
        for number in range(count):
            lab.turn("s-1", f"t-{number}-before")
            lab.wait_until_idle()
            inside.fill(lab.tmp, leave=0)
            for event in ("UserPromptSubmit", "PostToolUse", "Stop"):
                lab.call(event, "s-1", f"t-{number}", tool_name="Bash", tool_response="x" * 9_000)
            lab.expect("s-1", f"t-{number}", surely=False)
            inside.free(lab.tmp)
        row = lab.account("a full disk under the spool", count)
        assert sum("No space left" in message for message in lab.errors()) >= 1
        tell(row)


def test_a_disk_without_inodes(lab: Lab, times: Times, tell: Tell) -> None:
    count = times(5, 40)
    with namespace(lab) as inside:
        inside.mount_small(lab.state, "size=2m,nr_inodes=200")
        for number in range(count):
            # All but a few are taken, a different number each time.
            inside.run(
                'cd "$1"; mkdir taken; n=0; while touch "taken/$n" 2>/dev/null; do n=$((n+1)); done;'
                ' for i in $(seq 1 "$2"); do rm "taken/$((n-i))"; done',
                lab.state, number,
            )  # fmt: skip
            lab.turn("s-1", f"t-{number}")
            lab.wait_until_idle()
            inside.run('rm -r "$1/taken"', lab.state)
        row = lab.account("no inodes left", count)
        assert row.resent == 0
        tell(row)


def test_a_read_only_home(lab: Lab, tell: Tell) -> None:
    with namespace(lab) as inside:
        inside.run('mount --bind "$1" "$1"; mount -o remount,bind,ro "$1"', lab.home)
        for number in range(3):
            lab.turn("s-1", f"t-{number}")
            lab.wait_until_idle()
        inside.run('mount -o remount,bind,rw "$1"', lab.home)
        tell(lab.account("a read-only home", 3))
