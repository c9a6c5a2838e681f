"""Codex's feature flag for hooks: set where a version needs it, and under the name it has now."""

from collections.abc import Mapping
from pathlib import Path

from infinium_codex.codex.app_server import AppServer, AppServerError
from infinium_codex.codex.config_toml import feature_flag, with_feature
from infinium_codex.codex.program import CodexProgram, codex_home
from infinium_codex.codex.settings import FLAG, OLD_FLAG, CodexSettings
from infinium_codex.codex.versions import HOOKS_ON_SINCE


def needs_flag(codex: CodexProgram | None, environ: Mapping[str, str]) -> bool:
    """Whether hooks are off in this Codex (before 0.124) until the user's config turns them on.

    Raises ConfigTomlError for a config.toml nobody can read.
    """
    if codex is None or codex.since(HOOKS_ON_SINCE):
        return False
    return not feature_flag(codex_home(environ) / "config.toml", OLD_FLAG)


def turn_on(codex: CodexProgram, cwd: Path, environ: Mapping[str, str]) -> str:
    """Set the flag, through Codex where it can; say what was done."""
    path = codex_home(environ) / "config.toml"
    try:
        with AppServer(codex, cwd, environ) as server:
            server.write_config({f"features.{OLD_FLAG}": True})
    except AppServerError:
        text = with_feature(path, OLD_FLAG)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return f"{OLD_FLAG} turned on in {path}, as Codex {codex.version_text} needs it"


def rename(codex: CodexProgram, settings: CodexSettings, cwd: Path, environ: Mapping[str, str]) -> str:
    """Give the flag its new name, of whose old one Codex warns at every start; say what was done."""
    new: dict[str, object] = {} if settings.new_flag else {f"features.{FLAG}": True}
    with AppServer(codex, cwd, environ) as server:
        server.write_config({f"features.{OLD_FLAG}": None, **new})
    done = "taken out" if settings.new_flag else f"is now called {FLAG}"
    return f"{OLD_FLAG} {done} in {codex_home(environ) / 'config.toml'}: Codex warned of the old name"
