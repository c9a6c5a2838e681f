"""Codex's transcripts are found wherever Codex keeps them, and belong to the project they began in."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from infinium_codex.codex.agent import CODEX
from infinium_codex.codex.session_files import (
    ProjectDirectories,
    find_thread_file,
    find_transcripts,
    project_session_files,
    session_files,
)
from infinium_codex.codex.session_meta import read_session_meta
from infinium_codex.codex.threads import ThreadKind
from recorded import Recording, recording, recordings
from transcripts import SESSION_ID, meta, turn, write

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

OTHER_ID = "019e7000-0000-7000-8000-000000000000"
THIRD_ID = "019f0000-0000-7000-8000-000000000000"


def rollout(
    home: Path, thread: str = SESSION_ID, *, day: str = "2026/11/24", cwd: str = "/repo", source: object = "cli"
) -> Path:
    """Write a transcript where Codex writes it."""
    path = home / "sessions" / day / f"rollout-{day.replace('/', '-')}T10-00-00-{thread}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    return write(path, [meta(id=thread, cwd=cwd, source=source), *turn(1, "Hello.")])


def compress(path: Path) -> Path:
    """Compress a transcript as Codex does with idle ones."""
    target = path.with_name(f"{path.name}.zst")
    target.write_bytes(zstd.compress(path.read_bytes()))
    path.unlink()
    return target


def archive(home: Path, path: Path) -> Path:
    """Move a transcript to Codex's archive."""
    target = home / "archived_sessions" / path.name
    target.parent.mkdir(exist_ok=True)
    path.rename(target)
    return target


def ids(home: Path, *, since: float = 0.0, id_prefix: str = "") -> list[str]:
    return [session.session_id for session in session_files(home, since=since, id_prefix=id_prefix)]


@pytest.mark.parametrize("recorded", [*recordings("turn"), *recordings("tests-commit")], ids=str)
def test_the_first_line_of_every_version_is_read(recorded: Recording) -> None:
    transcript = recorded.transcript
    found = read_session_meta(transcript)
    assert found is not None
    first = json.loads(transcript.read_text("utf-8").splitlines()[0])["payload"]
    assert found.thread_id == found.session_id == first["id"]
    assert (found.cwd, found.client_version) == ("/home/dev/project", first["cli_version"])
    assert (found.kind, found.originator, found.parent) == (ThreadKind.USER, "codex_exec", None)
    assert found.git_branch == first["git"].get("branch")
    assert found.started_ms > 1_700_000_000_000


@pytest.mark.parametrize("version", ["0.118.0", "0.131.0", "0.169.0"])
def test_a_subagent_is_told_from_a_session_of_the_user(version: str) -> None:
    scenario = "subagent-plain" if version == "0.118.0" else "subagent"
    found = recording(version, scenario)
    [thread] = found.path.glob("thread-*.jsonl")
    described = read_session_meta(thread)
    assert described is not None
    assert (described.kind, described.parent, described.agent_type) == (
        ThreadKind.SUBAGENT,
        found.sessions[0],
        "explorer",
    )


def test_plain_compressed_and_archived_transcripts_are_found_newest_first(tmp_path: Path) -> None:
    for age, path in enumerate(
        (
            rollout(tmp_path),
            compress(rollout(tmp_path, OTHER_ID, day="2026/11/02")),
            archive(tmp_path, rollout(tmp_path, THIRD_ID, day="2025/01/31")),
        )
    ):
        os.utime(path, (1_780_000_000 - age, 1_780_000_000 - age))
    found = list(session_files(tmp_path))
    assert [session.session_id for session in found] == [SESSION_ID, OTHER_ID, THIRD_ID]
    assert [session.is_compressed for session in found] == [False, True, False]
    assert [session.is_archived for session in found] == [False, False, True]
    assert {session.meta.cwd for session in found} == {"/repo"}
    assert ids(tmp_path, since=1_780_000_000 - 1) == [SESSION_ID, OTHER_ID]
    assert ids(tmp_path, id_prefix="019e") == [SESSION_ID, OTHER_ID]


def test_a_transcript_that_is_being_compressed_or_archived_counts_once(tmp_path: Path) -> None:
    plain = rollout(tmp_path)
    copy = tmp_path / "copy"
    shutil.copy(plain, copy)
    compress(plain)
    archive(tmp_path, rollout(tmp_path))
    shutil.copy(copy, plain)
    [found] = session_files(tmp_path)
    assert found.path == plain


@pytest.mark.parametrize("content", [b"", b"{", b"[]\n", b'{"type": "session_meta", "payload": 3}\n', b"\xff\xfe\n"])
def test_files_that_are_no_transcripts_are_passed_over(tmp_path: Path, content: bytes) -> None:
    good = rollout(tmp_path)
    good.with_name(good.name.replace(SESSION_ID, OTHER_ID)).write_bytes(content)
    good.with_name(f"{good.name.replace(SESSION_ID, THIRD_ID)}.zst").write_bytes(b"no zstd" + content)
    good.with_name("rollout-notes.txt").write_bytes(content)
    if os.name != "nt":
        os.mkfifo(good.with_name(good.name.replace(SESSION_ID, OTHER_ID.replace("7000", "7001"))))
    assert ids(tmp_path) == [SESSION_ID]


def test_without_codex_home_there_are_no_sessions(tmp_path: Path) -> None:
    assert ids(tmp_path / "missing") == []


def test_threads_that_the_user_did_not_start_are_no_sessions(tmp_path: Path) -> None:
    rollout(tmp_path)
    rollout(tmp_path, OTHER_ID, source={"subagent": {"thread_spawn": {"parent_thread_id": SESSION_ID}}})
    rollout(tmp_path, THIRD_ID, source={"subagent": "review"})
    assert ids(tmp_path) == [SESSION_ID]
    assert len(find_transcripts(tmp_path)) == 3


def test_a_subagents_transcript_is_found_on_another_day_and_in_the_archive(tmp_path: Path) -> None:
    session = rollout(tmp_path)
    other_day = rollout(tmp_path, OTHER_ID, day="2026/11/25")
    archived = compress(archive(tmp_path, rollout(tmp_path, THIRD_ID, day="2026/11/25")))
    assert find_thread_file(session, OTHER_ID) == CODEX.find_subagent_transcript(session, OTHER_ID) == other_day
    assert find_thread_file(session, THIRD_ID) == archived
    assert find_thread_file(archived, SESSION_ID) == session
    assert find_thread_file(session, "../*") is None


def git(*arguments: str, cwd: Path) -> None:
    identity = ("-c", "user.name=n", "-c", "user.email=e@example.org")
    subprocess.run(["git", *identity, *arguments], cwd=cwd, check=True, capture_output=True)


def test_a_project_has_the_sessions_of_its_directories_and_worktrees(tmp_path: Path) -> None:
    """A project inside it and a checkout inside it have sessions of their own."""
    if shutil.which("git") is None:
        pytest.skip("git is not on PATH")
    home, project = tmp_path / "codex", tmp_path / "project"
    for place in (project / "src", project / "inner" / ".infinium", project / "vendored", tmp_path / "project-2"):
        place.mkdir(parents=True)
    (project / "inner" / ".infinium" / "config.json").write_text("{}")
    git("init", "-q", cwd=project)
    git("commit", "--allow-empty", "-qm", "first", cwd=project)
    git("worktree", "add", "-q", str(tmp_path / "tree"), cwd=project)
    git("worktree", "add", "-q", str(tmp_path / "removed"), cwd=project)
    git("init", "-q", cwd=project / "vendored")
    shutil.rmtree(tmp_path / "removed")
    belongs = ("project", "project/src", "project/gone", "tree", "removed", "removed/src")
    others = ("project-2", "project/inner", "project/vendored", "elsewhere", "")
    for number, name in enumerate((*belongs, *others)):
        rollout(home, f"019e6000-0000-7000-8000-{number:012}", cwd=str(tmp_path / name) if name else "relative")
    directories = ProjectDirectories.at(project / "src", None)
    found = {session.meta.cwd for session in project_session_files(home, directories)}
    assert found == {str(tmp_path / name) for name in belongs}
