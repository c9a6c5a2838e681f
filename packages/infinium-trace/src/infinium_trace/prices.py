"""What responses of a model cost at list price: dated tables, and nothing for a model no table knows."""

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field

from infinium_trace.session import ModelCall

_MILLION = 1_000_000
ANY_PROVIDER = "*"


class PricesError(ValueError):
    """A table of prices that cannot be read; the text says where and why."""


class Price(Struct, frozen=True, kw_only=True):
    """US dollars for a million tokens. Cached tokens are part of the prompt, reasoning part of the completion."""

    prompt: float
    cached: float
    completion: float
    longest_prompt: int | None = None
    """Tokens of the longest prompt this price is for; a longer one costs more, and is not estimated."""

    def of(self, call: ModelCall) -> float | None:
        """What one response cost."""
        usage = call.usage
        if self.longest_prompt is not None and usage.prompt > self.longest_prompt:
            return None
        cached = min(usage.cached, usage.prompt)
        cost = (usage.prompt - cached) * self.prompt + cached * self.cached + usage.completion * self.completion
        return cost / _MILLION


class PriceTable(Struct, frozen=True, kw_only=True):
    """Prices by provider and model, as they stood on a day."""

    as_of: str = ""
    prices: Mapping[tuple[str, str], Price] = field(default_factory=dict)

    @staticmethod
    def parse(text: str) -> "PriceTable":
        """A table from TOML: `as_of`, and under `[prices.PROVIDER.MODEL]` `prompt`, `cached` and `completion`.

        The provider `*` is any. Raises PricesError.
        """
        import tomllib

        try:
            return _table(tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise PricesError(f"The table of prices is no TOML: {error}") from None

    def with_own(self, own: "PriceTable") -> "PriceTable":
        """The table with the user's own prices in it, which go before it where they name a model."""
        if not own.prices:
            return self
        return PriceTable(as_of=f"{self.as_of}, own prices of {own.as_of}", prices={**self.prices, **own.prices})

    def estimate(self, calls: Iterable[ModelCall], provider: str | None) -> float | None:
        """What these responses cost together, in dollars; None where the price of one of them is not known."""
        total = 0.0
        for call in calls:
            price = self.prices.get((provider or "", call.model or "")) or self.prices.get(
                (ANY_PROVIDER, call.model or "")
            )
            cost = price.of(call) if price else None
            if cost is None:
                return None
            total += cost
        return round(total, 6) if total else None


@cache
def packaged_prices() -> PriceTable:
    """Return the list prices in this package, the only file that the package reads."""
    # JSON: TOML takes ten times as long, because its parser has to be imported.
    return _table(msgspec.json.decode(Path(__file__).with_name("prices.json").read_bytes()))


def _table(table: Mapping[str, Any]) -> PriceTable:
    try:
        prices = {
            (provider, model): _price(entry, f"prices.{provider}.{model}")
            for provider, models in table.get("prices", {}).items()
            for model, entry in models.items()
        }
        return PriceTable(as_of=str(table["as_of"]), prices=prices)
    except (KeyError, AttributeError):
        raise PricesError("A table of prices has `as_of`, a date, and tables [prices.PROVIDER.MODEL].") from None


def _price(entry: Mapping[str, object], where: str) -> Price:
    numbers = {}
    for name in ("prompt", "cached", "completion"):
        value = entry.get(name)
        if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < _MILLION:
            raise PricesError(f"{where}.{name} has to be a number of US dollars for a million tokens, not {value!r}.")
        numbers[name] = float(value)
    longest = entry.get("longest_prompt")
    return Price(**numbers, longest_prompt=longest if isinstance(longest, int) else None)
