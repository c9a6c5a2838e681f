"""The user's own prices, from their file to the stored trace."""

from pathlib import Path

import pytest
from machine import Machine
from recorded import recording

pytest_plugins = ["no_leftovers"]

TURN = recording("0.169.0", "turn")
OWN = 'as_of = "2027-01-01"\n[prices.scripted]\n"gpt-5.5" = { prompt = 10, cached = 1, completion = 100 }\n'


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    found = Machine(tmp_path)
    found.set_up()
    return found


def prices(machine: Machine) -> Path:
    return machine.home / ".local" / "share" / "infinium-codex" / "prices.toml"


def test_a_provider_without_list_prices_has_no_cost(machine: Machine) -> None:
    machine.play(TURN)
    [trace] = machine.traces()
    assert "estimated_cost_usd" not in trace["llm_usage"]


def test_the_users_own_prices_are_used_and_named(machine: Machine) -> None:
    prices(machine).write_text(OWN, "utf-8")
    machine.play(TURN)
    [trace] = machine.traces()
    # 3,600 prompt tokens, 2,000 of them cached, and 160 of completion.
    assert trace["llm_usage"]["estimated_cost_usd"] == (1_600 * 10 + 2_000 * 1 + 160 * 100) / 1e6
    assert trace["environment"]["custom_tags"]["cost_estimated_by"].endswith("own prices of 2027-01-01")


def test_prices_that_cannot_be_read_cost_no_trace_and_are_told_of(machine: Machine) -> None:
    prices(machine).write_text('as_of = "x"\n[prices.scripted.m]\nprompt = "much"\n', "utf-8")
    machine.play(TURN)
    [trace] = machine.traces()
    assert "estimated_cost_usd" not in trace["llm_usage"]
    assert "prices.scripted.m.prompt" in machine.errors()[0]
