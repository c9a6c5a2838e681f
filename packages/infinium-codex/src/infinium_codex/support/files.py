"""File operations that infinium-config does not have."""

import os
from pathlib import Path


def replace_link(link: Path, target: str) -> None:
    """Make the symbolic link `link` point to `target`, in one step. Raises OSError."""
    temporary = link.with_name(f".{link.name}.{os.getpid()}")
    temporary.symlink_to(target)
    temporary.replace(link)
