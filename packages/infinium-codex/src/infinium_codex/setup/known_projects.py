"""The projects that the user set up, so that `uninstall` keeps what others still need."""

import json
import tomllib
from collections.abc import Mapping
from pathlib import Path

from infinium_config import InfiniumConfigError, read_project_file
from infinium_config.files import read_small_file, write_atomically
from infinium_config.project import CONFIG

from infinium_codex.codex.program import codex_home
from infinium_codex.support.json_fields import mapping, parse_object
from infinium_codex.support.paths import Places, is_same_path


class KnownProjects:
    """The projects for which `init` ran, and those that Codex knows, as far as they have a project file."""

    def __init__(self, places: Places, environ: Mapping[str, str]) -> None:
        self._file = places.state / "projects.json"
        self._codex_config = codex_home(environ) / "config.toml"

    def add(self, root: Path) -> None:
        """Remember a project."""
        if str(root) not in self._remembered():
            self._write([*self._remembered(), str(root)])

    def remove(self, root: Path) -> None:
        """Forget a project, and with it those that have no project file any more."""
        remembered = self._remembered()
        kept = [path for path in remembered if path != str(root) and (Path(path) / CONFIG).exists()]
        if kept != remembered:
            self._write(kept)

    def others(self, root: Path) -> list[Path]:
        """Return the projects that are set up, without `root`."""
        paths = dict.fromkeys(Path(path) for path in (*self._remembered(), *self._trusted_by_codex()))
        found = [path for path in paths if (path / CONFIG).is_file()]
        return [path for path in found if not is_same_path(path, root) and not is_same_path(path, Path.home())]

    def others_of_agent(self, root: Path, agent_id: str) -> list[Path]:
        """Return the projects without `root` whose traces go to this agent."""
        return [path for path in self.others(root) if _agent_of(path) == agent_id]

    def _remembered(self) -> list[str]:
        found = (parse_object(read_small_file(self._file) or b"") or {}).get("projects")
        return [path for path in found if isinstance(path, str)] if isinstance(found, list) else []

    def _trusted_by_codex(self) -> list[str]:
        content = read_small_file(self._codex_config, follow_links=True) or b""
        try:
            return list(mapping(tomllib.loads(content.decode("utf-8")), "projects"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError):
            return []

    def _write(self, projects: list[str]) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_atomically(self._file, json.dumps({"projects": projects}).encode())


def _agent_of(project: Path) -> str | None:
    try:
        return read_project_file(project / CONFIG).agent_id
    except InfiniumConfigError:
        return None
