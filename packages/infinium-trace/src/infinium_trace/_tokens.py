"""Sums the tokens, latency and cost of model calls."""

from collections.abc import Iterable, Mapping

from infinium_trace._format import Payload, present
from infinium_trace.events import TokenUsage
from infinium_trace.fit import MAX_BODY_BYTES, size_of
from infinium_trace.prices import PriceTable
from infinium_trace.session import ModelCall


class TokenTotals:
    """Totals of the model calls so far, and the list of the calls."""

    def __init__(self) -> None:
        self.usage = TokenUsage()
        self.count = 0
        self.left_out = 0
        """Number of calls that are not listed because there are too many."""
        self._latency_ms: int | None = None
        self._cost = 0.0
        self.unpriced: dict[str, None] = {}
        """Models with their provider for which there is no price, or none for prompts as long as a call's."""
        self._calls: list[Payload] = []
        self._bytes = 0

    def add(self, calls: Iterable[ModelCall], provider: str | None, prices: PriceTable) -> None:
        """Add model calls."""
        calls = list(calls)
        if not calls:
            return
        self.usage = sum((call.usage for call in calls), self.usage)
        latencies = [call.latency_ms for call in calls if call.latency_ms is not None]
        if latencies:
            self._latency_ms = (self._latency_ms or 0) + sum(latencies)
        for call in calls:
            cost = prices.cost(call, provider)
            if cost is None:
                self.unpriced.setdefault(f"{call.model or 'unknown model'} ({provider or 'unknown provider'})")
            else:
                self._cost += cost
        self._list(calls, first=not self.count)
        self.count += len(calls)

    def _list(self, calls: list[ModelCall], *, first: bool) -> None:
        if self.left_out:
            self.left_out += len(calls)
            return
        listed = [_call(call) for call in calls]
        self._calls += listed
        if first:
            return  # most payloads are of one turn and need not be measured
        self._bytes += size_of(listed)
        if self._bytes > MAX_BODY_BYTES:  # `fit` drops either all or none of the calls
            self.left_out, self._calls = len(self._calls), []

    @property
    def cost(self) -> float | None:
        """US dollars; None without calls, and if the price of a call is unknown."""
        return round(self._cost, 6) if self.count and not self.unpriced else None

    def payload(self, models: Mapping[str, None], provider: str | None) -> Payload | None:
        """Return the payload's `llm_usage`; None if neither model nor tokens are known."""
        model = next(iter(models), None)
        if not self.count:
            return present(model=model, provider=provider) if models else None
        return present(
            model=model,
            provider=provider,
            prompt_tokens=self.usage.prompt,
            completion_tokens=self.usage.completion,
            total_tokens=self.usage.total,
            estimated_cost_usd=self.cost,
            api_calls_count=self.count,
            total_latency_ms=self._latency_ms,
            calls=self._calls,
        )


def _call(call: ModelCall) -> Payload:
    """Return one call. The provider is that of the usage."""
    return present(
        model=call.model,
        prompt_tokens=call.usage.prompt,
        completion_tokens=call.usage.completion,
        latency_ms=call.latency_ms,
        purpose=f"subagent {call.subagent_id}" if call.subagent_id else None,
    )
