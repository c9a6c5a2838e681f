"""`doctor` on Windows names faults that are injected one by one."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from infinium_codex.demo.scripted_model import ScriptedModel
from machine_windows import User
from tables import Tables
from test_turn import turn

pytestmark = pytest.mark.codex


def hooks_file(user: User) -> Path:
    return user.project / ".codex" / "hooks.json"


def without_stop(user: User) -> None:
    document = json.loads(hooks_file(user).read_text("utf-8"))
    del document["hooks"]["Stop"]
    hooks_file(user).write_text(json.dumps(document))


FAULTS: dict[str, tuple[Callable[[User], object], str, str]] = {
    "no hooks file": (lambda user: hooks_file(user).unlink(), "hooks file", "no infinium-codex hook for SessionStart"),
    "a hooks file that is not JSON": (lambda user: hooks_file(user).write_text("{"), "hooks file", "it is not JSON"),
    "no Stop hook": (without_stop, "hooks file", "no infinium-codex hook for Stop"),
    "no launcher": (lambda user: user.launcher.unlink(), "hook program", "infinium-codex-hook.exe"),
    "another launcher": (lambda user: user.launcher.write_text("MZ"), "hook runs", "Exit code"),
    "no hook program": (lambda user: (user.home / "hook.py").unlink(), "hook program", "hook.py"),
    "no compiled hook": (lambda user: (user.home / "hook.pyc").unlink(), "hook runs", "recorded nothing"),
    "another worker": (lambda user: (user.home / "worker.py").write_text("1"), "hook program", "worker.py"),
    "a project file that is not JSON": (
        lambda user: (user.project / ".infinium" / "config.json").write_text("{"),
        "settings",
        "not valid JSON",
    ),
}
"""How to inject each fault, the check that names it, and a part of what the check says."""


def test_each_fault_is_named(user: User, tables: Tables) -> None:
    """And nothing is wrong without one."""
    with ScriptedModel(turn()) as model:
        user.configure_codex(model, "0.169.0")
        user.connector("init", "--no-interactive", "--local", "--trust")
        assert problems(user) == {}
        named = {}
        for fault, (inject, check, evidence) in FAULTS.items():
            inject(user)
            found = problems(user)
            named[fault] = evidence in found.get(check, "")
            tables.add("doctor on Windows", fault=fault, check=check, named="yes" if named[fault] else f"NO: {found}")
            (user.project / ".infinium" / "config.json").unlink(missing_ok=True)
            hooks_file(user).unlink(missing_ok=True)
            user.connector("init", "--no-interactive", "--local", "--trust")
        assert all(named.values()), named


def problems(user: User) -> dict[str, str]:
    """The checks that failed or warned, with their evidence."""
    checks = user.report("doctor")["checks"]
    assert isinstance(checks, list)
    return {each["name"]: each["evidence"] for each in checks if each["verdict"] in ("problem", "warning")}
