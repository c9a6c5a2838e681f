"""Who may import whom, and what is said in two places and must stay the same."""

import ast
import re
import tomllib
from pathlib import Path

import pytest
from infinium_codex.codex.hook_events import EVENT_NAMES
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


APPLICATION = SOURCES["infinium_codex"] / "src" / "infinium_codex"
ROOMS = (
    *("cli", "commands", "setup", "backfill", "background", "doctor", "view", "session", "demo", "codex"),
    *("capture", "delivery", "otlp", "agent", "console", "support", "version"),
)
"""The rooms and the loose modules of the application, the highest first."""
NEUTRAL = ("background", "session", "capture", "delivery", "otlp", "support", "agent")
"""They work for any agent, and know one only through the protocol in `agent`."""


def sources(room: str) -> list[Path]:
    """The Python files of a room, or of a loose module."""
    return sorted((APPLICATION / room).rglob("*.py")) or [APPLICATION / f"{room}.py"]


def rooms_imported(path: Path) -> set[str]:
    """The rooms of which a file imports something."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module == "infinium_codex":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("infinium_codex."):
            found.add(str(node.module).split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("infinium_codex.")}
    return found


def test_every_room_has_its_place() -> None:
    found = {path.stem for path in APPLICATION.glob("*.py")} | {path.parent.name for path in APPLICATION.glob("*/*.py")}
    assert found - {"__init__"} == set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_rooms_below_it(room: str) -> None:
    allowed = {room, *ROOMS[ROOMS.index(room) + 1 :]}
    wrong = {str(path.relative_to(APPLICATION)): rooms_imported(path) - allowed for path in sources(room)}
    assert {path: rooms for path, rooms in wrong.items() if rooms} == {}


@pytest.mark.parametrize("room", NEUTRAL)
def test_a_neutral_room_imports_no_agent(room: str) -> None:
    wrong = [str(path.relative_to(APPLICATION)) for path in sources(room) if "codex" in rooms_imported(path)]
    assert wrong == []


@pytest.mark.parametrize("room", NEUTRAL)
def test_a_neutral_room_names_no_agent_and_none_of_its_events(room: str) -> None:
    """The word may occur only in the names of the package, the distribution and the command."""
    events = "|".join(EVENT_NAMES)
    agents_words = re.compile(rf"(?<!infinium[-_])(?i:codex)|['\"`](?:{events})['\"`]")
    found = [
        f"{path.relative_to(APPLICATION)}:{number}: {line.strip()}"
        for path in sources(room)
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if agents_words.search(line)
    ]
    assert found == []


def test_an_event_name_is_declared_once() -> None:
    quoted = re.compile(rf"['\"](?:{'|'.join(EVENT_NAMES)})['\"]")
    paths = [path for path in APPLICATION.rglob("*.py") if quoted.search(path.read_text("utf-8"))]
    assert {path.relative_to(APPLICATION).as_posix() for path in paths} == {"codex/hook_events.py"}


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


def test_the_guides_name_files_that_exist() -> None:
    """ARCHITECTURE.md and CONTRIBUTING.md answer "where is X done?" with file names, so each name is a file."""
    packages = WORKSPACE / "packages"
    application = packages / "infinium-codex"
    roots = [WORKSPACE, packages, application, application / "src" / "infinium_codex"]
    roots += [package / "src" for package in packages.iterdir()]
    text = "".join((WORKSPACE / name).read_text("utf-8") for name in ("ARCHITECTURE.md", "CONTRIBUTING.md"))
    named = set(re.findall(r"`([\w-][\w/-]*\.(?:py|toml|md))`", text)) - {"commands/NAME.py", "config.toml"}
    assert {name for name in named if not any((root / name).exists() for root in roots)} == set()
