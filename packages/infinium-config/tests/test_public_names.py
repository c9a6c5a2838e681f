"""The public names, and what importing them loads."""

import ast
import subprocess
import sys
from pathlib import Path

import infinium_config
import pytest
from syrupy.assertion import SnapshotAssertion


def test_public_names(snapshot: SnapshotAssertion) -> None:
    assert "\n".join(infinium_config.__all__) == snapshot
    assert all(hasattr(infinium_config, name) for name in infinium_config.__all__)
    assert len(set(infinium_config.__all__)) == len(infinium_config.__all__)


def test_every_public_name_is_listed_exported_and_typed() -> None:
    tree = ast.parse(Path(infinium_config.__file__).read_text("utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module != "importlib"]
    typed = {alias.name: node.module for node in imports for alias in node.names}
    names = {name: f"infinium_config.{module}" for module, names in infinium_config._MODULES.items() for name in names}
    assert names == typed
    assert set(names) == set(infinium_config.__all__)


def test_no_public_name_is_the_name_of_a_module() -> None:
    """Importing the module would hide the name."""
    modules = {path.stem for path in Path(infinium_config.__file__).parent.glob("*.py")}
    assert not modules & set(infinium_config.__all__)


def test_an_unknown_name_is_an_ordinary_import_error() -> None:
    with pytest.raises(ImportError, match="no_such_name"):
        exec("from infinium_config import no_such_name")
    assert not hasattr(infinium_config, "no_such_name")


def loaded_by(statement: str) -> set[str]:
    """The modules that a statement loads in a fresh interpreter."""
    code = f"import sys; before = set(sys.modules); {statement}; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_it_does_not_import_keyring() -> None:
    loaded = {name.split(".")[0] for name in loaded_by("from infinium_config import *")}
    assert "infinium_config" in loaded
    assert not loaded & {"keyring", "secretstorage", "jeepney", "importlib_metadata", "asyncio", "http", "logging"}


def test_files_locks_and_variables_load_nothing_else() -> None:
    """A worker imports them at every prompt."""
    own = {f"infinium_config{name}" for name in ("", ".errors", ".files", ".locks", ".variables")}
    statement = "import infinium_config.files, infinium_config.locks, infinium_config.variables"
    assert loaded_by(statement) <= own | {"time"}
