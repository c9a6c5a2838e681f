"""Makes the result of a code review readable. The review model answers with JSON."""

from collections.abc import Iterator, Mapping

from infinium_codex.support.json_fields import integer, mapping, parse_object, text


def readable_message(message: str | None) -> str | None:
    """Return a message, or if it is the JSON of a review, its explanation and findings as text."""
    if message is None or not message.lstrip().startswith("{") or '"overall_correctness"' not in message:
        return message
    review = parse_object(message.strip())
    if review is None or not isinstance(review.get("findings"), list):
        return message
    return "\n\n".join(_parts(review)) or message


def _parts(review: Mapping[str, object]) -> Iterator[str]:
    """Yield the explanation, the verdict and each finding with its place."""
    if explanation := text(review, "overall_explanation"):
        yield explanation
    if verdict := text(review, "overall_correctness"):
        yield f"Verdict: {verdict}"
    findings = review.get("findings")
    for finding in findings if isinstance(findings, list) else []:
        if isinstance(finding, dict):
            body = text(finding, "body")
            yield f"- {text(finding, 'title') or 'Finding'}{_place(finding)}" + (f"\n  {body}" if body else "")


def _place(finding: Mapping[str, object]) -> str:
    location = mapping(finding, "code_location")
    path = text(location, "absolute_file_path")
    start = integer(mapping(location, "line_range"), "start")
    return "" if path is None else f" ({path})" if start is None else f" ({path}:{start})"
