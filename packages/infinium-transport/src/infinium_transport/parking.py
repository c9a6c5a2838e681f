"""Notes about agents whose traces stay queued until their user acts."""

import os
from pathlib import Path

from msgspec.structs import replace

from infinium_transport import _files
from infinium_transport._json import encode_json, read_json
from infinium_transport.model import Parked, Recipient

_ROUNDS = 100_000


def mark_of(secret: str, *, salt: str | None = None) -> str:
    """A salted, slow hash by which the same secret is recognized but cannot be found out."""
    import hashlib

    salt = salt or os.urandom(16).hex()
    digest = hashlib.pbkdf2_hmac("sha256", secret.encode("utf-8", "surrogatepass"), salt.encode(), _ROUNDS)
    return f"{salt}${digest.hex()}"


def is_mark_of(mark: str, secret: str) -> bool:
    """Whether a mark was made from this secret."""
    import hmac

    salt, found, _ = mark.partition("$")
    return bool(found) and hmac.compare_digest(mark, mark_of(secret, salt=salt))


def file_name(recipient: Recipient) -> str:
    """A file name for a recipient. Hashed, since neither an agent id nor a URL is certain to be a valid file name."""
    import hashlib

    text = f"{recipient.agent_id}\n{recipient.base_url}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


class Parking:
    """One small file for each agent and base URL."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def put(self, parked: Parked) -> None:
        """Write a note, replacing an older one."""
        _files.make_private_directory(self._directory)
        _files.write_file(self._file(parked.agent_id, parked.base_url), encode_json(parked), durable=True)

    def get(self, agent_id: str, base_url: str) -> Parked | None:
        """The note for an agent and base URL. A damaged one counts as none: the next request finds out again."""
        return read_json(self._file(agent_id, base_url), Parked)

    def all(self) -> list[Parked]:
        """Every note, oldest first."""
        found = [Path(entry.path) for entry in _files.entries(self._directory) if entry.name.endswith(".json")]
        notes = [read_json(path, Parked) for path in found]
        return sorted((note for note in notes if note is not None), key=lambda note: (note.since, note.agent_id))

    def make_due(self) -> None:
        """Let the next delivery try every refused secret once."""
        for note in self.all():
            if note.probe_at:
                self.put(replace(note, probe_at=0.0))

    def remove(self, agent_id: str, base_url: str | None) -> None:
        """Remove an agent's note for one base URL, or all of its notes."""
        for note in self.all():
            if note.agent_id == agent_id and base_url in (None, note.base_url):
                _files.remove_file(self._file(note.agent_id, note.base_url))

    def _file(self, agent_id: str, base_url: str) -> Path:
        return self._directory / f"{file_name(Recipient(agent_id, base_url))}.json"
