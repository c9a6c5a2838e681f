"""Redaction reads untrusted text: no text may cause catastrophic backtracking."""

from collections.abc import Iterator
from re import _constants, _parser  # type: ignore[attr-defined]  # the one way to see what a pattern repeats

import pytest
from infinium_trace.redact import Redactor
from infinium_trace.redact_assignments import NOTATION, SENTENCE
from infinium_trace.redact_commands import PATTERNS as COMMANDS
from infinium_trace.redact_foreign import PATTERN as FOREIGN
from infinium_trace.redact_rules import ANCHORED, NAMED_CALLS, PEM_BEGIN, PEM_BODY, PEM_END, PROVIDERS
from infinium_trace.redact_sql import PATTERNS as STATEMENTS

_GIVING_BACK = (_constants.MAX_REPEAT, _constants.MIN_REPEAT)
_PATTERNS = sorted(
    {rest for *_, rest in PROVIDERS}
    | {rest for *_, rest in ANCHORED}
    | {NOTATION, SENTENCE, PEM_BEGIN, PEM_BODY, PEM_END}
    | {FOREIGN, *COMMANDS, *STATEMENTS}
    | {*NAMED_CALLS.values()}
)


def _repeats(parsed: object) -> Iterator[tuple[object, int, object]]:
    """Yield every repeat in a parsed pattern: its kind, its maximum, and what it repeats."""
    if isinstance(parsed, tuple) and len(parsed) == 2 and parsed[0] in (*_GIVING_BACK, _constants.POSSESSIVE_REPEAT):
        kind, (_, most, inner) = parsed
        yield kind, int(most), inner
        yield from _repeats(inner)
    elif isinstance(parsed, tuple | list | _parser.SubPattern):
        for part in getattr(parsed, "data", parsed):
            yield from _repeats(part)


@pytest.mark.parametrize("pattern", _PATTERNS)
def test_no_repeat_backtracks_without_bound(pattern: str) -> None:
    for kind, most, inner in _repeats(_parser.parse(pattern)):
        if kind in _GIVING_BACK and most > 1:
            assert most <= 512
            assert not [nested for nested in _repeats(inner) if nested[1] > 1]


@pytest.mark.parametrize("pattern", ["(a+)+", "a*b", "(?:a{1,9}b){2,9}"])
def test_the_check_rejects_patterns_that_backtrack(pattern: str) -> None:
    found = list(_repeats(_parser.parse(pattern)))
    assert any(most > 512 or list(_repeats(inner)) for _, most, inner in found)


@pytest.mark.parametrize(
    "piece",
    [
        "sk-", "eyJ", "eyJ-", "eyJaaaaaaaaaa.", "token=", "password='", "key: ", "://", "://a:", "://a:b", "curl -u ",
        "mysql", "mysql -p", "-----BEGIN PRIVATE KEY-----", "Bearer ", "basic ", "Cookie: a", "authorization:",
        "machine ", "&sig=", "xoxb-", "A", "0", " ", "\n", "\\", '\\"', "=", "[redacted:", "[redacted:token]",
        "name: token\nvalue", " -p", "mysql -px ", "secret ", "mot de passe ", "пароль ", "пароль: ", "PASSWORD FOR ",
        "INSERT INTO a (b) VALUES (", "echo a | sudo -S ", "| token | ", "token | a | ", "password is ",
        "gh secret set ", "token, ", "jwt.sign({", "auth=(a, ", "wachtwoord ",
        "password x y z ", ":thin:a/", "passwd ", "é", "secret_", "key.",
    ],
)  # fmt: skip
def test_many_starts_of_secrets_in_a_row_take_linear_time(piece: str) -> None:
    """With quadratic work this would take hours."""
    Redactor(secrets=["never there"]).text(piece * (300_000 // len(piece)))
