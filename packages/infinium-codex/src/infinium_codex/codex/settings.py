"""What Codex's own configuration says about hooks in a project: policy, feature flag, trust in the project.

Codex is asked (`config/read`, `configRequirements/read`): it knows its layers, we would only guess.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from infinium_config import main_checkout
from msgspec import Struct

from infinium_codex.codex.app_server import AppServer, AppServerError
from infinium_codex.codex.program import CodexProgram
from infinium_codex.codex.versions import HOOKS_ON_SINCE, TRUST_SINCE
from infinium_codex.support.json_fields import mapping, text

REQUIREMENTS = "requirements.toml, which your administrator keeps"
FLAG, OLD_FLAG = "hooks", "codex_hooks"


class CodexSettings(Struct, frozen=True, kw_only=True):
    """The answers, for one project."""

    hooks_off: str = ""
    """The file that turns hooks off; empty when they are on."""
    managed_only: bool = False
    """Whether an administrator lets managed hooks run and no others."""
    trusted: bool = True
    """Whether Codex trusts the project: else its whole `.codex` is ignored. 0.118 and 0.124 ran untrusted hooks."""
    old_flag: bool = False
    """Whether the user's config.toml turns hooks on by the flag's old name, of which this Codex warns."""
    new_flag: bool = False
    """Whether it also has the flag's new name."""


def read_codex_settings(server: AppServer, codex: CodexProgram, root: Path) -> CodexSettings:
    """Ask Codex about the project at `root`."""
    try:
        requirements = mapping(server.ask("configRequirements/read", {}), "requirements")
    except AppServerError:
        requirements = {}  # a version without them
    return codex_settings(
        requirements, server.ask("config/read", {"cwd": str(root), "includeLayers": True}), codex, root
    )


def codex_settings(
    requirements: Mapping[str, object], answer: Mapping[str, object], codex: CodexProgram, root: Path
) -> CodexSettings:
    """Read the two answers of app-server."""
    layers = [layer for layer in _list(answer.get("layers")) if isinstance(layer, dict)]
    names = (FLAG, OLD_FLAG) if codex.since(TRUST_SINCE) else (OLD_FLAG,)
    users = [mapping(mapping(layer, "config"), "features") for layer in layers if _kind(layer) == "user"]
    user = users[0] if users else {}
    return CodexSettings(
        hooks_off=_hooks_off(requirements, answer, layers, names) if codex.since(HOOKS_ON_SINCE) else "",
        managed_only=requirements.get("allowManagedHooksOnly") is True,
        trusted=not codex.since(TRUST_SINCE) or _trusted(mapping(answer, "config"), layers, root),
        old_flag=codex.since(TRUST_SINCE) and user.get(OLD_FLAG) is True,
        new_flag=FLAG in user,
    )


def _hooks_off(
    requirements: Mapping[str, object],
    answer: Mapping[str, object],
    layers: Iterable[Mapping[str, object]],
    names: tuple[str, ...],
) -> str:
    required = _flag(mapping(requirements, "featureRequirements"), (FLAG, OLD_FLAG))
    if required is not None:
        return "" if required else REQUIREMENTS
    features = mapping(mapping(answer, "config"), "features")
    if _flag(features, names) is not False:
        return ""
    name = next(name for name in names if features.get(name) is False)
    for layer in layers:
        off = mapping(mapping(layer, "config"), "features").get(name) is False
        if off and not text(layer, "disabledReason"):
            return f"{_file(layer)} (features.{name} = false)"
    return f"its configuration (features.{name} = false)"


def _flag(features: Mapping[str, object], names: tuple[str, ...]) -> bool | None:
    """The flag's value: where both names are set, Codex takes the new one."""
    return next((value for name in names if isinstance(value := features.get(name), bool)), None)


def _trusted(config: Mapping[str, object], layers: Iterable[Mapping[str, object]], root: Path) -> bool:
    folder = root / ".codex"
    for layer in layers:  # a project without a `.codex` has no layer
        if _kind(layer) == "project" and _same(text(mapping(layer, "name"), "dotCodexFolder"), folder):
            return text(layer, "disabledReason") is None
    checkout = next((directory for directory in (root, *root.parents) if (directory / ".git").exists()), root)
    projects = mapping(config, "projects")
    trusted = [path for path in projects if text(mapping(projects, path), "trust_level") == "trusted"]
    here = [root, checkout, main_checkout(checkout) or checkout]  # trust in a main checkout covers its worktrees
    return any(_same(path, place) for path in trusted for place in here)


def _kind(layer: Mapping[str, object]) -> str | None:
    return text(mapping(layer, "name"), "type")


def _file(layer: Mapping[str, object]) -> str:
    name = mapping(layer, "name")
    folder = text(name, "dotCodexFolder")
    return str(Path(folder) / "config.toml") if folder else text(name, "file") or f"its {_kind(layer)} configuration"


def _same(path: str | None, other: Path) -> bool:
    return path is not None and Path(path).resolve() == other.resolve()


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
