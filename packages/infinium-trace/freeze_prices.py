"""Writes the list prices of infinium-trace from the data set of `genai-prices`, which `nox -s prices` installs.

With `--check` nothing is written: the exit code is 1 if the table would change. Models are listed by every name that
the data set has for them. Prices that depend on the time of day are those without a condition.
"""

import json
import shutil
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).parent / "src" / "infinium_trace"
TABLE, LICENSE = PACKAGE / "prices.json", PACKAGE / "prices.LICENSE.txt"
PROVIDERS = (
    "openai", "azure", "anthropic", "google", "mistral", "deepseek", "x-ai", "groq", "cerebras", "moonshotai", "zai",
    "fireworks", "together",
)  # fmt: skip
"""Providers that an agent can be configured with, under the names of the data set."""


def main(arguments: list[str]) -> int:
    """Write or check the table; return the exit code."""
    from genai_prices.data import providers

    source = distribution("genai-prices")
    today = datetime.now(UTC)
    table = {
        "note": "US dollars for a million tokens, list prices. Written by freeze_prices.py.",
        "source": f"genai-prices {source.version}, MIT License, Copyright (c) Pydantic Services Inc. 2025 to present",
        "as_of": today.date().isoformat(),
        "prices": {
            provider.id: dict(sorted(_models(provider, today))) for provider in providers if provider.id in PROVIDERS
        },
    }
    if "--check" in arguments:
        old = json.loads(TABLE.read_text("utf-8"))
        same = all(old[name] == table[name] for name in ("source", "prices"))
        print("The prices are up to date." if same else f"Run 'nox -s prices': the data of {table['source']} differs.")
        return 0 if same else 1
    lines = ",\n".join(
        f"{json.dumps(provider)}: {{\n{_rows(models)}\n}}" for provider, models in sorted(table["prices"].items())
    )
    head = "".join(f'"{name}": {json.dumps(table[name])},\n' for name in ("note", "source", "as_of"))
    TABLE.write_text(f'{{\n{head}"prices": {{\n{lines}\n}}\n}}\n', "utf-8")
    [notice] = [file for file in source.files or [] if file.name == "LICENSE"]
    shutil.copyfile(str(notice.locate()), LICENSE)
    count = sum(map(len, table["prices"].values()))
    print(f"{count} names of models, {TABLE.stat().st_size:,} bytes, from {table['source']}")
    return 0


def _rows(models: dict[str, Any]) -> str:
    return ",\n".join(
        f"{json.dumps(model)}: {json.dumps(price, separators=(',', ':'))}" for model, price in models.items()
    )


def _models(provider: Any, today: datetime) -> Iterator[tuple[str, dict[str, object]]]:
    for model in provider.models:
        price = _price(_in_force(model.prices, today))
        if price is not None:
            for name in {model.id, *_names(model.match)}:
                yield name, price


def _in_force(prices: Any, today: datetime) -> Any:
    """Return the last price that is in force today without a condition on the time of day."""
    if not isinstance(prices, list):
        return prices
    valid = [
        one.prices
        for one in prices
        if one.constraint is None or (hasattr(one.constraint, "start_date") and one.constraint.active(today))
    ]
    return valid[-1] if valid else None


def _price(prices: Any) -> dict[str, object] | None:
    """Return a row of the table; None for a model that is not priced by its tokens."""
    given = [getattr(prices, name, None) for name in ("input_mtok", "cache_read_mtok", "output_mtok")]
    if given[0] is None or given[2] is None:
        return None
    given[1] = given[0] if given[1] is None else given[1]
    row = _row([one if isinstance(one, Decimal | int) else one.base for one in given])
    tiered = [one for one in given if not isinstance(one, Decimal | int)]
    longer: dict[str, object] = {}
    for start in sorted({tier.start for price in tiered for tier in price.tiers}, reverse=True):
        longer = {"longest_prompt": start, "longer": {**_row([_at(one, start) for one in given]), **longer}}
    return {**row, **longer}


def _at(price: Any, start: int) -> Decimal:
    """Return the price of prompts of more than `start` tokens."""
    if isinstance(price, Decimal | int):
        return Decimal(price)
    found: Decimal = price.base
    for tier in price.tiers:
        if tier.start <= start:
            found = tier.price
    return found


def _row(prices: list[Any]) -> dict[str, object]:
    return dict(zip(("prompt", "cached", "completion"), map(float, prices), strict=True))


def _names(match: Any) -> Iterator[str]:
    """Yield the names that a rule of the data set compares whole."""
    if hasattr(match, "equals"):
        yield match.equals
    for inner in getattr(match, "or_", ()):
        yield from _names(inner)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
