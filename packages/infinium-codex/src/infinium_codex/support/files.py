"""File operations that infinium-config does not have."""

import os
from pathlib import Path
from zlib import crc32

from infinium_config.files import open_regular

_FIRST_LINE_BYTES = 256


def replace_link(link: Path, target: str) -> None:
    """Make the symbolic link `link` point to `target`, in one step. Raises OSError."""
    temporary = link.with_name(f".{link.name}.{os.getpid()}")
    temporary.symlink_to(target)
    temporary.replace(link)


def first_line_checksum(path: Path) -> int:
    """Checksum of a file's first line, which tells whether a file that grows is still the same one; 0 if unreadable."""
    file = open_regular(path, follow_links=True)
    if file is None:
        return 0
    with file:
        try:
            return crc32(file.readline(_FIRST_LINE_BYTES))
        except OSError:
            return 0
