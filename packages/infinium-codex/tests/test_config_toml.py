"""config.toml: a feature is turned on, and every other byte of the user's file stays."""

import re
from pathlib import Path

import pytest
from infinium_codex.codex.config_toml import ConfigTomlError, feature_flag, with_feature

ADDED = "codex_hooks = true"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", f"[features]\n{ADDED}\n"),
        ("# mine\n[features]\nother = true\n", f"# mine\n[features]\nother = true\n{ADDED}\n"),
        ("[features]\r\nx = true # why\r\n\r\n[z]\r\n", f"[features]\r\nx = true # why\r\n{ADDED}\r\n\r\n[z]\r\n"),
        ("[features]\ncodex_hooks  =  false   # not yet\n", "[features]\ncodex_hooks  =  true   # not yet\n"),
        ("features.x = true\n\n[t]\na = 1\n", f"features.x = true\nfeatures.{ADDED}\n\n[t]\na = 1\n"),
        ("[features.sub]\na = 1\n", f"[features]\n{ADDED}\n\n[features.sub]\na = 1\n"),
        ('[projects."/a b"]\nlevel = "x"\n', f'[projects."/a b"]\nlevel = "x"\n\n[features]\n{ADDED}\n'),
    ],
)
def test_turning_a_feature_on_changes_one_line(tmp_path: Path, before: str, after: str) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(before.encode())
    found = with_feature(path, "codex_hooks")
    assert found == after
    path.write_bytes(found.encode())
    assert feature_flag(path, "codex_hooks") is True
    assert with_feature(path, "codex_hooks") == found


def test_a_missing_file_has_no_features(tmp_path: Path) -> None:
    assert feature_flag(tmp_path / "config.toml", "codex_hooks") is None
    assert with_feature(tmp_path / "config.toml", "codex_hooks") == f"[features]\n{ADDED}\n"


@pytest.mark.parametrize("text", [b"[features\n", b"\xff\xfe", b"a = 1\na = 2\n", b"features = 5\n"])
def test_an_invalid_file_is_an_error_that_names_it(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(text)
    with pytest.raises(ConfigTomlError, match=re.escape(str(path))):
        with_feature(path, "codex_hooks")
