"""Encodes a payload within the API's size limit. It removes previews and steps from the middle, and reports that."""

import math
from collections.abc import Callable, Mapping

import msgspec

from infinium_trace.preview import preview

Step = dict[str, object]

MAX_BODY_BYTES = 1_048_576
_HEAVY = ("input_preview", "output_preview", "tool_call", "metadata")
_NOTE_BYTES = 512
"""Bytes reserved for the warning and the tags on what was left out."""
_LIST_LIMITS = (10_000, 2_000, 400, 80, 16, 2)
"""Entries that lists may have in the successive rounds of truncation."""
_SHORT_PREVIEW = 300
_SHORTEST_TEXT = 200
_FEWEST_FIELDS = 64


def encode(payload: dict[str, object], limit: int = MAX_BODY_BYTES, left_out: Mapping[str, int] | None = None) -> bytes:
    """Return compact UTF-8 JSON of at most `limit` bytes. The same payload gives the same bytes.

    A payload that is too large loses, in this order: the list of model calls; the middle of long previews; previews;
    steps. Steps in the middle go first, steps with an error last. The first and the last step, the errors and the
    totals are kept. If that is not enough, all lists and texts are truncated.
    `left_out` counts what was omitted before, by a writer with bounded memory.
    Raises ValueError if the limit is too small even for that.
    """
    body = _dump(payload)
    if len(body) <= limit and not left_out:
        return body
    payload, omitted = _without_middle(payload, len(body) - limit + _NOTE_BYTES)
    before = left_out or {}
    omitted = {name: omitted.get(name, 0) + before.get(name, 0) for name in (*omitted, *before)}
    body = _dump(_with_note(payload, omitted))
    for entries in _LIST_LIMITS:
        if len(body) <= limit:
            break
        truncated = _truncated(payload, entries)
        body = _dump(_with_note(truncated if isinstance(truncated, dict) else {}, omitted | {"shortened_to": entries}))
    if len(body) > limit:
        raise ValueError(f"The truncated payload has {len(body):,} bytes. The limit is {limit:,}.")
    return body


def size_of(value: object) -> int:
    """Return the number of bytes of a value in a body."""
    return len(_dump(value))


def without_previews(step: Step) -> Step:
    """Return the step without its previews, tool call and metadata."""
    return {name: value for name, value in step.items() if name not in _HEAVY}


def _with_short_previews(step: Step) -> Step:
    """Return the step with the ends of its long previews; the same object if it has none."""
    long = {name for name in ("input_preview", "output_preview") if len(str(step.get(name, ""))) > _SHORT_PREVIEW}
    if not long:
        return step
    return {
        name: preview(value, _SHORT_PREVIEW, tail=0.5) if name in long and isinstance(value, str) else value
        for name, value in step.items()
    }


def _without_middle(payload: dict[str, object], excess: int) -> tuple[dict[str, object], dict[str, int]]:
    """Make the payload about `excess` bytes smaller. Return it with the numbers of what was omitted.

    It may remain too large: only previews, steps and the list of model calls are removed.
    """
    payload, excess, calls = _remove_calls(payload, excess)
    steps = dict(enumerate(_list(payload.get("steps"))))
    order = sorted(_from_the_middle(len(steps)), key=lambda index: "error" in steps[index])
    excess, shortened = _thin(steps, order, excess, _with_short_previews)
    excess, thinned = _thin(steps, order, excess, without_previews)
    dropped = _remove_steps(steps, order, excess)
    if steps:
        payload = {**payload, "steps": list(steps.values())}
    thinned |= shortened
    omitted = {"steps_left_out": len(dropped), "steps_thinned": len(thinned - dropped), "calls_left_out": calls}
    return payload, omitted


def _thin(
    steps: dict[int, Step], order: list[int], excess: int, make_smaller: Callable[[Step], Step]
) -> tuple[int, set[int]]:
    """Make as many steps smaller as needed. Return the remaining excess and the steps."""
    thinned: set[int] = set()
    for index in order:
        if excess <= 0:
            break
        step = make_smaller(steps[index])
        if step is not steps[index]:
            excess -= size_of(steps[index]) - size_of(step)
            steps[index] = step
            thinned.add(index)
    return excess, thinned


def _remove_calls(payload: dict[str, object], excess: int) -> tuple[dict[str, object], int, int]:
    """Remove the list of model calls if needed. Return the payload, the remaining excess and the number of calls."""
    usage = _dict(payload.get("llm_usage"))
    calls = _list(usage.get("calls"))
    if excess <= 0 or not calls:
        return payload, excess, 0
    totals = {name: value for name, value in usage.items() if name != "calls"}
    return {**payload, "llm_usage": totals}, excess - size_of(calls), len(calls)


def _remove_steps(steps: dict[int, dict[str, object]], order: list[int], excess: int) -> set[int]:
    """Remove as many steps as needed, except the first and the last one. Return the removed steps."""
    last = len(steps) - 1
    dropped: set[int] = set()
    for index in order:
        if excess <= 0:
            break
        if 0 < index < last:
            excess -= size_of(steps.pop(index)) + 1
            dropped.add(index)
    return dropped


def _truncated(value: object, entries: int) -> object:
    """Return the value with at most `entries` entries in each list (the first and last), and texts as short."""
    if isinstance(value, str):
        longest = max(entries, _SHORTEST_TEXT)
        return value if len(value) <= longest else f"{value[:longest]}… [+{len(value) - longest:,} characters]"
    if isinstance(value, list):
        ends = value if len(value) <= entries else [*value[: entries // 2], *value[-(entries // 2) :]]
        return [_truncated(item, entries) for item in ends]
    if isinstance(value, dict):
        fields = list(value.items())[: max(entries, _FEWEST_FIELDS)]
        return {name: _truncated(item, entries) for name, item in fields}
    return value


def _with_note(payload: dict[str, object], omitted: dict[str, int]) -> dict[str, object]:
    """Add what was omitted to the warnings and the tags of the trace."""
    warning = (
        f"Size limit: omitted {omitted['steps_left_out']:,} steps, {omitted['calls_left_out']:,} model calls."
        f" Shortened or omitted the previews of {omitted['steps_thinned']:,} steps."
    )
    if errors := omitted.get("errors_left_out"):
        warning += f" Omitted {errors:,} errors."
    if entries := omitted.get("shortened_to"):
        warning += f" Truncated lists to {entries:,} entries, texts to {max(entries, _SHORTEST_TEXT):,} characters."
    sections = dict(_dict(payload.get("sections")))
    general = dict(_dict(sections.get("general")))
    sections["general"] = general | {"warnings": [*_list(general.get("warnings")), warning]}
    environment = dict(_dict(payload.get("environment")))
    numbers = {name: str(number) for name, number in omitted.items() if number}
    environment["custom_tags"] = {**_dict(environment.get("custom_tags")), **numbers}
    return {**payload, "sections": sections, "environment": environment}


def _from_the_middle(count: int) -> list[int]:
    middle = (count - 1) / 2
    return sorted(range(count), key=lambda index: (abs(index - middle), index))


def _dump(value: object) -> bytes:
    try:
        body = msgspec.json.encode(value)
    except UnicodeEncodeError:  # half a surrogate pair
        return _dump_leniently(value)
    # A number that is not finite became null. Absent values are left out, so few other bodies contain that word.
    return body if b"null" not in body else _dump_leniently(value)


def _dump_leniently(value: object) -> bytes:
    import json  # few payloads need it

    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError:
        text = json.dumps(_finite(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


def _finite(value: object) -> object:
    """Return the value without NaN and infinite numbers, which JSON cannot express."""
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items() if not _is_not_finite(item)}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value if not _is_not_finite(item)]
    return value


def _is_not_finite(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _list(value: object) -> list[dict[str, object]]:
    return value if isinstance(value, list) else []


def _dict(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}
