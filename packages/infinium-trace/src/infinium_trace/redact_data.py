"""Reads the package's data files of redaction. Each file states its source and licence."""

from functools import cache
from pathlib import Path
from typing import Any

import msgspec


@cache
def load(file: str) -> dict[str, Any]:
    """Return the contents of a JSON data file of this package."""
    return msgspec.json.decode(Path(__file__).with_name(file).read_bytes(), type=dict[str, Any])
