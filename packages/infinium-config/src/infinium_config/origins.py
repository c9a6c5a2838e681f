"""Which API origins a user approved for which agent: a secret goes nowhere else."""

import json
from pathlib import Path
from urllib.parse import urlsplit

from infinium_config.atomic import write_atomically
from infinium_config.model import DEFAULT_BASE_URL
from infinium_config.project_file import read_small_file

_PORTS = {"http": 80, "https": 443}


def origin_of(base_url: str) -> str:
    """Scheme, host and port of a URL, as one text."""
    parts = urlsplit(base_url)
    port = parts.port or _PORTS.get(parts.scheme, 0)
    return f"{parts.scheme}://{(parts.hostname or '').lower()}:{port}"


class ApprovedOrigins:
    """The approvals in one file of the user's own, never in a project. The default origin needs none."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def is_approved(self, agent_id: str, base_url: str) -> bool:
        """Whether the agent's secret may go to this address."""
        origin = origin_of(base_url)
        return origin == origin_of(DEFAULT_BASE_URL) or origin in self._load().get(agent_id, [])

    def approve(self, agent_id: str, base_url: str) -> bool:
        """Allow the agent's secret to go to this address; False when it was allowed before."""
        if self.is_approved(agent_id, base_url):
            return False
        approved = self._load()
        approved[agent_id] = sorted({*approved.get(agent_id, []), origin_of(base_url)})
        self._save(approved)
        return True

    def revoke(self, agent_id: str) -> None:
        """Forget every approval of the agent."""
        approved = self._load()
        if approved.pop(agent_id, None) is not None:
            self._save(approved)

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

    def _save(self, approved: dict[str, list[str]]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self.path, json.dumps({"schema": 1, "agents": approved}, indent=2).encode() + b"\n")
