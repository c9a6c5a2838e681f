"""A keyring for programs that tests start. It stores passwords in the file that the variable KEEPER names."""

import json
import os
from pathlib import Path

from keyring.backend import KeyringBackend


class Keeper(KeyringBackend):
    """Selected with PYTHON_KEYRING_BACKEND=keeper.Keeper."""

    priority = 1

    @property
    def path(self) -> Path:
        return Path(os.environ["KEEPER"])

    def _passwords(self) -> dict[str, str]:
        found: dict[str, str] = json.loads(self.path.read_text()) if self.path.exists() else {}
        return found

    def get_password(self, service: str, username: str) -> str | None:
        return self._passwords().get(f"{service}/{username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        self.path.write_text(json.dumps(self._passwords() | {f"{service}/{username}": password}))

    def delete_password(self, service: str, username: str) -> None:
        passwords = self._passwords()
        del passwords[f"{service}/{username}"]
        self.path.write_text(json.dumps(passwords))
