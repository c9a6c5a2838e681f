"""A keyring that a file controls: its first word is the behaviour, the second the secret."""

import os
import time
from pathlib import Path

from keyring.backend import KeyringBackend


class Keyring(KeyringBackend):
    """Reads the file named by FAULTS_KEYRING at each look-up: `answer SECRET`, `hang`, or `fail SECRET`."""

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
