"""Decides which traces and ledger entries belong to a project."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from infinium_config import find_checkout, find_project
from infinium_config.project import CONFIG
from infinium_transport import Entry

ROOT_LABEL = "root"
"""The label that names the directory of a trace's project. It stays on this machine."""


def project_directory(cwd: Path, home: Path | None) -> Path:
    """The directory of the project at `cwd`. Where none is set up: the checkout's top, or `cwd` itself."""
    project = find_project(cwd, home=home)
    if project is not None:
        return project.root
    checkout = find_checkout(cwd)
    return cwd if checkout is None else (checkout.main or checkout.root).resolve()


class ProjectFilter:
    """Tells the traces and errors of the project in `root` from those of other projects.

    `entries` are ledger entries, newest first. An error that names only a session belongs to the project of the traces
    of that session. One that names only an agent belongs to the projects with that agent: `agent_id` is the project's
    present one, and its traces name earlier ones.
    """

    def __init__(self, root: Path, entries: Sequence[Entry] = (), agent_id: str | None = None) -> None:
        self.root = root
        self._decided: dict[str, bool] = {}
        """Whether a directory belongs to the project, by its path."""
        self._sessions = {
            entry.labels["session"]: entry.labels
            for entry in entries
            if "session" in entry.labels and (ROOT_LABEL in entry.labels or "project" in entry.labels)
        }
        traces = (entry for entry in entries if entry.agent_id and ROOT_LABEL in entry.labels)
        self._agents = {agent_id} | {entry.agent_id for entry in traces if self.owns(entry.labels)}

    def owns(self, labels: Mapping[str, str]) -> bool:
        """Whether a trace or an error with these labels belongs to the project, or to no project at all."""
        directory = labels.get(ROOT_LABEL) or labels.get("directory")
        if directory:
            return self._contains(directory)
        if name := labels.get("project"):  # written by a version without the label `root`
            return name == self.root.name
        session = self._sessions.get(labels.get("session", ""))
        if session is not None:
            return self.owns(session)
        return "agent" not in labels or labels["agent"] in self._agents

    def _contains(self, directory: str) -> bool:
        """Whether a directory is the project's, or below it and not in a project of its own."""
        known = self._decided.get(directory)
        if known is None:
            path = Path(directory)
            below = path.is_relative_to(self.root)
            between = [path, *path.parents][: len(path.parts) - len(self.root.parts)] if below else []
            known = below and not any((parent / CONFIG).exists() for parent in between)
            self._decided[directory] = known
        return known
