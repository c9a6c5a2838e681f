"""Sets Codex's feature flag for hooks: turns it on where hooks are off by default, and renames the old flag."""

from collections.abc import Mapping
from pathlib import Path

from infinium_config.files import write_atomically

from infinium_codex.codex.app_server import AppServer, AppServerError
from infinium_codex.codex.config_toml import feature_flag, with_feature
from infinium_codex.codex.program import CodexProgram, codex_home
from infinium_codex.codex.settings import FLAG, OLD_FLAG, CodexSettings
from infinium_codex.codex.versions import HOOKS_ON_SINCE


def needs_flag(codex: CodexProgram | None, environ: Mapping[str, str]) -> bool:
    """Return whether hooks are off in this Codex until the user's configuration turns them on (before 0.124).

    Raises ConfigTomlError if config.toml is not valid.
    """
    if codex is None or codex.since(HOOKS_ON_SINCE):
        return False
    return not feature_flag(codex_home(environ) / "config.toml", OLD_FLAG)


def turn_on(codex: CodexProgram, cwd: Path, environ: Mapping[str, str]) -> str:
    """Turn hooks on, through Codex where it can write its configuration. Returns what was done, for the user.

    Raises ConfigTomlError if config.toml is not valid.
    """
    path = codex_home(environ) / "config.toml"
    try:
        with AppServer(codex, cwd, environ) as server:
            server.write_config({f"features.{OLD_FLAG}": True})
    except AppServerError:
        _write(path, with_feature(path, OLD_FLAG))
    return f"{OLD_FLAG} turned on in {path}, as Codex {codex.version_text} needs it"


def rename(codex: CodexProgram, settings: CodexSettings, cwd: Path, environ: Mapping[str, str]) -> str:
    """Replace the flag's old name, about which Codex warns at every start. Returns what was done, for the user."""
    new: dict[str, object] = {} if settings.new_flag else {f"features.{FLAG}": True}
    with AppServer(codex, cwd, environ) as server:
        server.write_config({f"features.{OLD_FLAG}": None, **new})
    done = "removed" if settings.new_flag else f"renamed to {FLAG}"
    return f"{OLD_FLAG} {done} in {codex_home(environ) / 'config.toml'}: Codex warned about the old name"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
    write_atomically(path.resolve(), text.encode(), mode=mode)
