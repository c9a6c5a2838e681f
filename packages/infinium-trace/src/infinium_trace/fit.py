"""A payload as bytes that fit the API's limit: what has to go is the middle of the steps, and the trace says so."""

import json
import math
from collections.abc import Mapping

MAX_BODY_BYTES = 1_048_576
_HEAVY = ("input_preview", "output_preview", "tool_call", "metadata")
_NOTE = 512
"""Bytes to spare for the words on what was left out."""
_ROUNDS = (10_000, 2_000, 400, 80, 16, 2)
_SHORTEST_TEXT = 200
_FEWEST_FIELDS = 64


def encode(payload: dict[str, object], limit: int = MAX_BODY_BYTES, left_out: Mapping[str, int] | None = None) -> bytes:
    """Compact UTF-8 JSON of at most `limit` bytes; the same payload gives the same bytes.

    Steps lose their previews, then single model calls go, then steps, from the middle outwards and those with an error
    last; the first and the last step, the errors and the totals stay. If that is not enough, lists and texts are
    shortened wherever they are. Raises ValueError only for a limit too small for the shortest of that.
    `left_out` is what the payload never had for that reason (`SessionSummary.left_out`).
    """
    body = _dump(payload)
    if len(body) <= limit and not left_out:
        return body
    payload, now = _without_middle(payload, len(body) - limit + _NOTE)
    before = left_out or {}
    left_out = {name: now.get(name, 0) + before.get(name, 0) for name in (*now, *before)}
    body = _dump(_noted(payload, left_out))
    for most in _ROUNDS:
        if len(body) <= limit:
            break
        shorter = _shortened(payload, most)
        body = _dump(_noted(shorter if isinstance(shorter, dict) else {}, left_out | {"shortened_to": most}))
    if len(body) > limit:
        raise ValueError(f"the payload's frame alone has {len(body):,} bytes, the limit is {limit:,}")
    return body


def size_of(value: object) -> int:
    """Bytes of a value in a body."""
    return len(_dump(value))


def without_previews(step: dict[str, object]) -> dict[str, object]:
    """The step without what takes room in it."""
    return {name: value for name, value in step.items() if name not in _HEAVY}


def _without_middle(payload: dict[str, object], excess: int) -> tuple[dict[str, object], dict[str, int]]:
    """The payload about `excess` bytes smaller, as far as steps and model calls yield that, and what was left out."""
    steps = [dict(step) for step in _list(payload.get("steps"))]
    order = sorted(_from_the_middle(len(steps)), key=lambda index: "error" in steps[index])
    thinned: set[int] = set()
    for index in order:
        if excess <= 0:
            break
        before = size_of(steps[index])
        steps[index] = without_previews(steps[index])
        excess -= before - size_of(steps[index])
        thinned.add(index)
    usage = _dict(payload.get("llm_usage"))
    calls = _list(usage.get("calls")) if excess > 0 else []
    if calls:
        excess -= len(_dump(calls))
        payload = {**payload, "llm_usage": {name: value for name, value in usage.items() if name != "calls"}}
    dropped: set[int] = set()
    for index in order:
        if excess <= 0:
            break
        if 0 < index < len(steps) - 1:
            excess -= len(_dump(steps[index])) + 1
            dropped.add(index)
    kept = [step for index, step in enumerate(steps) if index not in dropped]
    left_out = {"steps_left_out": len(dropped), "steps_thinned": len(thinned - dropped), "calls_left_out": len(calls)}
    return ({**payload, "steps": kept} if steps else payload), left_out


def _shortened(value: object, most: int) -> object:
    """The value with lists of at most `most` entries (their ends), and texts of about as many characters."""
    if isinstance(value, str):
        longest = max(most, _SHORTEST_TEXT)
        return value if len(value) <= longest else f"{value[:longest]}… [+{len(value) - longest:,} characters]"
    if isinstance(value, list):
        ends = value if len(value) <= most else [*value[: most // 2], *value[-(most // 2) :]]
        return [_shortened(item, most) for item in ends]
    if isinstance(value, dict):
        fields = list(value.items())[: max(most, _FEWEST_FIELDS)]
        return {name: _shortened(item, most) for name, item in fields}
    return value


def _noted(payload: dict[str, object], left_out: dict[str, int]) -> dict[str, object]:
    """Say in the trace's warnings and tags what was left out."""
    what = (
        f"Size limit: omitted {left_out['steps_left_out']:,} steps, {left_out['calls_left_out']:,} model calls"
        f" and the previews of {left_out['steps_thinned']:,} steps."
    )
    if errors := left_out.get("errors_left_out"):
        what += f" Omitted {errors:,} errors."
    if most := left_out.get("shortened_to"):
        what += f" Truncated lists to {most:,} entries, texts to {max(most, _SHORTEST_TEXT):,} characters."
    sections = dict(_dict(payload.get("sections")))
    general = dict(_dict(sections.get("general")))
    sections["general"] = general | {"warnings": [*_list(general.get("warnings")), what]}
    environment = dict(_dict(payload.get("environment")))
    numbers = {name: str(number) for name, number in left_out.items() if number}
    environment["custom_tags"] = {**_dict(environment.get("custom_tags")), **numbers}
    return {**payload, "sections": sections, "environment": environment}


def _from_the_middle(count: int) -> list[int]:
    middle = (count - 1) / 2
    return sorted(range(count), key=lambda index: (abs(index - middle), index))


def _dump(value: object) -> bytes:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError:
        text = json.dumps(_finite(value), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")


def _finite(value: object) -> object:
    """The value without the numbers JSON has no word for."""
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items() if not _nameless(item)}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value if not _nameless(item)]
    return value


def _nameless(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _list(value: object) -> list[dict[str, object]]:
    return value if isinstance(value, list) else []


def _dict(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}
