"""A payload as bytes that fit the API's limit: what has to go is the middle of the steps, and the trace says so."""

import json

MAX_BODY_BYTES = 1_048_576
_HEAVY = ("input_preview", "output_preview", "tool_call", "metadata")


def encode(payload: dict[str, object], limit: int = MAX_BODY_BYTES) -> bytes:
    """Compact UTF-8 JSON of at most `limit` bytes; the same payload gives the same bytes.

    Steps without an error lose their previews, then go altogether, from the middle outwards; errors, totals and the
    first and last steps stay longest. Raises ValueError only if the frame of the payload alone is too large.
    """
    body = _dump(payload)
    if len(body) <= limit:
        return body
    steps = [dict(step) for step in _list(payload.get("steps"))]
    order = _from_the_middle(len(steps))
    thinned = 0
    excess = len(body) - limit + 256
    for index in order:
        if excess <= 0:
            break
        if "error" not in steps[index]:
            before = len(_dump(steps[index]))
            steps[index] = {name: value for name, value in steps[index].items() if name not in _HEAVY}
            excess -= before - len(_dump(steps[index]))
            thinned += 1
    dropped: set[int] = set()
    for index in [i for i in order if "error" not in steps[i]] + [i for i in order if "error" in steps[i]]:
        if excess <= 0:
            break
        excess -= len(_dump(steps[index])) + 1
        dropped.add(index)
    kept = [step for index, step in enumerate(steps) if index not in dropped]
    fitted = _noted({**payload, "steps": kept}, thinned, len(dropped))
    body = _dump(fitted)
    return body if len(body) <= limit else _dump_frame(fitted, limit)


def _dump_frame(payload: dict[str, object], limit: int) -> bytes:
    """The last resort: no steps, and of calls and errors as many as fit."""
    errors = _list(payload.get("errors"))
    frame = {**payload, "steps": [], "errors": [], "llm_usage": _without_calls(payload.get("llm_usage"))}
    for name in ("input_summary", "output_summary", "expected_outcome"):
        if len(body := _dump(frame)) > limit:
            frame.pop(name, None)
    room = limit - len(body := _dump(frame))
    kept = []
    for error in errors:
        room -= len(_dump(error)) + 1
        if room < 0:
            break
        kept.append(error)
    body = _dump(frame | {"errors": kept})
    if len(body) > limit:
        raise ValueError(f"the payload's frame alone has {len(body):,} bytes, the limit is {limit:,}")
    return body


def _noted(payload: dict[str, object], thinned: int, dropped: int) -> dict[str, object]:
    """Say in the trace's warnings and tags what was left out."""
    what = f"To fit the size limit, {dropped:,} steps were left out and {thinned:,} lost their previews."
    sections = dict(_dict(payload.get("sections")))
    general = dict(_dict(sections.get("general")))
    sections["general"] = general | {"warnings": [*_list(general.get("warnings")), what]}
    environment = dict(_dict(payload.get("environment")))
    tags = _dict(environment.get("custom_tags"))
    environment["custom_tags"] = {**tags, "steps_left_out": str(dropped), "steps_thinned": str(thinned)}
    return {**payload, "sections": sections, "environment": environment}


def _without_calls(usage: object) -> dict[str, object]:
    return {name: value for name, value in _dict(usage).items() if name != "calls"}


def _from_the_middle(count: int) -> list[int]:
    middle = (count - 1) / 2
    return sorted(range(count), key=lambda index: (abs(index - middle), index))


def _dump(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _list(value: object) -> list[dict[str, object]]:
    return value if isinstance(value, list) else []


def _dict(value: object) -> dict[str, object]:
    return value if isinstance(value, dict) else {}
