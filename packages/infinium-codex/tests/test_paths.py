"""The user's directories."""

import sys
from pathlib import Path

import platformdirs
import pytest
from infinium_codex.support.paths import APP, state_directory


@pytest.mark.parametrize(
    "environ",
    [
        {"HOME": "/home/dev"},
        {"HOME": "/home/dev/"},
        {"HOME": "/home/dev", "XDG_STATE_HOME": "/var//state/"},
        {"HOME": "/home/dev", "XDG_STATE_HOME": ""},
        {"HOME": "/home/dev", "XDG_STATE_HOME": "relative/state"},
        {"HOME": "relative", "XDG_STATE_HOME": "/var/state"},
        {"HOME": ""},
        {"HOME": "relative"},
        {},
    ],
    ids=str,
)
def test_the_state_directory_is_where_platformdirs_has_it(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]
) -> None:
    """On Linux the worker computes it without platformdirs, whose import takes long."""
    for name in ("HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert state_directory() == platformdirs.user_state_path(APP, appauthor=False)
    if sys.platform == "linux" and environ.get("XDG_STATE_HOME") == "relative/state":
        assert state_directory() == Path("/home/dev/.local/state", APP)
