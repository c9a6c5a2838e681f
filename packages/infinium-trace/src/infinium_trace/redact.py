"""Takes secrets out of texts and of parsed JSON before anything leaves, and counts what it took."""

import base64
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from time import monotonic
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

from infinium_trace.redact_rules import KINDS
from infinium_trace.redact_scan import Rank, Span, scan
from infinium_trace.redact_values import is_placeholder, kind_of_name, name_is_secret

if TYPE_CHECKING:
    import regex

_MARKER = re.compile(r"\[redacted:([a-z0-9-]+)\]")
_KINDS = frozenset(KINDS)
_ROUNDS = 5
"""How often a text is looked through again after something was found: what is left may read differently."""
_MAX_DEPTH = 100
_SHORT = 64
_MOST_CLEAN = 2_000
PATTERN_SECONDS = 2.0
"""How long a redactor's own patterns may search in all. What they have not got through by then goes whole."""
_MIN_ENCODED = 6
"""Characters of an encoded form below which it would be found by chance."""


class RedactionPatternError(ValueError):
    """A redaction pattern that is no regular expression."""

    def __init__(self, pattern: str, reason: str) -> None:
        super().__init__(
            f"Redaction pattern {pattern!r} is not a regular expression: {reason}. "
            "Correct it, or take it out of the settings."
        )
        self.pattern, self.reason = pattern, reason


class Redactor:
    """Replaces every secret by `[redacted:<kind>]`; `counts` says how many of each kind it took out so far.

    `secrets` are the program's own: they go in any case, also url-encoded, JSON-escaped, in base64 and in hex.
    `patterns` are regular expressions of further secrets (of a pattern with a group, the first group is the secret).
    They may be anybody's: where they search longer than `PATTERN_SECONDS` in all, the texts they have not got through
    are replaced whole, as `unsearched`.
    A value that one of the `allow` expressions matches as a whole stays. With `enabled=False` only `secrets` go.
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
        self._own = sorted({form for secret in secrets for form in _forms(secret)}, key=len, reverse=True)
        self._patterns = [_compile(pattern) for pattern in patterns]
        self._allow = [_compile(pattern) for pattern in allow]
        self._seconds_left = PATTERN_SECONDS
        self._enabled = enabled
        self._clean: set[str] = set()
        """Short texts without a secret: a trace says the same words again and again."""

    def text(self, value: str) -> str:
        """The text without its secrets; one that has been through here comes back unchanged."""
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
        """JSON-like data without its secrets, those known by the name of their key included; never raises."""
        return self._value(value, None, _MAX_DEPTH)

    def _value(self, value: object, name: str | None, depth: int) -> object:
        """`name` is that of the secret the value belongs to, if it does."""
        if isinstance(value, str):
            return self._named(value, name) if name is not None else self.text(value)
        if isinstance(value, bool) or not isinstance(value, int | float | Mapping | list | tuple | set | frozenset):
            return value
        if isinstance(value, int | float):
            return self._mark("password") if name is not None and kind_of_name(name) == "password" else value
        if depth == 0:
            return self._mark("nested")
        if isinstance(value, Mapping):
            return self._mapping(value, depth)
        return [self._value(item, name, depth - 1) for item in value]

    def _mapping(self, mapping: Mapping[object, object], depth: int) -> dict[object, object]:
        # {"name": "DB_PASSWORD", "value": "…"}: how Kubernetes, HAR files and many APIs write headers and variables
        label = next((v for k in ("name", "key", "Name", "Key") if isinstance(v := mapping.get(k), str)), "")
        clean: dict[object, object] = {}
        for key, item in mapping.items():
            name = key if isinstance(key, str) else ""
            shown: object = self.text(key) if isinstance(key, str) else key
            if shown != key and shown in clean:
                shown = f"{shown} ({len(clean) + 1})"
            if self._enabled and name in ("value", "Value") and name_is_secret(label):
                name = label
            secret = self._enabled and name_is_secret(name)
            clean[shown] = self._value(item, name if secret else None, depth - 1)
        return clean

    def _named(self, value: str, name: str) -> str:
        """A value under a secret's name: gone whole, unless it plainly is none."""
        if not value or _markers(value) == [(0, len(value))]:
            return value
        own = any(form in value for form in self._own)
        if not own and (is_placeholder(value) or self._allowed(value)):
            return self.text(value)
        return self._mark("own-secret" if own else kind_of_name(name))

    def _spans(self, text: str) -> list[Span]:
        """What to take out, in order, apart from one another."""
        found = [Span(at, at + len(form), Rank.OWN, "own-secret") for form in self._own for at in _places(text, form)]
        if self._enabled:
            others = [*scan(text), *self._custom(text)]
            found += [s for s in others if s.end > s.start and not self._allowed(text[s.start : s.end])]
        if not found:
            return []
        return _apart(found, _markers(text))

    def _custom(self, text: str) -> list[Span]:
        if not self._patterns:
            return []
        began = monotonic()
        try:
            return [span for pattern in self._patterns for span in self._search(pattern, text, began)]
        except TimeoutError:
            return [Span(0, len(text), Rank.OWN, "unsearched")]
        finally:
            self._seconds_left -= monotonic() - began

    def _search(self, pattern: "regex.Pattern[str]", text: str, began: float) -> Iterator[Span]:
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
    import regex  # its searches end in time, and few have patterns of their own

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # hints at other dialects' syntax: nobody would see them
            return regex.compile(pattern)
    except (regex.error, RecursionError, OverflowError) as error:
        raise RedactionPatternError(pattern, str(error)) from None


def _forms(secret: str) -> set[str]:
    """A secret as it stands in a text: plain, escaped, encoded."""
    if not secret.strip():
        return set()
    import json

    escaped = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    escaped |= {json.dumps(form)[1:-1] for form in escaped}  # JSON in JSON
    raw = secret.encode("utf-8", "surrogatepass")
    urls = {quote(raw, safe=""), quote(raw), quote_plus(raw)}
    urls |= {re.sub("%..", lambda code: code[0].lower(), url) for url in urls}
    encoded = {raw.hex(), raw.hex().upper()}
    for whole in (base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()):
        encoded |= {whole, whole.rstrip("=")}
    for shift in range(3):
        # what stands before the secret shifts it; the characters it shares with its neighbours are left out
        code = base64.b64encode(bytes(shift) + raw).decode()
        core = code[(0, 2, 3)[shift] : (len(raw) + shift) * 8 // 6]
        encoded |= {core, core.replace("+", "-").replace("/", "_")}
    return {secret} | escaped | urls | {form for form in encoded if len(form) >= _MIN_ENCODED}


def _markers(text: str) -> list[tuple[int, int]]:
    """Where the text has been redacted. What names no kind of ours is no marker: a secret could hide in it."""
    if "[redacted:" not in text:
        return []
    return [match.span() for match in _MARKER.finditer(text) if match[1] in _KINDS]


def _places(text: str, part: str) -> Iterator[int]:
    at = text.find(part)
    while at >= 0:
        yield at
        at = text.find(part, at + len(part))


def _apart(found: list[Span], markers: list[tuple[int, int]]) -> list[Span]:
    """Spans in order, overlapping ones made one of the most telling kind; what lies in a marker is no secret."""
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
