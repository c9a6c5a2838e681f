"""The API origins that the user approved for each agent. All of the user's connectors share them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from infinium_config.files import read_small_file, write_atomically
from infinium_config.locks import wait_for_lock
from infinium_config.model import DEFAULT_BASE_URL

_PORTS = {"http": 80, "https": 443}


def origin_of(base_url: str) -> str:
    """Scheme, host and port of a URL as one text."""
    parts = urlsplit(base_url)
    port = parts.port or _PORTS.get(parts.scheme, 0)
    return f"{parts.scheme}://{(parts.hostname or '').lower()}:{port}"


def state_directory(connector: str) -> Path:
    """The directory of the user's state for a connector, by the convention of the platform. It is not created."""
    import platformdirs

    return platformdirs.user_state_path(connector, appauthor=False)


def approvals_path() -> Path:
    """The file of all approvals. It does not depend on the connector."""
    return state_directory("infinium") / "origins.json"


class ApprovedOrigins:
    """The approvals in one file, which is the user's and never a project's. Infinium's own origin needs none.

    `path` is by default `approvals_path()`. Changes of several processes at once are all kept: each waits for the
    others, at most `wait` seconds, and then raises LockTimeoutError.
    """

    def __init__(self, path: Path | None = None, *, wait: float = 10.0) -> None:
        self.path = path if path is not None else approvals_path()
        self._wait = wait

    def is_approved(self, agent_id: str, base_url: str) -> bool:
        """Whether the user approved the origin of this address for the agent, or it is Infinium's own."""
        origin = origin_of(base_url)
        return origin == origin_of(DEFAULT_BASE_URL) or origin in self._load().get(agent_id, [])

    @property
    def is_empty(self) -> bool:
        """Whether no origin is approved for any agent."""
        return not any(self._load().values())

    def approve(self, agent_id: str, base_url: str) -> bool:
        """Approve the origin of this address for the agent; False if it was approved before."""
        if self.is_approved(agent_id, base_url):
            return False
        with self._change() as approved:
            approved[agent_id] = sorted({*approved.get(agent_id, []), origin_of(base_url)})
        return True

    def revoke(self, agent_id: str) -> None:
        """Remove all approvals of the agent."""
        if agent_id in self._load():
            with self._change() as approved:
                approved.pop(agent_id, None)

    def _load(self) -> dict[str, list[str]]:
        import json  # few processes need the approvals

        try:
            record = json.loads(read_small_file(self.path) or b"{}")
        except (ValueError, RecursionError):
            return {}  # an invalid file approves nothing
        agents = record.get("agents") if isinstance(record, dict) else None
        if not isinstance(agents, dict):
            return {}
        return {
            agent: [origin for origin in origins if isinstance(origin, str)]
            for agent, origins in agents.items()
            if isinstance(origins, list)
        }

    @contextmanager
    def _change(self) -> Iterator[dict[str, list[str]]]:
        """Load the approvals under the lock; write them back at the end of the block."""
        import json

        _make_private(self.path.parent)
        with wait_for_lock(self.path.with_name(f"{self.path.name}.lock"), self._wait):
            approved = self._load()
            yield approved
            content = json.dumps({"schema": 1, "agents": approved}, indent=2).encode() + b"\n"
            write_atomically(self.path, content)


def _make_private(directory: Path) -> None:
    """Create a directory and its missing parents, 0700 whatever the umask. Existing directories keep their mode."""
    if not directory.exists():
        _make_private(directory.parent)
        directory.mkdir(exist_ok=True)
        directory.chmod(0o700)
