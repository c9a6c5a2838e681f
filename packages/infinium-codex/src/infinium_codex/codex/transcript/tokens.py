"""Tokens as a transcript tells them: one event a response, whichever record tells of it and however often."""

from collections.abc import Mapping

from infinium_trace.events import Event, ModelResponded, SourcesDisagreed, TokenUsage

from infinium_codex.codex.event_fields import Where
from infinium_codex.codex.transcript.position import Position
from infinium_codex.support.json_fields import integer, mapping, text


def count_tokens(position: Position, at: Where, name: str, payload: Mapping[str, object]) -> tuple[Event, ...]:
    """Take in a `token_usage_record` or a `token_count`. Both carry the thread's running total: it tells what is new.

    From 0.155 on a response has a record of its own, and the total only confirms it. Before, the total's growth is
    the response; in a fork it begins with what the parent had used.
    """
    known = position.total
    if name == "token_usage_record":
        total, usage = _usage(mapping(payload, "thread_token_usage")), _usage(mapping(payload, "usage"))
        response_id = text(payload, "response_id")
        if text(payload, "thread_id") not in (None, position.session.get("id"), at["subagent_id"]):
            return ()  # another thread's: told there
    else:
        info = mapping(payload, "info")
        total, response_id = _usage(mapping(info, "total_token_usage")), None
        usage = _grown(total, known)
        if known.total == 0 and "forked_from" in position.session:
            usage = _usage(mapping(info, "last_token_usage"))
    if total.total <= known.total:
        return ()
    latency = max(position.answered_ms - position.asked_ms, 0) if position.answered_ms else position.latency_ms
    position.total, position.latency_ms, position.answered_ms = total, 0, 0  # an answer is counted once
    if usage.total == 0:
        return ()
    responded = ModelResponded(
        **at,
        response_id=response_id or f"response-{total.total}",  # the total stands still for a repeated record
        usage=usage,
        model=position.model,
        latency_ms=latency or None,
    )
    grown = _grown(total, known)
    if grown != usage and not (known.total == 0 and "forked_from" in position.session):
        what = (
            f"tokens of {responded.response_id}: its own record says {_says(usage)},"
            f" the session's total grew by {_says(grown)}"
        )
        return responded, SourcesDisagreed(**at, what=what)
    return (responded,)


def _grown(total: TokenUsage, known: TokenUsage) -> TokenUsage:
    return TokenUsage(
        prompt=max(total.prompt - known.prompt, 0),
        completion=max(total.completion - known.completion, 0),
        cached=max(total.cached - known.cached, 0),
        reasoning=max(total.reasoning - known.reasoning, 0),
    )


def _usage(record: Mapping[str, object]) -> TokenUsage:
    return TokenUsage(
        prompt=max(integer(record, "input_tokens") or 0, 0),
        completion=max(integer(record, "output_tokens") or 0, 0),
        cached=max(integer(record, "cached_input_tokens") or 0, 0),
        reasoning=max(integer(record, "reasoning_output_tokens") or 0, 0),
    )


def _says(usage: TokenUsage) -> str:
    return f"{usage.prompt:,} prompt and {usage.completion:,} completion"
