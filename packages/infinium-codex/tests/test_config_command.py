"""`config get|set|unset|list`: what a project file and the user's own file can hold."""

import json
from pathlib import Path

import pytest
from machine import Machine


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    found = Machine(tmp_path)
    found.set_up()
    return found


def test_what_is_set_is_read_back_and_used(machine: Machine) -> None:
    assert machine.run("config", "set", "flush_on_session_end", "yes").returncode == 0
    assert json.loads(machine.config.read_text())["flush_on_session_end"] is True
    assert machine.run("config", "get", "flush_on_session_end").stdout == "true\n"
    assert machine.run("config", "unset", "flush_on_session_end").returncode == 0
    assert "flush_on_session_end" not in json.loads(machine.config.read_text())
    listed = {setting["name"]: setting for setting in machine.json("config", "list")["settings"]}
    assert listed["base_url"]["value"] == "local"
    assert listed["base_url"]["source"] == "project file"
    assert "timeout" not in listed


def test_user_file_keeps_what_else_it_holds(machine: Machine) -> None:
    path = machine.home / ".infinium" / "config.json"
    path.parent.mkdir()
    path.write_text('{"other": 1}')
    assert machine.run("config", "set", "redact_patterns", "ACME-[0-9]+", "--user").returncode == 0
    assert json.loads(path.read_text()) == {"other": 1, "redact_patterns": ["ACME-[0-9]+"]}
    assert machine.run("config", "get", "redact_patterns").stdout == "ACME-[0-9]+\n"
    assert machine.run("config", "unset", "redact_patterns", "--user").returncode == 0
    assert json.loads(path.read_text()) == {"other": 1}


def test_a_value_that_is_overridden_says_so(machine: Machine) -> None:
    environ = {"CONNECTOR_FLUSH_ON_STOP": "false"}
    done = machine.run("config", "set", "flush_on_stop", "true", environ=environ)
    assert "It does not apply here: flush_on_stop is false (from CONNECTOR_FLUSH_ON_STOP)." in done.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("set", "timeout", "5"), "The project file cannot hold timeout.\nSet the variable INFINIUM_TIMEOUT instead."),
        (("set", "nonsense", "5"), "There is no setting 'nonsense'."),
        (("set", "agent_secret", "sesame"), "No file holds the secret."),
        (("set", "redaction", "off"), "A project cannot turn redaction off."),
        (("set", "paused", "perhaps"), "Invalid paused 'perhaps': use true or false."),
        (("set", "agent_id", "me"), "Invalid agent_id 'me'"),
        (("set", "redact_patterns", "("), "Invalid redact_patterns '('"),
        (("set", "base_url", "x", "--user"), "The user file cannot hold base_url.\nUse it without --user."),
        (("get", "nonsense"), "There is no setting 'nonsense'."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_a_file_cannot_hold_is_refused(machine: Machine, arguments: tuple[str, ...], said: str) -> None:
    before = machine.config.read_bytes()
    done = machine.run("config", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(said)
    assert machine.config.read_bytes() == before
    assert "sesame" not in done.stderr
