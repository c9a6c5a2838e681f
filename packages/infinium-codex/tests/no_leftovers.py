"""No timer outlives the test that started it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from machine import end_timers


@pytest.fixture(autouse=True)
def no_timer_stays(tmp_path: Path) -> Iterator[None]:
    yield
    end_timers(tmp_path)
