"""Reads what Codex's configuration says about hooks in a project: policy, feature flag, trust in the project.

Codex itself is asked (`config/read`, `configRequirements/read`): only it knows all its configuration layers.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from infinium_config import find_checkout
from msgspec import Struct

from infinium_codex.codex.app_server import AppServer, AppServerError
from infinium_codex.codex.program import CodexProgram
from infinium_codex.codex.versions import HOOKS_ON_SINCE, TRUST_SINCE
from infinium_codex.support.json_fields import mapping, text
from infinium_codex.support.paths import is_same_path

REQUIREMENTS = "requirements.toml, which your administrator keeps"
FLAG, OLD_FLAG = "hooks", "codex_hooks"
"""The feature flag for hooks. Codex 0.129 and later use the new name and warn about the old one."""

Layer = Mapping[str, object]
"""One of Codex's configuration files, with its content, as `config/read` lists it."""


class CodexSettings(Struct, frozen=True, kw_only=True):
    """What Codex's configuration says about hooks in one project."""

    hooks_off: str = ""
    """The file that turns hooks off; empty if they are on."""
    managed_only: bool = False
    """Whether an administrator allows only managed hooks."""
    trusted: bool = True
    """Whether Codex trusts the project. If not, it ignores the project's `.codex`; 0.118 and 0.124 ran its hooks."""
    old_flag: bool = False
    """Whether the user's config.toml turns hooks on by the flag's old name, about which this Codex warns."""
    new_flag: bool = False
    """Whether the user's config.toml has the flag's new name."""


def read_codex_settings(server: AppServer, codex: CodexProgram, root: Path) -> CodexSettings:
    """Ask Codex about the project at `root`. Raises AppServerError if it does not answer."""
    try:
        requirements = mapping(server.ask("configRequirements/read", {}), "requirements")
    except AppServerError:
        requirements = {}  # this version has no requirements
    config = server.ask("config/read", {"cwd": str(root), "includeLayers": True})
    return codex_settings(requirements, config, codex, root)


def codex_settings(
    requirements: Mapping[str, object], answer: Mapping[str, object], codex: CodexProgram, root: Path
) -> CodexSettings:
    """Evaluate app-server's answers to `configRequirements/read` and `config/read`."""
    listed = answer.get("layers")
    layers = [layer for layer in (listed if isinstance(listed, list) else []) if isinstance(layer, dict)]
    config = mapping(answer, "config")
    user = next((_features(layer) for layer in layers if _kind(layer) == "user"), {})
    has_new_flag = codex.since(TRUST_SINCE)
    names = (FLAG, OLD_FLAG) if has_new_flag else (OLD_FLAG,)
    return CodexSettings(
        hooks_off=_hooks_off(requirements, config, layers, names) if codex.since(HOOKS_ON_SINCE) else "",
        managed_only=requirements.get("allowManagedHooksOnly") is True,
        trusted=not codex.since(TRUST_SINCE) or _is_trusted(config, layers, root),
        old_flag=has_new_flag and user.get(OLD_FLAG) is True,
        new_flag=FLAG in user,
    )


def _hooks_off(
    requirements: Mapping[str, object], config: Mapping[str, object], layers: Iterable[Layer], names: tuple[str, ...]
) -> str:
    """Return the file that turns hooks off, or "". An administrator's requirement overrides the configuration."""
    required = _flag(mapping(requirements, "featureRequirements"), (FLAG, OLD_FLAG))
    if required is not None:
        return "" if required else REQUIREMENTS
    features = mapping(config, "features")
    if _flag(features, names) is not False:
        return ""
    name = next(name for name in names if features.get(name) is False)
    return f"{_file_with(layers, name)} (features.{name} = false)"


def _flag(features: Mapping[str, object], names: tuple[str, ...]) -> bool | None:
    """Return the flag's value. If both names are set, Codex uses the first of `names`."""
    return next((value for name in names if isinstance(value := features.get(name), bool)), None)


def _file_with(layers: Iterable[Layer], name: str) -> str:
    """Return the file that sets a feature to false."""
    for layer in layers:
        if _features(layer).get(name) is False and not text(layer, "disabledReason"):
            return _file(layer)
    return "its configuration"


def _is_trusted(config: Mapping[str, object], layers: Iterable[Layer], root: Path) -> bool:
    layer = _project_layer(layers, root)
    if layer is not None:
        return text(layer, "disabledReason") is None
    # A project without `.codex` has no layer. Trust in a main checkout covers its linked worktrees.
    checkout = find_checkout(root)
    directories = [root, *([checkout.root, checkout.main or checkout.root] if checkout else [])]
    projects = mapping(config, "projects")
    trusted = [path for path in projects if text(mapping(projects, path), "trust_level") == "trusted"]
    return any(is_same_path(path, directory) for path in trusted for directory in directories)


def _project_layer(layers: Iterable[Layer], root: Path) -> Layer | None:
    for layer in layers:
        folder = text(mapping(layer, "name"), "dotCodexFolder")
        if _kind(layer) == "project" and folder is not None and is_same_path(folder, root / ".codex"):
            return layer
    return None


def _features(layer: Layer) -> Mapping[str, object]:
    return mapping(mapping(layer, "config"), "features")


def _kind(layer: Layer) -> str | None:
    """Return the kind of a layer, such as user or project."""
    return text(mapping(layer, "name"), "type")


def _file(layer: Layer) -> str:
    name = mapping(layer, "name")
    folder = text(name, "dotCodexFolder")
    return str(Path(folder) / "config.toml") if folder else text(name, "file") or f"its {_kind(layer)} configuration"
