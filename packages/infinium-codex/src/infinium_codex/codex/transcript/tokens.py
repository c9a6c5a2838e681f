"""Counts the tokens of each model response once, whichever records report them and however often.

From 0.155 a response has a `token_usage_record` of its own. Before, only `token_count` has the thread's running total,
whose growth is the response. Both records may come several times. In a fork the total begins with the parent's tokens.
"""

from collections.abc import Mapping

from infinium_trace.events import Event, LimitsReported, ModelResponded, SourcesDisagreed, TokenUsage

from infinium_codex.codex.event_fields import EventFields
from infinium_codex.codex.transcript.position import Position
from infinium_codex.support.json_fields import integer, mapping, text


def token_usage_record(position: Position, fields: EventFields, payload: Mapping[str, object]) -> tuple[Event, ...]:
    """Return the response that a `token_usage_record` reports."""
    if text(payload, "thread_id") not in (None, position.session.get("id"), fields["subagent_id"]):
        return ()  # another thread's response, which that thread's transcript reports
    total, usage = _usage(mapping(payload, "thread_token_usage")), _usage(mapping(payload, "usage"))
    return _count(position, fields, total=total, usage=usage, response_id=text(payload, "response_id"))


def token_count(position: Position, fields: EventFields, payload: Mapping[str, object]) -> tuple[Event, ...]:
    """Return the response that a `token_count` reports through the growth of the total."""
    info = mapping(payload, "info")
    total = _usage(mapping(info, "total_token_usage"))
    if _is_first_of_fork(position):
        usage = _usage(mapping(info, "last_token_usage"))
    else:
        usage = _growth(total, position.total_usage)
    return _count(position, fields, total=total, usage=usage)


def limits_reported(fields: EventFields, payload: Mapping[str, object]) -> tuple[Event, ...]:
    """Return how much of the account's limits is used, from a `token_count`."""
    limits = mapping(payload, "rate_limits")
    found = [
        f"{used:g} % of {minutes:,} minutes"
        for name in ("primary", "secondary")
        if isinstance(used := mapping(limits, name).get("used_percent"), int | float)
        and (minutes := integer(mapping(limits, name), "window_minutes"))
    ]
    return (LimitsReported(**fields, text=", ".join(found)),) if found else ()


def _count(
    position: Position, fields: EventFields, *, total: TokenUsage, usage: TokenUsage, response_id: str | None = None
) -> tuple[Event, ...]:
    """Return the response if the total is new, and a warning if the total grew by something else than its usage."""
    if total.total <= position.total_usage.total:
        return ()
    growth, includes_parent = _growth(total, position.total_usage), _is_first_of_fork(position)
    position.total_usage = total
    latency_ms = position.take_latency()
    if usage.total == 0:
        return ()
    responded = ModelResponded(
        **fields,
        response_id=response_id or f"response-{total.total}",  # the total is the same in a repeated record
        usage=usage,
        model=position.model,
        latency_ms=latency_ms,
    )
    if includes_parent or growth == usage:
        return (responded,)
    what = (
        f"tokens of {responded.response_id}: its own record says {_format(usage)},"
        f" the session's total grew by {_format(growth)}"
    )
    return responded, SourcesDisagreed(**fields, what=what)


def _is_first_of_fork(position: Position) -> bool:
    """Return whether the next total is a fork's first, which includes the parent's tokens."""
    return position.total_usage.total == 0 and "forked_from" in position.session


def _growth(total: TokenUsage, before: TokenUsage) -> TokenUsage:
    return TokenUsage(
        prompt=max(total.prompt - before.prompt, 0),
        completion=max(total.completion - before.completion, 0),
        cached=max(total.cached - before.cached, 0),
        reasoning=max(total.reasoning - before.reasoning, 0),
    )


def _usage(record: Mapping[str, object]) -> TokenUsage:
    return TokenUsage(
        prompt=max(integer(record, "input_tokens") or 0, 0),
        completion=max(integer(record, "output_tokens") or 0, 0),
        cached=max(integer(record, "cached_input_tokens") or 0, 0),
        reasoning=max(integer(record, "reasoning_output_tokens") or 0, 0),
    )


def _format(usage: TokenUsage) -> str:
    return f"{usage.prompt:,} prompt and {usage.completion:,} completion"
