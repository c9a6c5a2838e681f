"""No background process outlives the test that started it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from machine import end_background


@pytest.fixture(autouse=True)
def no_process_stays(tmp_path: Path) -> Iterator[None]:
    """Ends the connector's background processes after each test."""
    yield
    end_background(tmp_path)
