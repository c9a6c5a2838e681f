"""The real Codex in a sandbox, or a skip that says what is missing (an error where nothing may be missing)."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from codex_install import CodexUnavailableError, chosen_versions, install_codex
from machine import end_timers
from sandbox import Sandbox

MakeSandbox = Callable[[str], Sandbox]


@pytest.fixture(autouse=True)
def no_timer_stays(tmp_path: Path) -> Iterator[None]:
    """No timer outlives the test that started it."""
    yield
    end_timers(tmp_path)


@pytest.fixture(params=chosen_versions())
def sandbox(request: pytest.FixtureRequest, tmp_path: Path) -> Sandbox:
    """An empty home with one of the chosen versions of Codex."""
    return _sandbox(request.param, tmp_path)


@pytest.fixture
def newest(tmp_path: Path) -> Sandbox:
    """An empty home with the newest of the chosen versions."""
    return _sandbox(max(chosen_versions(), key=lambda version: tuple(map(int, version.split(".")))), tmp_path)


def _sandbox(version: str, root: Path) -> Sandbox:
    try:
        codex = install_codex(version)
    except CodexUnavailableError as error:
        pytest.skip(f"Codex {version}: {error}")
    return Sandbox(root, codex, version)
