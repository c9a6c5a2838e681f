"""The Windows that the tests share. Making it takes half a minute, installing the connector another."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from machine_windows import User
from tables import Tables
from wine_lab import DEBIAN_PACKAGES, PACKAGES, ROOT, Lab, install_connector, set_up

VERSIONS = tuple(filter(None, os.environ.get("INFINIUM_WINDOWS_CODEX", "").split(","))) or ("0.169.0",)

_tables = Tables()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test of Codex with each version."""
    if "version" in metafunc.fixturenames:
        metafunc.parametrize("version", VERSIONS)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A running Windows with the connector installed from its wheels."""
    directory = Path(os.environ.get("INFINIUM_WINDOWS_LAB") or ROOT / ".nox" / "windows-lab")
    try:
        lab = set_up(directory.resolve(), VERSIONS)
    except SystemExit as error:
        pytest.skip(f"no Windows: {error} (Debian packages: {', '.join(sorted(set(DEBIAN_PACKAGES.values())))})")
    wheels = tmp_path_factory.mktemp("wheels")
    sources = [str(ROOT / "packages" / package) for package in PACKAGES]
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(wheels), *sources]
    subprocess.run(build, check=True, env=os.environ | {"INFINIUM_RELEASE": "1"})
    with lab.running():
        install_connector(lab, wheels)
        yield lab


@pytest.fixture
def user(lab: Lab, request: pytest.FixtureRequest) -> Iterator[User]:
    """A user with an empty project, whose path has a space and a letter outside ASCII."""
    user = User(lab, request.node.name)
    yield user
    user.remove_everything()


@pytest.fixture
def tables() -> Tables:
    """The tables that are printed at the end."""
    return _tables


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the tables."""
    for title, lines in _tables.lines():
        terminalreporter.section(title)
        for line in lines:
            terminalreporter.write_line(line)
