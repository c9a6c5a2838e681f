"""Redaction on two corpora that were written before their authors knew the rules (long form: `nox -s redaction`)."""

from types import ModuleType

import blind_corpus
import formats_corpus
import pytest
from infinium_trace.redact import Redactor
from scanners import reports

_CORPORA = pytest.mark.parametrize("corpus", [blind_corpus, formats_corpus], ids=["blind", "formats"])
_SEEDS = pytest.mark.parametrize("seed", [2025, 2026])


@_CORPORA
@_SEEDS
def test_secrets_are_found_in_every_syntax(corpus: ModuleType, seed: int) -> None:
    """At least 97 in 100, whatever surrounds the secret's name and whatever the value looks like."""
    cases = list(corpus.positives(seed, 1_500))
    missed = [case for case in cases if not reports(case, Redactor().text(case.text))]
    assert len(missed) / len(cases) <= 0.03, [(case.topic, case.text) for case in missed[:20]]


@_CORPORA
@_SEEDS
def test_look_alikes_are_kept(corpus: ModuleType, seed: int) -> None:
    """At most 5 in 1,000 are taken for secrets."""
    cases = list(corpus.without_secrets(seed, 1_500))
    taken = [(case.topic, case.text) for case in cases if reports(case, Redactor().text(case.text))]
    assert len(taken) / len(cases) <= 0.005, taken[:20]


@pytest.mark.parametrize(
    "name",
    [
        "SECRET_KEY_BASE", "DB_PASSWORD_PROD", "API_KEY2", "TOKEN_GITHUB", "STRIPE_KEY", "FERNET_KEY", "GH_PAT",
        "DB_PW", "dbPasswordProd", "tokenGithub", "api-key-2", "OLD_API_KEYS_EU", "spring.mail.password",
        "MOT_DE_PASSE", "SENHA_DB",
    ],
)  # fmt: skip
def test_a_secrets_word_counts_wherever_it_stands_in_a_name(name: str) -> None:
    """Prefixes, suffixes, environments, numbers and plurals do not hide it, and the value may be letters only."""
    shown = Redactor().text(f'{name} = "walnutferry"\n')
    assert "walnutferry" not in shown, shown
    assert Redactor().value({name: "walnutferry"}) != {name: "walnutferry"}


@pytest.mark.parametrize(
    "text",
    [
        "STORAGE_KEY = 'todo-items-v2'", "next_page_token = 'CAUQAAabcDEF123456789'", "cacheKey: 'user:42:profile'",
        "PRIMARY_KEY=order_id", "projects/shop/secrets/db-password/versions/3", "max_tokens: 4096",
        "token = parser.next_token()",
        "password = os.environ['DB_PASSWORD']", "passwordPlaceholder = 'Enter it here'", "AWS::IAM::AccessKey",
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-password-a1B2c3", "Das Passwort muss lang sein.",
    ],
)  # fmt: skip
def test_a_name_that_means_no_secret_is_none(text: str) -> None:
    assert Redactor().text(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "确认密码：`ConfirmButton`", "这台电脑的私钥是 `id_ed25519`。",
        "密码应保存为字符串；`math.random(1000, 9999)` 只有四位。",
        "トークンに `appendChunk` を追加し、`commandDone` まで待つ。",
        "Das Passwort prüft `checkStrength` in `auth.ts`.",
        "пароль проверяет validateLogin в модуле", "- `appendToken` `src/storage/items.ts:141`",
    ],
)  # fmt: skip
def test_code_in_a_sentence_about_passwords_is_kept(text: str) -> None:
    """Assistants write about passwords in the user's language and name functions and files between backticks."""
    assert Redactor().text(text) == text


def test_counts_of_what_passed_are_no_passwords() -> None:
    """Results of tests and of tokenizers keep their numbers and lists."""
    value = {"pass": 12, "tests_pass": 5, "tokens": ["hello", "world"], "total_tokens": 1_284}
    assert Redactor().value(value) == value
