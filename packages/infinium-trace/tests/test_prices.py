"""The cost of a turn: from a dated table, with the user's own prices first, and none for an unknown price."""

from pathlib import Path
from typing import Any

import infinium_trace
import pytest
from infinium_trace import (
    ModelCall,
    PricesError,
    PriceTable,
    TokenUsage,
    TraceOptions,
    fold,
    packaged_prices,
)
from msgspec.structs import replace
from story import OPTIONS, session_begins, turn_payload, working_turn

TABLE = PriceTable.parse(
    """
    as_of = "2026-01-31"
    [prices.openai]
    "gpt-6-codex" = { prompt = 2.00, cached = 0.20, completion = 10.00 }
    "long" = { prompt = 1.00, cached = 0.10, completion = 5.00, longest_prompt = 1000 }
    [prices."*"]
    "mine" = { prompt = 0.5, cached = 0.5, completion = 1 }
    """
)


def call(model: str | None, prompt: int = 1_000_000, cached: int = 0, completion: int = 0) -> ModelCall:
    usage = TokenUsage(prompt=prompt, cached=cached, completion=completion)
    return ModelCall(response_id="r", ended_at_ms=0, usage=usage, model=model)


def traced(table: PriceTable | None) -> dict[str, Any]:
    session = fold([*session_begins(), *working_turn()])
    options: TraceOptions = OPTIONS if table is None else replace(OPTIONS, prices=table)
    return turn_payload(session, session.turns[0], options=options)


def test_cached_tokens_are_part_of_the_prompt_and_cheaper() -> None:
    assert TABLE.estimate([call("gpt-6-codex", cached=900_000, completion=100_000)], "openai") == 0.2 + 0.18 + 1.0


def test_a_trace_has_the_cost_and_the_date_of_the_table() -> None:
    trace = traced(TABLE)
    # 13,300 prompt tokens, 11,450 of them cached, 300 of completion.
    assert trace["llm_usage"]["estimated_cost_usd"] == pytest.approx((1_850 * 2 + 11_450 * 0.2 + 300 * 10) / 1e6)
    assert trace["environment"]["custom_tags"]["cost_estimated_by"] == "list prices of 2026-01-31"


@pytest.mark.parametrize("table", [None, PriceTable(), PriceTable(as_of="x", prices={})])
def test_without_a_price_there_is_no_cost(table: PriceTable | None) -> None:
    trace = traced(table)
    assert "estimated_cost_usd" not in trace["llm_usage"]
    assert "cost_estimated_by" not in trace["environment"]["custom_tags"]


@pytest.mark.parametrize(
    ("model", "provider"),
    [("unknown", "openai"), ("gpt-6-codex", "elsewhere"), ("gpt-6-codex", None), (None, "openai")],
)
def test_one_call_with_an_unknown_price_makes_the_cost_unknown(model: str | None, provider: str | None) -> None:
    assert TABLE.estimate([call("gpt-6-codex"), call(model)], provider) is None


def test_a_model_without_a_price_is_named() -> None:
    tags = traced(PriceTable())["environment"]["custom_tags"]
    assert tags["cost_unknown_for"] == "gpt-6-codex (openai)"
    assert "cost_unknown_for" not in traced(TABLE)["environment"]["custom_tags"]


def test_a_free_model_costs_nothing_and_that_is_said() -> None:
    free = PriceTable.parse('as_of = "x"\n[prices.openai]\n"gpt-6-codex" = {prompt=0, cached=0, completion=0}')
    assert traced(free)["llm_usage"]["estimated_cost_usd"] == 0


def test_a_dated_name_of_a_model_has_the_price_of_the_model() -> None:
    assert TABLE.estimate([call("gpt-6-codex-2026-01-31", 500_000)], "openai") == 1.0
    assert TABLE.estimate([call("gpt-6-codex-mini", 500_000)], "openai") is None


def test_a_price_for_any_provider() -> None:
    assert TABLE.estimate([call("mine", 2_000_000)], "elsewhere") == 1.0
    assert TABLE.estimate([call("mine", 2_000_000)], None) == 1.0


def test_a_prompt_longer_than_the_price_is_for_is_not_estimated() -> None:
    assert TABLE.estimate([call("long", 1_000)], "openai") == 0.001
    assert TABLE.estimate([call("long", 1_001)], "openai") is None


def test_a_longer_prompt_has_its_own_price_for_all_of_its_tokens() -> None:
    table = PriceTable.parse(
        'as_of = "x"\n[prices.openai.m]\nprompt=1\ncached=1\ncompletion=1\nlongest_prompt=1000\n'
        "[prices.openai.m.longer]\nprompt=2\ncached=2\ncompletion=2"
    )
    assert table.estimate([call("m", 1_000)], "openai") == 0.001
    assert table.estimate([call("m", 1_001)], "openai") == 0.002002


def test_the_users_own_prices_come_first_and_are_named() -> None:
    own = PriceTable.parse('as_of = "2027-02-03"\n[prices.openai]\n"gpt-6-codex" = {prompt=1, cached=1, completion=1}')
    both = TABLE.with_own(own)
    assert both.estimate([call("gpt-6-codex")], "openai") == 1.0
    assert both.estimate([call("mine", 2_000_000)], "openai") == 1.0
    assert both.as_of == "2026-01-31, own prices of 2027-02-03"
    assert TABLE.with_own(PriceTable()) is TABLE


def test_the_packaged_table_can_be_read_and_has_a_date() -> None:
    table = packaged_prices()
    assert table.as_of.count("-") == 2
    assert table.estimate([call("gpt-5.5", 1_000)], "openai") == 0.005
    assert all(price.cached <= price.prompt for price in table.prices.values())
    assert (
        (Path(infinium_trace.__file__).parent / "prices.LICENSE.txt").read_text("utf-8").startswith("The MIT License")
    )


CODEX_MODELS = (
    "gpt-5", "gpt-5-codex", "gpt-5-mini", "gpt-5.1", "gpt-5.1-codex", "gpt-5.1-codex-max", "gpt-5.1-codex-mini",
    "gpt-5.2", "gpt-5.2-codex",
    "gpt-5.3-codex", "gpt-5.4", "gpt-5.4-mini", "gpt-5.5", "codex-mini-latest", "o3", "o4-mini",
)  # fmt: skip
"""Models that sessions of Codex 0.39 to 0.169 name."""


@pytest.mark.parametrize("model", CODEX_MODELS)
def test_models_of_real_sessions_have_a_price(model: str) -> None:
    assert packaged_prices().estimate([call(model, 1_000, 500, 100)], "openai")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("as_of = ", "is not valid TOML"),
        ("[prices.openai]", "as_of"),
        ('as_of = "x"\nprices = 3', "as_of"),
        ('as_of = "x"\n[prices]\nopenai = 3', "as_of"),
        ('as_of = "x"\n[prices.openai.m]\nprompt = 1\ncached = 1', "prices.openai.m.completion is missing"),
        ('as_of = "x"\n[prices.openai.m]\nprompt = "1"', 'prices.openai.m.prompt is "1". It must be a number'),
        ('as_of = "x"\n[prices.openai.m]\nprompt = -1', "prices.openai.m.prompt"),
        ('as_of = "x"\n[prices.openai.m]\nprompt = nan', "prices.openai.m.prompt"),
    ],
)
def test_an_invalid_table_is_an_error_that_names_the_entry(text: str, error: str) -> None:
    with pytest.raises(PricesError, match=error):
        PriceTable.parse(text)
