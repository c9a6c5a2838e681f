"""A keyring whose behaviour a file decides: the first word is what it does, the second the secret it knows."""

import os
import time
from pathlib import Path

from keyring.backend import KeyringBackend


class Keyring(KeyringBackend):
    """Reads `FAULTS_KEYRING` at every look-up: `answer SECRET`, `hang`, or `fail SECRET`."""

    priority = 1.0

    def get_password(self, service: str, username: str) -> str | None:
        behaviour, _, secret = Path(os.environ["FAULTS_KEYRING"]).read_text("utf-8").partition(" ")
        if behaviour == "hang":
            time.sleep(3600)
        if behaviour == "fail":
            raise RuntimeError(f"cannot give {secret} away")
        return secret

    def set_password(self, service: str, username: str, password: str) -> None:
        raise NotImplementedError

    def delete_password(self, service: str, username: str) -> None:
        raise NotImplementedError
