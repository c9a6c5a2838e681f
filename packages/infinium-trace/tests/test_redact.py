import base64
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st
from infinium_trace import redact
from infinium_trace.redact import RedactionPatternError, Redactor
from infinium_trace.redact_rules import KINDS
from redact_corpus import KEYS, OWN_SECRET, Draw, Sample, leaks, look_alikes, pem, positives


def _redactor() -> Redactor:
    return Redactor(secrets=[OWN_SECRET])


def _key(kind: str = "github-pat") -> str:
    return KEYS[kind](Draw(7))


def test_secrets_are_found() -> None:
    """At least 99 in 100, of 40 or more kinds, and the text around them is kept."""
    samples = list(positives())
    missed: list[Sample] = []
    for sample in samples:
        shown = _redactor().text(sample.text)
        whole = shown.startswith(f"{sample.before}\n") and shown.endswith(sample.after)
        if leaks(sample, shown) or "[redacted:" not in shown or not whole:
            missed.append(sample)
    assert len(samples) >= 2000
    assert len({sample.kind for sample in samples}) >= 40
    assert len(missed) / len(samples) <= 0.01, [(sample.kind, sample.text) for sample in missed[:10]]


def test_every_kind_is_found() -> None:
    """The few that are missed are of different kinds."""
    kinds: dict[str, list[bool]] = {}
    for sample in positives():
        kinds.setdefault(sample.kind, []).append(leaks(sample, _redactor().text(sample.text)))
    assert {kind: sum(missed) for kind, missed in kinds.items() if sum(missed) * 4 > len(missed)} == {}


def test_look_alikes_are_kept() -> None:
    samples = list(look_alikes())
    taken = [(s.kind, shown) for s in samples if (shown := _redactor().text(s.text)) != s.text]
    assert len(samples) >= 2000
    assert len(taken) / len(samples) <= 0.01, taken[:10]


def test_redacting_twice_changes_nothing() -> None:
    for sample in positives(seed=3, rounds=3):
        once = _redactor().text(sample.text)
        again = _redactor()
        assert (again.text(once), again.counts) == (once, {})


def test_counts_by_kind() -> None:
    redactor = _redactor()
    redactor.text(f"{_key()} and {_key('stripe-live')}")
    redactor.text(f"once more {_key()}, and password = 'hunter2!x'")
    assert redactor.counts == {"github-token": 2, "stripe-key": 1, "password": 1}


def test_a_secret_found_by_two_rules_is_one_and_has_the_more_specific_kind() -> None:
    redactor = _redactor()
    assert redactor.text(f'token = "{_key()}"') == 'token = "[redacted:github-token]"'
    assert redactor.counts == {"github-token": 1}


def _shifted(secret: str, before: str) -> str:
    return base64.b64encode(f"{before}{secret}:after".encode()).decode()


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize(
    "form",
    [
        OWN_SECRET,
        quote(OWN_SECRET, safe=""),
        quote(OWN_SECRET, safe="").replace("%2F", "%2f").replace("%2B", "%2b").replace("%3D", "%3d"),
        quote_plus(OWN_SECRET),
        base64.b64encode(OWN_SECRET.encode()).decode(),
        base64.urlsafe_b64encode(OWN_SECRET.encode()).decode().rstrip("="),
        OWN_SECRET.encode().hex(),
    ],
)
def test_own_secret_is_removed_in_every_form_even_if_redaction_is_off(form: str, *, enabled: bool) -> None:
    redactor = Redactor(secrets=[OWN_SECRET], allow=[".*"], enabled=enabled)
    assert redactor.text(f"<{form}>").rstrip("=>") == "<[redacted:own-secret]"


@pytest.mark.parametrize("before", ["", "a", "ab", "abc"])
def test_own_secret_is_removed_from_encoded_credentials(before: str) -> None:
    """Its characters in base64 depend on the text before it."""
    shown = Redactor(secrets=[OWN_SECRET], enabled=False).text(_shifted(OWN_SECRET, before))
    assert "[redacted:own-secret]" in shown
    assert len(shown.replace("[redacted:own-secret]", "")) <= 4 + 10 + 2


def test_own_secret_is_removed_from_json_in_json() -> None:
    secret = 'quo"te\\back\u00e9' + "slash"
    text = json.dumps({"inner": json.dumps({"key": secret})})
    shown = Redactor(secrets=[secret], enabled=False).text(text)
    assert json.loads(json.loads(shown)["inner"]) == {"key": "[redacted:own-secret]"}


def test_only_the_own_secret_is_removed_if_redaction_is_off() -> None:
    redactor = Redactor(secrets=[OWN_SECRET], patterns=["abc"], enabled=False)
    assert redactor.text(f"abc {_key()}") == f"abc {_key()}"
    assert redactor.value({"password": "abc"}) == {"password": "abc"}


def test_a_blank_secret_is_ignored() -> None:
    assert Redactor(secrets=["", " "]).text("a b") == "a b"


def test_patterns_of_the_user() -> None:
    redactor = Redactor(patterns=[r"ACME-\d+", r"ticket (\w+)", "x*"])
    assert redactor.text("ACME-12, ticket T9") == "[redacted:custom], ticket [redacted:custom]"
    assert redactor.counts == {"custom": 2}


def test_texts_that_a_slow_pattern_did_not_search_are_replaced_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """A project file may contain patterns: none can delay the worker, and none lets a secret through."""
    monkeypatch.setattr(redact, "PATTERN_SECONDS", 0.2)
    redactor = Redactor(patterns=["ACME-1", r"(a+)+$"])
    assert redactor.text("ACME-1 and b") == "[redacted:custom] and b"
    assert redactor.text("ACME-1 " + "a" * 5_000 + "b") == "[redacted:unsearched]"
    assert redactor.value(["ACME-1"]) == ["[redacted:unsearched]"]
    assert redactor.text("[redacted:unsearched]") == "[redacted:unsearched]"


def test_an_invalid_pattern_is_named() -> None:
    with pytest.raises(RedactionPatternError, match=r"'\(unclosed'.*missing \)"):
        Redactor(patterns=["(unclosed"])
    with pytest.raises(RedactionPatternError, match=r"'\*'.*nothing to repeat"):
        Redactor(allow=["*"])


def test_allowed_values_are_kept() -> None:
    allowed = _key()
    redactor = Redactor(allow=[allowed, "demo-.*"])
    text = f"token = '{allowed}' password = 'demo-1234'"
    assert redactor.text(text) == text
    assert redactor.value({"password": "demo-1", "token": "other"}) == {
        "password": "demo-1",
        "token": "[redacted:token]",
    }
    assert redactor.text(allowed[:-1] + "0") == "[redacted:github-token]"


@pytest.mark.parametrize("newline", ["\n", "\\n", "\r\n"])
def test_a_private_key_is_removed_whole(newline: str) -> None:
    text, _ = pem(Draw(4), newline=newline)
    assert _redactor().text(f"before\n{text}\nafter") == "before\n[redacted:private-key]\nafter"


@pytest.mark.parametrize("end", ["", "\nMIIE", "\nafter it, prose."])
def test_a_truncated_private_key_is_removed_to_its_end(end: str) -> None:
    text, body = pem(Draw(5), whole=False)
    shown = _redactor().text(f"before\n{text}{end}")
    assert shown.startswith("before\n[redacted:private-key]")
    assert all(line not in shown for line in body.splitlines())
    assert "MIIE" not in shown
    assert "prose" not in end or "prose." in shown


def test_two_private_keys_are_two() -> None:
    redactor = _redactor()
    cut, _ = pem(Draw(6), whole=False)
    whole, _ = pem(Draw(7))
    assert redactor.text(f"{cut}\n---\n{whole}\nend") == "[redacted:private-key]\n---\n[redacted:private-key]\nend"


def test_values_are_redacted_by_their_key() -> None:
    redactor = _redactor()
    given_value = {
        "user": "dev",
        "password": "plain words",
        "api_key": "abc",
        "dbPassword": 12345678,
        "Authorization": ["Custom abc"],
        "nested": [{"clientSecret": "x y z"}, {"note": f"see {_key()}"}],
        "token": None,
        "secret": True,
        "max_tokens": 4096,
        "cache_key": "user:1",
        "access_token": "${TOKEN}",
    }
    assert redactor.value(given_value) == given_value | {
        "password": "[redacted:password]",
        "api_key": "[redacted:api-key]",
        "dbPassword": "[redacted:password]",
        "Authorization": ["[redacted:authorization]"],
        "nested": [{"clientSecret": "[redacted:secret]"}, {"note": "see [redacted:github-token]"}],
    }


def test_values_are_redacted_by_the_name_beside_them() -> None:
    """Kubernetes, HAR files and many APIs list variables and headers this way."""
    listed = [{"name": "DB_PASSWORD", "value": "words"}, {"name": "MODE", "value": "words"}]
    assert _redactor().value(listed) == [{"name": "DB_PASSWORD", "value": "[redacted:password]"}, listed[1]]


def test_keys_that_are_secrets_are_redacted_and_stay_distinct() -> None:
    shown = _redactor().value({_key(): 1, KEYS["github-pat"](Draw(8)): 2, "plain": 3})
    assert shown == {"[redacted:github-token]": 1, "[redacted:github-token] (2)": 2, "plain": 3}


def test_own_secret_under_a_secret_name_keeps_its_kind() -> None:
    assert _redactor().value({"api_key": OWN_SECRET}) == {"api_key": "[redacted:own-secret]"}


def test_depth_is_bounded() -> None:
    circle: list[object] = [_key()]
    circle.append(circle)
    shown = json.dumps(_redactor().value(circle))
    assert "[redacted:nested]" in shown
    assert _key() not in shown


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["password", "name", "value"]), inner),
)
_PIECES = st.lists(
    st.sampled_from(
        ["password", "token=", "key: ", '"', "'", "\\", "\n", "-----BEGIN ", "PRIVATE KEY-----", "://", "@"]
    )
    | st.sampled_from(
        ["eyJ", ".", "Bearer ", "Cookie: ", "[redacted:", "token]", "a1B2" * 8, "=", "<", ">", "&", " -u"]
    )
    | st.text(max_size=8)
).map("".join)


@given(_JSON)
def test_any_value_can_be_redacted(value: object) -> None:
    shown = _redactor().value(value)
    assert repr(_redactor().value(shown)) == repr(shown)


@given(_PIECES)
def test_any_text_is_redacted_in_one_pass(text: str) -> None:
    shown = _redactor().text(text)
    again = _redactor()
    assert again.text(shown) == shown
    assert again.counts == {}


@given(st.lists(st.text(max_size=12)), st.text())
def test_no_secret_is_left(secrets: list[str], text: str) -> None:
    """The text outside the markers contains no secret."""
    shown = Redactor(secrets=secrets, enabled=False).text(text + "".join(secrets))
    for kind in KINDS:
        shown = shown.replace(f"[redacted:{kind}]", "\0")
    assert not any(secret in part for secret in secrets if secret.strip() for part in shown.split("\0"))


@pytest.mark.parametrize(
    "name", ["пароль", "ПАРОЛЬ", "ŞIFRE", "ŞİFRE", "ſenha é", "Κωδικός", "ΚΩΔΙΚΌΣ", "كلمة_السر", "mật_khẩu"]
)
def test_a_foreign_name_in_any_spelling(name: str) -> None:
    """Capitals, dotless and dotted i, long s, final sigma, underscores."""
    text = f"{name.partition(' ')[0]}: tr0ub4dor&3 é"
    assert Redactor().text(text) == text.replace("tr0ub4dor&3", "[redacted:password]")
