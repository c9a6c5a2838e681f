"""Reading small files without surprises and writing them whole."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from infinium_config.files import (
    long_path,
    open_regular,
    read_small_file,
    read_tail,
    remove_file,
    write_atomically,
)

on_posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no modes and no owners' numbers")


def fifo(path: Path) -> None:
    if os.name == "nt":
        pytest.skip("Windows has no FIFOs")
    os.mkfifo(path)


def symlink(path: Path, target: str) -> None:
    """Make a link. Windows lets few users do so, and Wine reports success without one."""
    try:
        path.symlink_to(target)
    except OSError as error:
        pytest.skip(f"no links: {error}")
    if not path.is_symlink():
        pytest.skip("Wine makes no links")


def directory(path: Path) -> None:
    path.mkdir()


def device(path: Path) -> None:
    symlink(path, "/dev/zero")


def missing(path: Path) -> None:
    assert not path.exists()


@pytest.mark.parametrize("make", [fifo, directory, device, missing])
@pytest.mark.parametrize("follow_links", [False, True])
def test_only_a_regular_file_is_opened(tmp_path: Path, make: "type[Path]", follow_links: bool) -> None:
    path = tmp_path / "file"
    make(path)
    assert open_regular(path, follow_links=follow_links) is None
    assert read_small_file(path, follow_links=follow_links) is None
    assert read_tail(path, 10, follow_links=follow_links) == b""


def test_a_link_is_followed_only_on_request(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"text")
    link = tmp_path / "link"
    symlink(link, "target")
    assert read_small_file(link) is None
    assert read_small_file(link, follow_links=True) == b"text"


def test_a_path_with_a_zero_byte_names_no_file() -> None:
    assert read_small_file("a\0b") is None


def test_a_file_over_the_limit_is_not_read_and_a_tail_has_its_end(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert read_small_file(path, max_bytes=5) == b"12345"
    assert read_small_file(path, max_bytes=4) is None
    assert read_tail(path, 2) == b"45"
    assert read_tail(path, 9) == b"12345"


@on_posix
def test_a_file_of_another_user_is_refused_on_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"1")
    with open_regular(path, only_own=True) or pytest.fail("the user's own file is refused") as file:
        assert file.read() == b"1"
    monkeypatch.setattr(os, "getuid", lambda: path.stat().st_uid + 1)
    assert open_regular(path, only_own=True) is None


@on_posix
@pytest.mark.parametrize("umask", [0, 0o777])
def test_a_write_sets_the_mode_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        write_atomically(tmp_path / "private", b"1")
        write_atomically(tmp_path / "shared", b"2", mode=0o644, durable=False)
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
    assert modes == {"private": 0o600, "shared": 0o644}


def test_a_relative_name_is_written_in_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_atomically("file", b"1")
    assert (tmp_path / "file").read_bytes() == b"1"


def test_a_write_replaces_a_link_and_not_its_target(tmp_path: Path) -> None:
    (tmp_path / "target").write_bytes(b"before")
    symlink(tmp_path / "link", "target")
    write_atomically(tmp_path / "link", b"after")
    assert (tmp_path / "target").read_bytes() == b"before"
    assert (tmp_path / "link").read_bytes() == b"after"
    assert not (tmp_path / "link").is_symlink()


def test_a_write_that_fails_leaves_the_old_content_and_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    with pytest.raises(PermissionError if os.name == "nt" else IsADirectoryError):
        write_atomically(tmp_path / "file", b"1")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_leaves_the_old_content_and_no_other_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    (tmp_path / "file").write_bytes(b"before")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_atomically(tmp_path / "file", b"after")
    assert (tmp_path / "file").read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_path_of_any_length_and_alphabet(tmp_path: Path) -> None:
    """Windows needs a prefix for paths of more than 260 characters."""
    directory = tmp_path / "Größe ж" / ("d" * 120) / ("e" * 120)
    os.makedirs(long_path(directory))  # noqa: PTH103 - pathlib takes no prefix
    write_atomically(directory / "file", b"1")
    assert read_small_file(directory / "file") == b"1"
    remove_file(directory / "file")
    assert read_small_file(directory / "file") is None


@pytest.mark.skipif(os.name != "nt", reason="only Windows denies access to a file that is held open")
def test_a_file_that_another_process_holds_open_is_replaced_when_it_is_closed(tmp_path: Path) -> None:
    """As a virus scanner does for moments."""
    path = tmp_path / "file"
    path.write_bytes(b"before")
    code = "import sys, time; file = open(sys.argv[1]); print(flush=True); time.sleep(0.5)"
    command = [sys.executable, "-c", code, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        write_atomically(path, b"after")
    assert path.read_bytes() == b"after"


@pytest.mark.skipif(os.name != "nt", reason="other systems have one form of a path")
def test_the_long_form_of_a_path_on_a_drive_and_on_a_server() -> None:
    name = "x" * 300
    assert long_path(f"C:\\a b/{name}") == f"\\\\?\\C:\\a b\\{name}"
    assert long_path(f"\\\\server\\share\\{name}") == f"\\\\?\\UNC\\server\\share\\{name}"
    assert long_path("C:\\short") == "C:\\short"
