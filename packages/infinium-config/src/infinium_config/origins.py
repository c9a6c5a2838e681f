"""Which API origins a user approved for which agent: a secret goes nowhere else."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from infinium_config.files import read_small_file, write_atomically
from infinium_config.locks import wait_for_lock
from infinium_config.model import DEFAULT_BASE_URL

_PORTS = {"http": 80, "https": 443}


def origin_of(base_url: str) -> str:
    """Scheme, host and port of a URL, as one text."""
    parts = urlsplit(base_url)
    port = parts.port or _PORTS.get(parts.scheme, 0)
    return f"{parts.scheme}://{(parts.hostname or '').lower()}:{port}"


class ApprovedOrigins:
    """The approvals in one file of the user's own, never in a project. The default origin needs none.

    Changes wait for one another, at most `patience` seconds each; none takes back what another one approved.
    """

    def __init__(self, path: Path, *, patience: float = 10.0) -> None:
        self.path = path
        self._patience = patience

    def is_approved(self, agent_id: str, base_url: str) -> bool:
        """Whether the agent's secret may go to this address."""
        origin = origin_of(base_url)
        return origin == origin_of(DEFAULT_BASE_URL) or origin in self._load().get(agent_id, [])

    def approve(self, agent_id: str, base_url: str) -> bool:
        """Allow the agent's secret to go to this address; False when it was allowed before."""
        if self.is_approved(agent_id, base_url):
            return False
        with self._changing() as approved:
            approved[agent_id] = sorted({*approved.get(agent_id, []), origin_of(base_url)})
        return True

    def revoke(self, agent_id: str) -> None:
        """Forget every approval of the agent."""
        if agent_id in self._load():
            with self._changing() as approved:
                approved.pop(agent_id, None)

    def _load(self) -> dict[str, list[str]]:
        try:
            record = json.loads(read_small_file(self.path) or b"{}")
        except (ValueError, RecursionError):
            return {}  # nothing is approved by a file nobody can read
        agents = record.get("agents") if isinstance(record, dict) else None
        if not isinstance(agents, dict):
            return {}
        return {
            agent: [o for o in origins if isinstance(o, str)]
            for agent, origins in agents.items()
            if isinstance(origins, list)
        }

    @contextmanager
    def _changing(self) -> Iterator[dict[str, list[str]]]:
        """The approvals as they are once nobody else changes them, written when the block ends."""
        _make_private(self.path.parent)
        with wait_for_lock(self.path.with_name(f"{self.path.name}.lock"), self._patience):
            approved = self._load()
            yield approved
            write_atomically(self.path, json.dumps({"schema": 1, "agents": approved}, indent=2).encode() + b"\n")


def _make_private(directory: Path) -> None:
    """Create what is missing of a directory, 0700 whatever the umask; what is there stays as it is."""
    if not directory.exists():
        _make_private(directory.parent)
        directory.mkdir(exist_ok=True)
        directory.chmod(0o700)
