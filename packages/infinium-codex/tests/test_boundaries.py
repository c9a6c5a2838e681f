"""Who may import whom, and what is said in two places and must stay the same."""

import ast
import re
import tomllib
from pathlib import Path

import pytest
from infinium_codex.support.paths import find_places
from infinium_codex.version import VERSION
from infinium_config import approvals_path

WORKSPACE = Path(__file__).parents[3]
SOURCES = {
    "infinium_config": WORKSPACE / "packages" / "infinium-config",
    "infinium_trace": WORKSPACE / "packages" / "infinium-trace",
    "infinium_transport": WORKSPACE / "packages" / "infinium-transport",
    "infinium_codex": WORKSPACE / "packages" / "infinium-codex",
}
MAY_IMPORT = {
    "infinium_config": set[str](),
    "infinium_trace": set[str](),
    "infinium_transport": set[str](),
    "infinium_codex": {"infinium_config", "infinium_trace", "infinium_transport"},
}


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("package", SOURCES)
def test_the_first_three_packages_never_import_one_another(package: str) -> None:
    files = sorted((SOURCES[package] / "src").rglob("*.py"))
    assert files
    siblings = set(SOURCES) - {package} - MAY_IMPORT[package]
    assert {str(path): imported(path) & siblings for path in files if imported(path) & siblings} == {}


def test_the_trace_model_touches_nothing() -> None:
    """No file, no network, and no clock but the one that ends a user's pattern that never would."""
    files = (SOURCES["infinium_trace"] / "src").rglob("*.py")
    forbidden = {"http", "os", "random", "socket", "subprocess", "tempfile", "threading", "time"}
    found = {path.name: imported(path) & forbidden for path in files if imported(path) & forbidden}
    assert found == {"redact.py": {"time"}}


def test_the_version_is_the_packages() -> None:
    """A constant, since importlib.metadata costs the worker 50 ms."""
    project = tomllib.loads((SOURCES["infinium_codex"] / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["version"] == VERSION


def test_the_approved_origins_are_those_of_all_connectors() -> None:
    assert find_places({}).origins == approvals_path()


@pytest.mark.parametrize("package", SOURCES)
def test_the_changelog_knows_every_version(package: str) -> None:
    project = tomllib.loads((SOURCES[package] / "pyproject.toml").read_text("utf-8"))["project"]
    changelog = (WORKSPACE / "CHANGELOG.md").read_text("utf-8")
    section = re.search(rf"^## {project['name']}$(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    assert section
    assert f"### {project['version']}" in section[1]


def test_the_check_runs_the_readmes_own_command() -> None:
    readme = (WORKSPACE / "README.md").read_text("utf-8")
    check = (WORKSPACE / ".ci" / "run").read_text("utf-8")
    [command] = re.findall(r"^    (.*bin/nox)$", readme, re.MULTILINE)
    assert f"\n{command}\n" in check


def test_the_readme_names_every_module_of_the_application() -> None:
    readme = (SOURCES["infinium_codex"] / "README.md").read_text("utf-8")
    source = SOURCES["infinium_codex"] / "src" / "infinium_codex"
    modules = {path.stem for path in source.glob("*.py")} - {"__init__"}
    modules |= {f"{path.parent.name}/" for path in source.glob("*/__init__.py")}
    assert {module for module in modules if f"`{module}`" not in readme} == set()
