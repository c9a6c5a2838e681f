"""Finding the project of a directory; reading and writing its file."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from infinium_config import (
    Project,
    ProjectFile,
    ProjectFileError,
    find_project,
    load,
    main_checkout,
    read_project_file,
    write_project_file,
)
from syrupy.assertion import SnapshotAssertion

AGENT = "6f0c6d4e-3b1a-4c55-9f0e-1f6f3c1f2a10"


def project(root: Path, text: str = "{}") -> Path:
    """Make `root` a project and return its file."""
    config = root / ".infinium" / "config.json"
    config.parent.mkdir(parents=True)
    config.write_text(text)
    return config


def git(*arguments: str | Path, cwd: Path) -> None:
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environ = {**own, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b.example", *arguments]
    subprocess.run(command, cwd=cwd, env=environ, check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with one commit, and no project yet."""
    if shutil.which("git") is None:
        pytest.skip("git is not on PATH")
    main = tmp_path / "main checkout"
    main.mkdir()
    git("init", "-q", cwd=main)
    git("commit", "-q", "--allow-empty", "-m", "one", cwd=main)
    return main


def test_the_nearest_project_above_is_found(tmp_path: Path) -> None:
    outer, inner = project(tmp_path / "outer"), project(tmp_path / "outer/a/inner")
    deep = tmp_path / "outer/a/inner/src/deep"
    deep.mkdir(parents=True)
    for start, config in [(deep, inner), (inner.parent, inner), (tmp_path / "outer/a", outer)]:
        found = find_project(start, home=None)
        assert found is not None
        assert (found.config_path, found.root, found.via_worktree) == (config, config.parent.parent, None)


@pytest.mark.skipif(os.name == "nt" or os.getuid() != 0, reason="only root can give a file to another user")
@pytest.mark.parametrize("name", [".infinium", ".infinium/config.json"])
def test_a_project_file_of_another_user_is_passed_over_and_named(tmp_path: Path, name: str) -> None:
    """The project above it applies. The user can allow the directory, in the own file or in a variable."""
    outer, inner = project(tmp_path / "outer"), project(tmp_path / "outer/shared")
    shared = inner.parents[1]
    os.chown(shared / name, 54_321, 54_321)
    found = load(shared, {}, home=tmp_path)
    assert found.project is not None
    assert found.project.config_path == outer
    [problem] = found.problems
    assert problem.origin == str(inner)
    assert f"{inner} belongs to the user" in problem.message
    assert f"add {shared} to safe_directories" in problem.message
    environ = {"CONNECTOR_SAFE_DIRECTORIES": f"/elsewhere:{shared}"}
    for allowed in (load(shared, environ, home=tmp_path), load(shared, {}, home=allowing(tmp_path, shared))):
        assert allowed.project is not None
        assert (allowed.project.config_path, allowed.problems) == (inner, ())


def allowing(root: Path, directory: Path) -> Path:
    """A home directory whose user trusts the project in `directory`."""
    project(root / "home", json.dumps({"safe_directories": [str(directory)]}))
    return root / "home"


def test_without_a_home_in_the_environment_the_password_database_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user's rules of redaction hold there too, and the home directory is no project."""
    pwd = pytest.importorskip("pwd")
    project(tmp_path, json.dumps({"redact_patterns": ["ACME"]}))
    entry = pwd.struct_passwd(("me", "x", os.getuid(), 0, "", str(tmp_path), "/bin/sh"))
    monkeypatch.setattr(pwd, "getpwuid", {os.getuid(): entry}.__getitem__)
    for environ in ({}, {"HOME": ""}):
        settings = load(tmp_path, environ)
        assert (settings.redact_patterns.value, settings.project) == (("ACME",), None)


def test_a_relative_start_is_relative_to_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = project(tmp_path)
    (tmp_path / "src").mkdir()
    monkeypatch.chdir(tmp_path / "src")
    found = find_project(Path(), home=None)
    assert found is not None
    assert found.config_path == config


def test_a_directory_without_a_project_file_is_not_a_project(tmp_path: Path) -> None:
    (tmp_path / ".infinium").mkdir()
    assert find_project(tmp_path, home=None) is None
    assert load(tmp_path, {}, home=None).project is None


def test_the_infinium_directory_of_the_home_directory_is_not_a_project(tmp_path: Path) -> None:
    home = tmp_path / "home"
    project(home, json.dumps({"agent_id": AGENT}))
    (home / "code").mkdir()
    outside = project(tmp_path)
    for start in (home, home / "code"):
        found = find_project(start, home=home)
        assert found is not None
        assert found.config_path == outside
    own = project(home / "code" / "mine")
    found = find_project(own.parent.parent, home=home)
    assert found is not None
    assert found.config_path == own


def test_a_home_directory_behind_a_link_is_still_home(tmp_path: Path) -> None:
    project(tmp_path / "disk" / "home")
    symlink(tmp_path / "home", tmp_path / "disk" / "home")
    assert find_project(tmp_path / "disk" / "home", home=tmp_path / "home") is None
    assert find_project(tmp_path / "home", home=tmp_path / "home") is None


def test_a_linked_worktree_uses_the_main_checkouts_project(checkout: Path, tmp_path: Path) -> None:
    config = project(checkout)
    worktree = tmp_path / "elsewhere" / "work tree"
    git("worktree", "add", "-q", "--detach", worktree, cwd=checkout)
    below = worktree / "src"
    below.mkdir()
    for start in (worktree, below):
        found = find_project(start, home=None)
        assert found is not None
        assert (found.root, found.config_path, found.via_worktree) == (checkout, config, worktree)
    assert main_checkout(worktree) == checkout


def test_a_worktrees_own_project_comes_first(checkout: Path, tmp_path: Path) -> None:
    project(checkout)
    git("worktree", "add", "-q", "--detach", tmp_path / "wt", cwd=checkout)
    own = project(tmp_path / "wt")
    found = find_project(tmp_path / "wt", home=None)
    assert found is not None
    assert (found.config_path, found.via_worktree) == (own, None)


def test_a_project_above_the_main_checkout_is_found_from_the_worktree(checkout: Path, tmp_path: Path) -> None:
    (tmp_path / "group").mkdir()
    moved = checkout.rename(tmp_path / "group" / "main")
    config = project(tmp_path / "group")
    git("worktree", "add", "-q", "--detach", tmp_path / "wt", cwd=moved)
    found = find_project(tmp_path / "wt", home=None)
    assert found is not None
    assert (found.config_path, found.via_worktree) == (config, tmp_path / "wt")


def test_a_plain_checkout_and_a_bare_repository_have_no_main_checkout(checkout: Path, tmp_path: Path) -> None:
    assert main_checkout(checkout) is None
    assert find_project(checkout, home=None) is None
    git("clone", "-q", "--bare", checkout, tmp_path / "bare.git", cwd=tmp_path)
    git("worktree", "add", "-q", "--detach", tmp_path / "wt", cwd=tmp_path / "bare.git")
    assert main_checkout(tmp_path / "wt") is None
    assert find_project(tmp_path / "wt", home=None) is None


@pytest.mark.parametrize("text", ["", "gitdir:", "gitdir: ../gone", "something else", "gitdir: \udcff\0"])
def test_an_invalid_git_file_has_no_main_checkout(tmp_path: Path, text: str) -> None:
    (tmp_path / ".git").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert main_checkout(tmp_path) is None


def symlink(path: Path, target: Path) -> None:
    """Make a link. Windows lets few users do so, and Wine reports success without one."""
    try:
        path.symlink_to(target)
    except OSError as error:
        pytest.skip(f"no links: {error}")
    if not path.is_symlink():
        pytest.skip("Wine makes no links")


def link(config: Path) -> None:
    (config.parent / "other").write_text("{}")
    symlink(config, Path("other"))


def fifo(config: Path) -> None:
    if os.name == "nt":
        pytest.skip("Windows has no FIFOs")
    os.mkfifo(config)


def too_large(config: Path) -> None:
    config.write_bytes(b'{"x": "' + b"a" * (1 << 20) + b'"}')


@pytest.mark.parametrize("make", [link, fifo, Path.mkdir, too_large], ids=["link", "FIFO", "directory", "1 MiB"])
def test_only_a_small_regular_file_is_a_project_file(tmp_path: Path, make: "type[Path]") -> None:
    config = tmp_path / ".infinium" / "config.json"
    config.parent.mkdir()
    make(config)
    assert find_project(tmp_path, home=None) is None
    with pytest.raises(ProjectFileError, match="at most 1 MiB") as caught:
        read_project_file(config)
    assert str(config) in str(caught.value)


OF_1X = {
    "vendor": {"zeta": [1, None, 2.5], "name": "Zoë"},
    "agent_id": AGENT,
    "base_url": "https://platform.i42m.ai/api/v1",
    "paused": True,
    "flush_on_stop": False,
    "flush_on_session_end": True,
    "claude_hooks": ["PreToolUse"],
}


def test_a_file_of_1x_loads_unchanged_and_keeps_the_keys_of_others(tmp_path: Path) -> None:
    config = project(tmp_path, json.dumps(OF_1X))
    file = read_project_file(config)
    assert file == ProjectFile(
        agent_id=AGENT,
        base_url="https://platform.i42m.ai/api/v1",
        paused=True,
        flush_on_stop=False,
        flush_on_session_end=True,
        redaction=None,
        extra={"vendor": {"zeta": [1, None, 2.5], "name": "Zoë"}, "claude_hooks": ["PreToolUse"]},
    )
    assert write_project_file(config, file) is True
    assert json.loads(config.read_text("utf-8")) == OF_1X
    assert "Zoë" in config.read_text(encoding="utf-8")
    assert read_project_file(config) == file


@pytest.mark.parametrize("prefix", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte order mark"])
def test_null_and_empty_values_set_nothing(tmp_path: Path, prefix: bytes) -> None:
    config = project(tmp_path)
    config.write_bytes(prefix + b'{"agent_id": null, "base_url": "", "paused": null}')
    assert read_project_file(config) == ProjectFile()


def test_a_lone_surrogate_in_an_unknown_key_does_not_prevent_a_write(tmp_path: Path) -> None:
    config = project(tmp_path, '{"foreign": "\\ud83d", "paused": true}')
    file = read_project_file(config)
    assert write_project_file(config, file) is True
    assert read_project_file(config) == file


def test_a_write_is_private_atomic_and_not_repeated(tmp_path: Path) -> None:
    config = tmp_path / "new" / ".infinium" / "config.json"
    file = ProjectFile(agent_id=AGENT, paused=False, extra={"other": [1]})
    before = os.umask(0)
    try:
        assert write_project_file(config, file) is True
    finally:
        os.umask(before)
    assert os.name == "nt" or config.stat().st_mode & 0o7777 == 0o600
    first = (config.read_bytes(), config.stat().st_ino, config.stat().st_mtime_ns)
    assert write_project_file(config, read_project_file(config)) is False
    assert (config.read_bytes(), config.stat().st_ino, config.stat().st_mtime_ns) == first
    assert [path.name for path in config.parent.iterdir()] == ["config.json"]


def test_a_write_replaces_a_link_and_does_not_change_its_target(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("mine")
    config = tmp_path / ".infinium" / "config.json"
    config.parent.mkdir()
    symlink(config, target)
    assert write_project_file(config, ProjectFile(paused=True)) is True
    assert target.read_text() == "mine"
    assert not config.is_symlink()


def test_the_content_of_a_project_file(tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    config = tmp_path / ".infinium" / "config.json"
    file = ProjectFile(agent_id=AGENT, base_url="local", paused=False, redaction="on", extra={"other": {"a": "ü"}})
    write_project_file(config, file)
    assert config.read_text(encoding="utf-8") == snapshot


REFUSED = [
    "{",
    "",
    '{"a": "\xff"}',
    "[1]",
    "[" * 100_000,
    '{"agent_id": 7}',
    '{"agent_id": "seven"}',
    '{"base_url": ["https://one.example"]}',
    '{"base_url": "one.example"}',
    '{"paused": "yes"}',
    '{"paused": 1}',
    '{"flush_on_stop": "' + "long " * 40 + '"}',
    '{"redaction": "none"}',
    '{"redact_patterns": "ACME"}',
    '{"redact_patterns": ["fine", 7]}',
]


def test_errors_of_invalid_files(tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    config = project(tmp_path)
    messages = []
    for text in REFUSED:
        config.write_bytes(text.encode("latin-1"))
        with pytest.raises(ProjectFileError) as caught:
            load(tmp_path, {}, home=None)
        message = str(caught.value).replace(str(config), "PROJECT/.infinium/config.json")
        messages.append(
            re.sub(r"is not valid JSON \(.+\)", "is not valid JSON (WHY)", message)
        )  # the wording depends on the Python version
    assert "\n".join(messages) == snapshot


def test_error_of_a_file_that_cannot_be_written(tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    config = tmp_path / ".infinium" / "config.json"
    config.parent.write_text("in the way")
    with pytest.raises(ProjectFileError) as caught:
        write_project_file(config, ProjectFile())
    message = str(caught.value).replace(str(config), "PROJECT/.infinium/config.json")
    assert message.replace("already exists", "exists") == snapshot  # as Windows says it


def linked_directory(root: Path, target: Path) -> Path:
    link = root / ".infinium"
    symlink(link, target / ".infinium")
    return link


def linked_file(root: Path, target: Path) -> Path:
    link = root / ".infinium" / "config.json"
    link.parent.mkdir()
    symlink(link, target / ".infinium" / "config.json")
    return link


@pytest.mark.parametrize("make", [linked_directory, linked_file])
def test_a_linked_project_directory_or_file_is_not_used_and_its_target_is_named(
    tmp_path: Path, make: Callable[[Path, Path], Path]
) -> None:
    elsewhere = project(tmp_path / "elsewhere", json.dumps({"agent_id": AGENT}))
    above = project(tmp_path / "work", "{}")
    (tmp_path / "work" / "app").mkdir()
    link = make(tmp_path / "work" / "app", tmp_path / "elsewhere")
    settings = load(tmp_path / "work" / "app", {}, home=tmp_path / "home")
    assert settings.project == Project(root=tmp_path / "work", config_path=above), "the search continues above"
    assert settings.agent_id.value is None
    (problem,) = settings.problems
    assert problem.name == "project"
    assert str(link) in problem.message
    assert str(elsewhere if make is linked_file else elsewhere.parent) in problem.message
    if os.name != "nt":  # where files have owners with names
        import pwd

        assert pwd.getpwuid(os.getuid()).pw_name in problem.message


@pytest.mark.parametrize("target", [".infinium", "/dev/zero", "missing"])
def test_a_link_that_leads_nowhere_is_named_too(tmp_path: Path, target: str) -> None:
    symlink(tmp_path / ".infinium", Path(target))
    settings = load(tmp_path, {}, home=tmp_path / "home")
    assert settings.project is None
    assert [problem.origin for problem in settings.problems] == [str(tmp_path / ".infinium")]


def test_no_project_file_is_written_through_a_linked_directory(tmp_path: Path) -> None:
    elsewhere = project(tmp_path / "elsewhere", "{}")
    symlink(tmp_path / ".infinium", elsewhere.parent)
    with pytest.raises(ProjectFileError, match="leads to") as caught:
        write_project_file(tmp_path / ".infinium" / "config.json", ProjectFile(paused=True))
    assert str(elsewhere.parent) in str(caught.value)
    assert elsewhere.read_text() == "{}"


def test_the_users_own_directory_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    dotfiles = project(tmp_path / "dotfiles", json.dumps({"redaction": "metadata-only"}))
    symlink(tmp_path / "home" / ".infinium", dotfiles.parent)
    settings = load(tmp_path / "home", {}, home=tmp_path / "home")
    assert (settings.redaction.value, settings.problems) == ("metadata-only", ())
