"""Removes secrets from texts and parsed JSON, and counts them by kind."""

import base64
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from time import monotonic
from typing import TYPE_CHECKING

from infinium_trace.lazy_pattern import lazy_pattern
from infinium_trace.redact_names import kind_of_name, name_is_secret
from infinium_trace.redact_rules import KINDS
from infinium_trace.redact_scan import scan
from infinium_trace.redact_spans import Rank, Span
from infinium_trace.redact_values import is_placeholder

if TYPE_CHECKING:
    import regex

_MARKER = lazy_pattern(r"\[redacted:([a-z0-9-]+)\]")
_KINDS = frozenset(KINDS)
_ROUNDS = 5
"""How often a text is scanned again after a finding: the rest may match other rules."""
_MAX_DEPTH = 100
_SHORT = 64
_MOST_CLEAN = 2_000
PATTERN_SECONDS = 2.0
"""Seconds that the patterns of one redactor may search in all. Texts after that are replaced as a whole."""
_MIN_ENCODED = 6
"""Length below which an encoded form of a secret would match by chance."""


class RedactionPatternError(ValueError):
    """A redaction pattern is not a valid regular expression."""

    def __init__(self, pattern: str, reason: str) -> None:
        super().__init__(
            f"Redaction pattern '{pattern}' is not a valid regular expression: {reason}. "
            "Correct it or remove it from the settings."
        )
        self.pattern, self.reason = pattern, reason


class Redactor:
    """Replaces every secret by `[redacted:<kind>]`. `counts` has the number of replacements by kind.

    Use a new redactor for each trace, so that its counts are those of the trace.
    `secrets` are the connector's own. They are always removed, also url-encoded, JSON-escaped, in base64 and in hex.
    `patterns` are regular expressions of further secrets. If a pattern has a group, the first group is the secret.
    Patterns are untrusted: after `PATTERN_SECONDS` in all, texts are replaced as a whole, as `unsearched`.
    Values that an `allow` expression matches as a whole are kept. With `enabled=False` only `secrets` are removed.
    Raises RedactionPatternError.
    """

    def __init__(
        self,
        *,
        secrets: Iterable[str] = (),
        patterns: Iterable[str] = (),
        allow: Iterable[str] = (),
        enabled: bool = True,
    ) -> None:
        self.counts: dict[str, int] = {}
        self._own = sorted({form for secret in secrets for form in forms_of(secret)}, key=len, reverse=True)
        self._patterns = [_compile(pattern) for pattern in patterns]
        self._allow = [_compile(pattern) for pattern in allow]
        self._seconds_left = PATTERN_SECONDS
        self._enabled = enabled
        self._clean: set[str] = set()
        """Short texts without a secret: a trace repeats the same words."""

    def text(self, value: str) -> str:
        """Return the text without its secrets. A text that was redacted before is returned unchanged."""
        if value in self._clean:
            return value
        for _ in range(_ROUNDS):
            spans = self._spans(value)
            if not spans:
                if len(value) <= _SHORT:
                    if len(self._clean) >= _MOST_CLEAN:
                        self._clean.clear()
                    self._clean.add(value)
                break
            value = self._replaced(value, spans)
        return value

    def value(self, value: object) -> object:
        """Return JSON-like data without its secrets, including values under the name of a secret. Never raises."""
        return self._value(value, None, _MAX_DEPTH)

    def _value(self, value: object, secret_name: str | None, depth: int) -> object:
        """Redact a value. `secret_name` is the name of the secret that the value is part of, if any."""
        match value:
            case str():
                return self.text(value) if secret_name is None else self._named(value, secret_name)
            case int() | float():
                return self._number(value, secret_name)
            case Mapping() | list() | tuple() | set() | frozenset() if depth == 0:
                return self._mark("nested")
            case Mapping():
                return self._mapping(value, depth)
            case list() | tuple() | set() | frozenset():
                return [self._value(item, secret_name, depth - 1) for item in value]
            case _:
                return value

    def _number(self, value: float, secret_name: str | None) -> object:
        # A number is a password (`"dbPassword": 12345678`), but not a count of what passed (`"pass": 12`).
        is_password = secret_name is not None and re.search(r"(?i:pass(?:w|ph|c)|pwd)", secret_name) is not None
        return self._mark("password") if is_password and not isinstance(value, bool) else value

    def _mapping(self, mapping: Mapping[object, object], depth: int) -> dict[object, object]:
        # Kubernetes, HAR files and many APIs write headers and variables as {"name": "DB_PASSWORD", "value": "…"}.
        label = next((v for k in ("name", "key", "Name", "Key") if isinstance(v := mapping.get(k), str)), "")
        clean: dict[object, object] = {}
        for key, item in mapping.items():
            shown = self._unique_key(key, clean)
            clean[shown] = self._value(item, self._secret_name(key, label), depth - 1)
        return clean

    def _unique_key(self, key: object, taken: Mapping[object, object]) -> object:
        """Return the redacted key, numbered if another key was redacted to the same text."""
        shown: object = self.text(key) if isinstance(key, str) else key
        return f"{shown} ({len(taken) + 1})" if shown != key and shown in taken else shown

    def _secret_name(self, key: object, label: str) -> str | None:
        """Return the secret's name if the value under this key is a secret. `label` is the mapping's own name."""
        if not self._enabled or not isinstance(key, str):
            return None
        if key in ("value", "Value") and name_is_secret(label):
            return label
        return key if name_is_secret(key) else None

    def _named(self, value: str, name: str) -> str:
        """Redact a value under a secret's name as a whole, unless it is a placeholder or allowed."""
        if not value or _markers(value) == [(0, len(value))]:
            return value
        if any(form in value for form in self._own):
            return self._mark("own-secret")
        if is_placeholder(value) or self._allowed(value):
            return self.text(value)
        return self._mark(kind_of_name(name))

    def _spans(self, text: str) -> list[Span]:
        """Return the secrets in the text, in order and without overlap."""
        found = [
            Span(at, at + len(form), Rank.OWN, "own-secret") for form in self._own for at in _positions(text, form)
        ]
        if self._enabled:
            others = [*scan(text), *self._search_patterns(text)]
            found += [s for s in others if s.end > s.start and not self._allowed(text[s.start : s.end])]
        if not found:
            return []
        return _merged(found, _markers(text))

    def _search_patterns(self, text: str) -> list[Span]:
        if not self._patterns:
            return []
        began = monotonic()
        try:
            return [span for pattern in self._patterns for span in self._search_pattern(pattern, text, began)]
        except TimeoutError:
            return [Span(0, len(text), Rank.OWN, "unsearched")]
        finally:
            self._seconds_left -= monotonic() - began

    def _search_pattern(self, pattern: "regex.Pattern[str]", text: str, began: float) -> Iterator[Span]:
        left = self._seconds_left - (monotonic() - began)
        if left <= 0:
            raise TimeoutError
        for match in pattern.finditer(text, timeout=left):
            start, end = match.span(1) if pattern.groups and match[1] else match.span()
            yield Span(start, end, Rank.CUSTOM, "custom")

    def _allowed(self, value: str) -> bool:
        return any(pattern.fullmatch(value) for pattern in self._allow)

    def _replaced(self, text: str, spans: list[Span]) -> str:
        parts: list[str] = []
        done = 0
        for span in spans:
            parts += text[done : span.start], self._mark(span.kind)
            done = span.end
        return "".join((*parts, text[done:]))

    def _mark(self, kind: str) -> str:
        self.counts[kind] = self.counts.get(kind, 0) + 1
        return f"[redacted:{kind}]"


def _compile(pattern: str) -> "regex.Pattern[str]":
    import regex  # searches with a timeout; imported on demand, because few users have patterns

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # warnings about the syntax of other dialects
            return regex.compile(pattern)
    except (regex.error, RecursionError, OverflowError) as error:
        raise RedactionPatternError(pattern, str(error)) from None


def forms_of(secret: str) -> set[str]:
    """Return the forms of a secret in texts: plain, escaped, encoded."""
    if not secret.strip():
        return set()
    import json
    from urllib.parse import quote, quote_plus

    escaped = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    escaped |= {json.dumps(form)[1:-1] for form in escaped}  # JSON in JSON
    raw = secret.encode("utf-8", "surrogatepass")
    urls = {quote(raw, safe=""), quote(raw), quote_plus(raw)}
    urls |= {re.sub("%..", lambda code: code[0].lower(), url) for url in urls}
    encoded = {raw.hex(), raw.hex().upper()}
    for whole in (base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()):
        encoded |= {whole, whole.rstrip("=")}
    for shift in range(3):
        # The text before the secret shifts its encoding. Characters that encode parts of neighbours are omitted.
        code = base64.b64encode(bytes(shift) + raw).decode()
        core = code[(0, 2, 3)[shift] : (len(raw) + shift) * 8 // 6]
        encoded |= {core, core.replace("+", "-").replace("/", "_")}
    return {secret} | escaped | urls | {form for form in encoded if len(form) >= _MIN_ENCODED}


def _markers(text: str) -> list[tuple[int, int]]:
    """Return the positions of redaction markers. A marker of an unknown kind does not count: it could hide a secret."""
    if "[redacted:" not in text:
        return []
    return [match.span() for match in _MARKER.finditer(text) if match[1] in _KINDS]


def _positions(text: str, part: str) -> Iterator[int]:
    at = text.find(part)
    while at >= 0:
        yield at
        at = text.find(part, at + len(part))


def _merged(found: list[Span], markers: list[tuple[int, int]]) -> list[Span]:
    """Return the spans in order, overlapping ones merged with the lowest rank. Spans inside a marker are dropped."""
    kept = sorted([*found, *(Span(start, end, Rank.MARKER, "") for start, end in markers)])
    merged: list[Span] = []
    for span in kept:
        if merged and span.start < merged[-1].end:
            last = merged[-1]
            if last.rank is Rank.MARKER and span.end <= last.end:
                continue
            best = last if last.rank <= span.rank else span
            merged[-1] = Span(last.start, max(last.end, span.end), best.rank, best.kind)
        else:
            merged.append(span)
    return [span for span in merged if span.rank is not Rank.MARKER]
