"""Write a file whole or not at all."""

import os
from pathlib import Path


def write_atomically(path: Path, body: bytes) -> None:
    """Write beside `path`, sync, rename into place; 0600 whatever the umask. Raises OSError, leaving nothing behind."""
    import tempfile  # a reader of settings does without

    fd, aside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        Path(aside).replace(path)
    except OSError:
        Path(aside).unlink(missing_ok=True)
        raise
