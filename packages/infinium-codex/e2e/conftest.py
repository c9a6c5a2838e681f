"""The real Codex in a sandbox, or a skip that names what is missing (an error where nothing may be missing)."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from codex_install import chosen_versions
from machine import end_background
from sandbox import Sandbox, sandbox_with


@pytest.fixture(autouse=True)
def no_process_stays(tmp_path: Path) -> Iterator[None]:
    """Ends the connector's background processes after each test."""
    yield
    end_background(tmp_path)


@pytest.fixture(params=chosen_versions())
def sandbox(request: pytest.FixtureRequest, tmp_path: Path) -> Sandbox:
    """A sandbox for each of the chosen versions of Codex."""
    return sandbox_with(request.param, tmp_path)


@pytest.fixture
def newest(tmp_path: Path) -> Sandbox:
    """A sandbox with the newest of the chosen versions."""
    return sandbox_with(max(chosen_versions(), key=lambda version: tuple(map(int, version.split(".")))), tmp_path)
