"""Estimates the cost of model calls from dated price tables. Unknown models have no estimate.

The packaged table is written by `freeze_prices.py` from a maintained data set. Its license is in `prices.LICENSE.txt`.
"""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field

from infinium_trace.session import ModelCall

_MILLION = 1_000_000
ANY_PROVIDER = "*"
_DATE = r"-\d{4}-?\d{2}-?\d{2}$"


class PricesError(ValueError):
    """A price table is invalid. The message names the entry and the reason."""


class Price(Struct, frozen=True, kw_only=True):
    """Price of a model in US dollars for a million tokens.

    Cached tokens are part of the prompt, reasoning tokens part of the completion.
    """

    prompt: float
    cached: float
    completion: float
    longest_prompt: int | None = None
    """Tokens of the longest prompt with this price."""
    longer: "Price | None" = None
    """The price of longer prompts, for all of their tokens; None if it is unknown."""

    def of(self, call: ModelCall) -> float | None:
        """Return the cost of a call in US dollars; None if the prompt is too long for this price."""
        usage = call.usage
        if self.longest_prompt is not None and usage.prompt > self.longest_prompt:
            return None if self.longer is None else self.longer.of(call)
        cached = min(usage.cached, usage.prompt)
        cost = (usage.prompt - cached) * self.prompt + cached * self.cached + usage.completion * self.completion
        return cost / _MILLION


class PriceTable(Struct, frozen=True, kw_only=True):
    """Prices by provider and model, with their date."""

    as_of: str = ""
    prices: Mapping[tuple[str, str], Price] = field(default_factory=dict)

    @staticmethod
    def parse(text: str) -> "PriceTable":
        """Parse a table from TOML: `as_of`, and `prompt`, `cached`, `completion` under `[prices.PROVIDER.MODEL]`.

        The provider `*` stands for any provider. Raises PricesError.
        """
        import tomllib

        try:
            return _table(tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise PricesError(f"The price table is not valid TOML: {error}") from None

    def with_own(self, own: "PriceTable") -> "PriceTable":
        """Return the table with the user's own prices, which replace the prices of the same provider and model."""
        if not own.prices:
            return self
        return PriceTable(as_of=f"{self.as_of}, own prices of {own.as_of}", prices={**self.prices, **own.prices})

    def estimate(self, calls: Iterable[ModelCall], provider: str | None) -> float | None:
        """Return the cost of the calls in US dollars; None if the price of a call is unknown."""
        total = 0.0
        for call in calls:
            cost = self.cost(call, provider)
            if cost is None:
                return None
            total += cost
        return round(total, 6)

    def cost(self, call: ModelCall, provider: str | None) -> float | None:
        """Return the cost of one call in US dollars; None if its price is unknown."""
        price = self._price(provider, call.model)
        return price.of(call) if price else None

    def _price(self, provider: str | None, model: str | None) -> Price | None:
        """Return the price of a model, else that of the model without the date at the end of its name."""
        model = model or ""
        for name in dict.fromkeys((model, re.sub(_DATE, "", model))):
            price = self.prices.get((provider or "", name)) or self.prices.get((ANY_PROVIDER, name))
            if price is not None:
                return price
        return None


class _PackagedTable(Struct, frozen=True):
    as_of: str
    prices: dict[str, dict[str, Price]]


@cache
def packaged_prices() -> PriceTable:
    """Return the list prices in this package, the only file that the package reads."""
    # JSON: TOML takes ten times as long, because its parser has to be imported.
    table = msgspec.json.decode(Path(__file__).with_name("prices.json").read_bytes(), type=_PackagedTable)
    prices = {(provider, model): price for provider, models in table.prices.items() for model, price in models.items()}
    return PriceTable(as_of=table.as_of, prices=prices)


def _table(table: Mapping[str, Any]) -> PriceTable:
    try:
        prices = {
            (provider, model): _price(entry, f"prices.{provider}.{model}")
            for provider, models in table.get("prices", {}).items()
            for model, entry in models.items()
        }
        return PriceTable(as_of=str(table["as_of"]), prices=prices)
    except (KeyError, AttributeError):
        raise PricesError(
            "The price table is incomplete. It needs `as_of`, a date, and tables [prices.PROVIDER.MODEL]."
        ) from None


def _price(entry: Mapping[str, object], path: str) -> Price:
    numbers = {}
    for name in ("prompt", "cached", "completion"):
        value = entry.get(name)
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < _MILLION:
            found = "is missing" if value is None else f"is {msgspec.json.encode(value, enc_hook=str).decode()}"
            raise PricesError(f"{path}.{name} {found}. It must be a number of US dollars for a million tokens.")
        numbers[name] = float(value)
    longest = entry.get("longest_prompt")
    longer = entry.get("longer")
    return Price(
        **numbers,
        longest_prompt=longest if isinstance(longest, int) else None,
        longer=_price(longer, f"{path}.longer") if isinstance(longer, Mapping) else None,
    )
