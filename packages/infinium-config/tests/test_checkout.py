"""Where a checkout keeps its data, for real git checkouts of every kind."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from infinium_config import Checkout, find_checkout, read_checkout


def git(*arguments: str | Path, cwd: Path) -> str:
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environ = {**own, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b.example", "-c", "protocol.file.allow=always"]
    return subprocess.run(
        [*command, *arguments], cwd=cwd, env=environ, check=True, capture_output=True, text=True
    ).stdout


@pytest.fixture
def main(tmp_path: Path) -> Path:
    if shutil.which("git") is None:
        pytest.skip("git is not on PATH")
    main = tmp_path / "main"
    main.mkdir()
    git("init", "-q", cwd=main)
    git("commit", "-q", "--allow-empty", "-m", "one", cwd=main)
    return main


def agrees_with_git(checkout: Checkout) -> None:
    for option, directory in (("--git-dir", checkout.git_dir), ("--git-common-dir", checkout.common_dir)):
        told = git("rev-parse", "--path-format=absolute", option, cwd=checkout.root).strip()
        assert directory.resolve() == Path(told).resolve()


def test_a_main_checkout(main: Path) -> None:
    (main / "src").mkdir()
    checkout = find_checkout(main / "src")
    assert checkout == Checkout(root=main, git_dir=main / ".git", common_dir=main / ".git")
    agrees_with_git(checkout)


def test_a_linked_worktree(main: Path, tmp_path: Path) -> None:
    git("worktree", "add", "-q", "--detach", tmp_path / "wt", cwd=main)
    checkout = read_checkout(tmp_path / "wt")
    assert checkout is not None
    assert checkout.main == main
    agrees_with_git(checkout)


def test_a_worktree_of_a_bare_repository_has_no_main_checkout(main: Path, tmp_path: Path) -> None:
    git("clone", "-q", "--bare", main, "bare.git", cwd=tmp_path)
    git("worktree", "add", "-q", "--detach", tmp_path / "wt", cwd=tmp_path / "bare.git")
    checkout = read_checkout(tmp_path / "wt")
    assert checkout is not None
    assert checkout.main is None
    agrees_with_git(checkout)


def test_a_submodule_is_not_a_linked_worktree(main: Path, tmp_path: Path) -> None:
    (tmp_path / "library").mkdir()
    git("clone", "-q", main, tmp_path / "library", cwd=tmp_path)
    git("submodule", "add", "-q", tmp_path / "library", "lib", cwd=main)
    checkout = find_checkout(main / "lib")
    assert checkout is not None
    assert (checkout.root, checkout.main) == (main / "lib", None)
    agrees_with_git(checkout)


@pytest.mark.parametrize("text", ["", "gitdir", "something else"])
def test_an_invalid_git_file_ends_the_search(main: Path, text: str) -> None:
    (main / "sub").mkdir()
    (main / "sub" / ".git").write_text(text)
    assert find_checkout(main / "sub") is None


def test_outside_of_git_there_is_no_checkout(tmp_path: Path) -> None:
    assert find_checkout(tmp_path) is None
