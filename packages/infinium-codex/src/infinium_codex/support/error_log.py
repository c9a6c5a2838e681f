"""Records errors of the hook and of background processes in the ledger, where the `errors` command finds them."""

import os
import time
from collections.abc import Mapping

from infinium_config.files import remove_file, replace_file
from infinium_transport import Ledger, StorageError

from infinium_codex.support.paths import Places


def record_error(places: Places, where: str, message: str, labels: Mapping[str, str] | None = None) -> None:
    """Record an error in a part of the program, `where`. Does nothing when the ledger cannot be written."""
    try:
        Ledger(places.ledger).record_error(where, message, when=time.time(), labels=labels)
    except StorageError:
        return  # a full disk or a read-only home directory: there is no other place to record it


def collect_hook_errors(places: Places) -> None:
    """Move the errors that the hook wrote to its own file into the ledger."""
    path = places.data / "hook.errors"
    taken = path.with_name(f"hook.errors.{os.getpid()}")
    try:
        replace_file(path, taken)
        lines = taken.read_text("utf-8", "replace").splitlines()
        remove_file(taken)
    except OSError:
        return
    for line in lines:
        record_error(places, "hook", line.partition(" ")[2] or line)
