"""The package's public names, and a lean import without I/O libraries."""

import subprocess
import sys

import infinium_trace
import pytest
from syrupy.assertion import SnapshotAssertion

UNWANTED = frozenset({"socket", "ssl", "subprocess", "http", "urllib.request", "tempfile", "shutil", "asyncio"})


def test_public_names(snapshot: SnapshotAssertion) -> None:
    assert infinium_trace.__all__ == snapshot


def test_every_public_name_exists() -> None:
    assert [name for name in infinium_trace.__all__ if not hasattr(infinium_trace, name)] == []


@pytest.fixture(scope="module")
def imported() -> frozenset[str]:
    """The modules that importing the package loads in a fresh interpreter."""
    code = "import sys; before = set(sys.modules); import infinium_trace; print(*(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return frozenset(done.stdout.split())


def test_importing_it_loads_no_io_library(imported: frozenset[str]) -> None:
    assert "infinium_trace.fold" in imported, "the list is of the right interpreter"
    assert sorted(imported.intersection(UNWANTED)) == []


def test_it_imports_no_sibling_package(imported: frozenset[str]) -> None:
    ours = {name.partition(".")[0] for name in imported if name.startswith("infinium_")}
    assert ours == {"infinium_trace"}
