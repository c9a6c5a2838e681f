"""What siblings may import, and what importing it costs them."""

import subprocess
import sys
from types import ModuleType

import infinium_config
from syrupy.assertion import SnapshotAssertion


def test_public_names(snapshot: SnapshotAssertion) -> None:
    assert "\n".join(infinium_config.__all__) == snapshot
    assert all(hasattr(infinium_config, name) for name in infinium_config.__all__)
    assert len(set(infinium_config.__all__)) == len(infinium_config.__all__)


def test_every_public_name_is_said_to_be_public() -> None:
    values = vars(infinium_config).items()
    public = {name for name, value in values if not name.startswith("_") and not isinstance(value, ModuleType)}
    assert public == set(infinium_config.__all__)


def test_importing_it_does_not_import_keyring() -> None:
    code = "import sys; before = set(sys.modules); import infinium_config; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert "infinium_config" in loaded
    assert not loaded & {"keyring", "secretstorage", "jeepney", "importlib_metadata", "asyncio", "http", "logging"}
