"""The names of the public interface, and what importing it loads."""

import subprocess
import sys

import infinium_transport
from syrupy.assertion import SnapshotAssertion


def test_public_names(snapshot: SnapshotAssertion) -> None:
    assert sorted(infinium_transport.__all__) == snapshot


def test_importing_it_does_not_import_niquests() -> None:
    code = "import infinium_transport, sys; print('niquests' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
