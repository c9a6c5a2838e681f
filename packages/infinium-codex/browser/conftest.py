"""One Chromium for all tests, and the pages of the sample sessions."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import view_samples
from chromium import Chromium, running
from infinium_codex.view.html.report import render_report


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with running(tmp_path_factory.mktemp("downloads")) as found:
        yield found


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Write the report of a sample, once."""
    directory = tmp_path_factory.mktemp("pages")

    def written(name: str) -> Path:
        path = directory / f"{name}.html"
        if not path.exists():
            path.write_text(render_report([view_samples.SAMPLES[name]()]), "utf-8")
        return path

    return written
