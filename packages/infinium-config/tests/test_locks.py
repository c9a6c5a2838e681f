"""Locks between processes."""

import errno
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from infinium_config import LockTimeoutError
from infinium_config.locks import try_lock, wait_for_lock

HOLD = """
import sys
from infinium_config.locks import wait_for_lock
with wait_for_lock(sys.argv[1], 0):
    print(flush=True)
    sys.stdin.read()
"""


@contextmanager
def held_by_another_process(path: Path) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        try:
            yield holder
        finally:
            holder.kill()


def test_a_lock_excludes_other_processes_until_its_holder_ends(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with held_by_another_process(path) as holder:
        assert try_lock(path) is None
        with pytest.raises(LockTimeoutError, match=f"Another process has held {re.escape(str(path))} for 0.05 s"):
            wait_for_lock(path, 0.05)
        holder.kill()
        holder.wait()
        with wait_for_lock(path, 0):
            assert try_lock(path) is None
    assert os.name == "nt" or path.stat().st_mode & 0o7777 == 0o600


def test_a_waiting_process_gets_the_lock_when_it_is_released(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with held_by_another_process(path) as holder:
        assert holder.stdin is not None
        holder.stdin.close()  # lets the holder end
        with wait_for_lock(path, 60):
            pass


def test_a_released_lock_can_be_taken_again(tmp_path: Path) -> None:
    held = try_lock(tmp_path / "lock")
    assert held is not None
    held.release()
    held.release()
    again = try_lock(tmp_path / "lock")
    assert again is not None
    again.release()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no flag to open a file and no link")
def test_a_link_is_not_locked(tmp_path: Path) -> None:
    (tmp_path / "lock").symlink_to(tmp_path / "other")
    with pytest.raises(OSError, match="symbolic links"):
        try_lock(tmp_path / "lock")
    assert not (tmp_path / "other").exists()


def test_without_locks_in_the_file_system_a_try_fails_and_the_waiting_form_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_locks(*_: int) -> None:
        raise OSError(errno.EINVAL if os.name == "nt" else errno.ENOLCK, "No locks available")

    module, function = ("msvcrt", "locking") if os.name == "nt" else ("fcntl", "flock")
    monkeypatch.setattr(f"{module}.{function}", no_locks)
    with pytest.raises(OSError, match="No locks available"):
        try_lock(tmp_path / "lock")
    with wait_for_lock(tmp_path / "lock", 0):
        pass
