"""Removes a secret from a finished JSON document, such as a body that was built while the secret was not known."""

import re
from collections.abc import Mapping
from functools import lru_cache

from infinium_trace.fit import encode
from infinium_trace.redact import Redactor, forms_of

KIND = "own-secret"
_MARKER = f"[redacted:{KIND}]"
_CUT = "…"
"""Where a preview omits text. A secret may be cut there, so that only its beginning or its end is left."""
_CUT_BYTES = _CUT.encode()
_FEWEST = 6
"""Characters of a cut secret that are removed. Fewer would match by chance."""


def redact_json(document: bytes, secret: str) -> bytes:
    """Return a JSON document without the secret; the same object if the secret is not in it.

    All forms of the secret that a `Redactor` knows are removed, and the rest of a secret that a preview cut. The
    document's custom tags count what was removed. A document that is not JSON is searched as text.
    """
    if not _may_contain(document, secret):
        return document
    import json  # few documents get here

    redactor = Redactor(secrets=(secret,), enabled=False)
    try:
        clean = _without_pieces(redactor.value(json.loads(document)), secret, redactor)
    except (ValueError, RecursionError):
        return redactor.text(document.decode("utf-8", "replace")).encode()
    if not redactor.counts:
        return document
    return encode(_counted(clean, redactor.counts)) if isinstance(clean, dict) else _dump(clean)


def _may_contain(document: bytes, secret: str) -> bool:
    """A quick search that decodes nothing: most documents have no secret."""
    if any(form in document for form in _encoded_forms(secret)):
        return True
    head, tail = secret[:_FEWEST].encode(), secret[-_FEWEST:].encode()
    return len(secret) > _FEWEST and any(
        document.find(head, max(cut.start() - len(secret) * 4, 0), cut.start()) >= 0
        or document.find(tail, cut.end(), cut.end() + len(secret) * 4) >= 0
        for cut in re.finditer(_CUT_BYTES, document)
    )


@lru_cache(maxsize=8)
def _encoded_forms(secret: str) -> tuple[bytes, ...]:
    return tuple(form.encode("utf-8", "surrogatepass") for form in forms_of(secret))


def _without_pieces(value: object, secret: str, redactor: Redactor) -> object:
    """Remove the pieces of the secret that stand directly before or behind a cut."""
    match value:
        case str():
            return _without_pieces_in_text(value, secret, redactor) if _CUT in value else value
        case Mapping():
            return {key: _without_pieces(item, secret, redactor) for key, item in value.items()}
        case list():
            return [_without_pieces(item, secret, redactor) for item in value]
        case _:
            return value


def _without_pieces_in_text(text: str, secret: str, redactor: Redactor) -> str:
    for length in range(len(secret) - 1, _FEWEST - 1, -1):
        for piece, shown in ((secret[:length] + _CUT, _MARKER + _CUT), (_CUT + secret[-length:], _CUT + _MARKER)):
            if found := text.count(piece):
                text = text.replace(piece, shown)
                redactor.counts[KIND] = redactor.counts.get(KIND, 0) + found
    return text


def _counted(body: dict[str, object], counts: Mapping[str, int]) -> dict[str, object]:
    """Add the counts to those in the body's custom tags."""
    environment = body.get("environment")
    if not isinstance(environment, dict) or not isinstance(environment.get("custom_tags"), dict):
        return body
    tags = environment["custom_tags"]
    known = dict(re.findall(r"([a-z0-9-]+): (\d+)", str(tags.get("redacted", ""))))
    total = {kind: int(number) for kind, number in known.items()}
    for kind, number in counts.items():
        total[kind] = total.get(kind, 0) + number
    shown = ", ".join(f"{kind}: {number}" for kind, number in sorted(total.items()))
    return {**body, "environment": {**environment, "custom_tags": {**tags, "redacted": shown}}}


def _dump(value: object) -> bytes:
    import json

    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
