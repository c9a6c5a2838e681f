"""Finding, storing and deleting a secret, and which keyrings are safe."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import keyring
import pytest
from infinium_config import (
    DEFAULT_BASE_URL,
    KEYRING_SERVICE,
    SECRET_VARIABLE,
    ApprovedOrigins,
    KeyringUnavailable,
    ProjectFile,
    Secret,
    SecretFound,
    SecretMissing,
    SecretRefused,
    Source,
    Stored,
    delete_secret,
    find_secret,
    may_send_secret,
    resolve,
    store_secret,
)
from keyring.backend import KeyringBackend
from keyring.backends import fail, null
from syrupy.assertion import SnapshotAssertion

AGENT = "6f0c6d4e-3b1a-4c55-9f0e-1f6f3c1f2a10"
ELSEWHERE = "https://elsewhere.example/api"
TEXT = "sk-9f1c-do-not-show"
OTHER_AGENT = "b7d1c9aa-0f5e-4a7b-8b1e-2a9d8e7c6b5a"
IN_ENVIRONMENT = {SECRET_VARIABLE: f" {TEXT}\n"}

Use = Callable[[KeyringBackend], None]


class MemoryKeyring(KeyringBackend):
    """Stores passwords in a dict and counts its calls."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kept: dict[tuple[str, str], str] = {}
        self.asked = 0

    def get_password(self, service: str, username: str) -> str | None:
        self.asked += 1
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.asked += 1
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self.asked += 1
        del self.kept[service, username]


class PlaintextKeyring(MemoryKeyring):
    """Stands for the plaintext back end of keyrings.alt, which is recognized by its module."""

    __module__ = "keyrings.alt.file"


class CorruptingKeyring(MemoryKeyring):
    """Reports success and stores another value."""

    def set_password(self, service: str, username: str, password: str) -> None:
        super().set_password(service, username, password[:8])


class ForgetfulKeyring(MemoryKeyring):
    """Reports success and stores nothing."""

    def set_password(self, service: str, username: str, password: str) -> None: ...


class RevealingKeyring(MemoryKeyring):
    """Fails and repeats its arguments in the message."""

    def get_password(self, service: str, username: str) -> str | None:
        raise RuntimeError(f"no session for {username}\nand a second line")

    def set_password(self, service: str, username: str, password: str) -> None:
        raise RuntimeError(f"cannot write {password!r} for {username}")


class HangingKeyring(MemoryKeyring):
    """Answers after `let_go` is set, as a daemon that waits for an invisible prompt."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go = threading.Event()

    def get_password(self, service: str, username: str) -> str | None:
        self.let_go.wait(60)
        return super().get_password(service, username)


class ChainedKeyring(MemoryKeyring):
    """Reads from several back ends, as keyring's chainer does; stores in the first."""

    def __init__(self, *backends: KeyringBackend) -> None:
        super().__init__()
        self.backends = list(backends)


@pytest.fixture
def use() -> Iterator[Use]:
    """Make keyring use a back end until the end of the test."""
    before = keyring.get_keyring()
    yield keyring.set_keyring
    keyring.set_keyring(before)


@pytest.fixture
def origins(tmp_path: Path) -> ApprovedOrigins:
    return ApprovedOrigins(tmp_path / "origins.json")


def ask(
    origins: ApprovedOrigins,
    environ: dict[str, str] | None = None,
    base_url: str = DEFAULT_BASE_URL,
    source: Source = Source.PROJECT_FILE,
    deadline: float = 10.0,
) -> SecretFound | SecretMissing | SecretRefused | KeyringUnavailable:
    own = environ or {}
    if source is Source.ENVIRONMENT:
        settings = resolve({**own, "INFINIUM_AGENT_ID": AGENT, "INFINIUM_BASE_URL": base_url}, None, None)
    else:
        settings = resolve(own, None, ProjectFile(agent_id=AGENT, base_url=base_url))
    found = find_secret(settings, origins=origins, deadline=deadline)
    assert may_send_secret(settings, origins=origins) is not isinstance(found, SecretRefused)
    return found


def holding(text: str) -> MemoryKeyring:
    backend = MemoryKeyring()
    backend.kept[KEYRING_SERVICE, AGENT] = text
    return backend


@pytest.mark.parametrize(
    ("environ", "source"),
    [
        ({}, Source.PROJECT_FILE),
        (IN_ENVIRONMENT, Source.PROJECT_FILE),
        ({}, Source.ENVIRONMENT),
        ({SECRET_VARIABLE: "  "}, Source.ENVIRONMENT),
    ],
    ids=["file", "file, environment's secret", "environment", "environment, blank secret"],
)
def test_an_unapproved_origin_gets_no_secret_and_the_keyring_is_not_read(
    use: Use, origins: ApprovedOrigins, environ: dict[str, str], source: Source
) -> None:
    backend = holding(TEXT)
    use(backend)
    refused = ask(origins, environ, ELSEWHERE, source)
    assert isinstance(refused, SecretRefused)
    assert refused.origin == "https://elsewhere.example:443"
    assert AGENT in refused.reason
    assert backend.asked == 0
    assert TEXT not in repr(refused)


def test_an_address_and_a_secret_in_the_environment_need_no_approval(use: Use, origins: ApprovedOrigins) -> None:
    backend = MemoryKeyring()
    use(backend)
    found = ask(origins, IN_ENVIRONMENT, ELSEWHERE, Source.ENVIRONMENT)
    assert found == SecretFound(secret=Secret(TEXT), source=Source.ENVIRONMENT)
    assert backend.asked == 0


def test_the_environments_secret_is_used_for_no_other_agent(use: Use, origins: ApprovedOrigins) -> None:
    """A trace of another agent may still be queued when the environment has the secret of this one."""
    use(MemoryKeyring())
    environ = {**IN_ENVIRONMENT, "INFINIUM_AGENT_ID": AGENT, "INFINIUM_BASE_URL": ELSEWHERE}
    settings = resolve(environ, None, None)
    assert isinstance(find_secret(settings, origins=origins), SecretFound)
    assert isinstance(find_secret(settings, OTHER_AGENT, origins=origins), SecretRefused)
    missing = find_secret(settings, OTHER_AGENT, DEFAULT_BASE_URL, origins=origins)
    assert isinstance(missing, SecretMissing)
    assert missing.reason == (
        f"INFINIUM_AGENT_SECRET belongs to agent {AGENT}, and the keyring has no secret for agent {OTHER_AGENT}"
    )


def test_an_address_in_the_environment_approves_no_other_address(origins: ApprovedOrigins) -> None:
    environ = {**IN_ENVIRONMENT, "INFINIUM_AGENT_ID": AGENT, "INFINIUM_BASE_URL": ELSEWHERE}
    settings = resolve(environ, None, None)
    assert may_send_secret(settings, origins=origins)
    assert not may_send_secret(settings, AGENT, "https://third.example", origins=origins)


def test_without_an_agent_there_is_no_secret(origins: ApprovedOrigins) -> None:
    settings = resolve(IN_ENVIRONMENT, None, None)
    missing = find_secret(settings, origins=origins)
    assert isinstance(missing, SecretMissing)
    assert missing.reason == "no agent id is configured"
    assert not may_send_secret(settings, origins=origins)


def test_an_approved_origin_gets_the_secret_of_its_agent(use: Use, origins: ApprovedOrigins) -> None:
    use(holding(TEXT))
    origins.approve(AGENT, ELSEWHERE)
    assert ask(origins, base_url=ELSEWHERE) == SecretFound(secret=Secret(TEXT), source=Source.KEYRING)
    assert isinstance(ask(origins, base_url="http://elsewhere.example/api"), SecretRefused)


def test_the_environment_takes_precedence_over_the_keyring(use: Use, origins: ApprovedOrigins) -> None:
    backend = holding("another")
    use(backend)
    assert ask(origins, IN_ENVIRONMENT) == SecretFound(secret=Secret(TEXT), source=Source.ENVIRONMENT)
    assert backend.asked == 0
    assert ask(origins, {SECRET_VARIABLE: ""}) == SecretFound(secret=Secret("another"), source=Source.KEYRING)


@pytest.mark.parametrize("backend", [MemoryKeyring(), holding("")], ids=["absent", "empty"])
def test_a_secret_in_neither_place_is_missing(use: Use, origins: ApprovedOrigins, backend: KeyringBackend) -> None:
    use(backend)
    missing = ask(origins)
    assert isinstance(missing, SecretMissing)
    assert AGENT in missing.reason
    assert SECRET_VARIABLE in missing.hint


def test_a_secret_is_stored_found_and_deleted(use: Use, origins: ApprovedOrigins) -> None:
    backend = MemoryKeyring()
    use(backend)
    assert store_secret(AGENT, Secret(TEXT)) == Stored(backend=__name__)
    assert backend.kept == {("infinium-connector", AGENT): TEXT}
    assert ask(origins) == SecretFound(secret=Secret(TEXT), source=Source.KEYRING)
    assert delete_secret(AGENT) is True
    assert delete_secret(AGENT) is False
    assert isinstance(ask(origins), SecretMissing)


UNSAFE: list[KeyringBackend] = [
    PlaintextKeyring(),
    null.Keyring(),  # type: ignore[no-untyped-call]
    fail.Keyring(),  # type: ignore[no-untyped-call]
    ChainedKeyring(),
    ChainedKeyring(PlaintextKeyring(), MemoryKeyring()),
]


@pytest.mark.parametrize("backend", UNSAFE, ids=["plaintext", "null", "fail", "empty chain", "chain, plaintext first"])
def test_an_unsafe_back_end_is_not_used(use: Use, origins: ApprovedOrigins, backend: KeyringBackend) -> None:
    use(backend)
    for outcome in (ask(origins), store_secret(AGENT, Secret(TEXT)), delete_secret(AGENT)):
        assert isinstance(outcome, KeyringUnavailable)
        assert "does not store secrets safely" in outcome.reason
        assert SECRET_VARIABLE in outcome.hint
    parts: list[KeyringBackend] = getattr(backend, "backends", [backend])
    assert all(part.asked == 0 for part in parts if isinstance(part, MemoryKeyring))
    assert isinstance(ask(origins, IN_ENVIRONMENT), SecretFound)


def test_of_a_chain_the_first_back_end_is_used_if_it_is_safe(use: Use, origins: ApprovedOrigins) -> None:
    first, second = MemoryKeyring(), PlaintextKeyring()
    use(ChainedKeyring(first, second))
    assert store_secret(AGENT, Secret(TEXT)) == Stored(backend=__name__)
    assert ask(origins) == SecretFound(secret=Secret(TEXT), source=Source.KEYRING)
    assert (first.kept, second.kept) == ({(KEYRING_SERVICE, AGENT): TEXT}, {})


@pytest.mark.parametrize("kind", [CorruptingKeyring, ForgetfulKeyring])
def test_a_keyring_that_returns_another_value_than_was_stored_is_unavailable(
    use: Use, kind: type[MemoryKeyring]
) -> None:
    use(kind())
    outcome = store_secret(AGENT, Secret(TEXT))
    assert isinstance(outcome, KeyringUnavailable)
    assert "something else than was written" in outcome.reason


class HangingEverywhere(HangingKeyring):
    """Hangs on writes as well."""

    def set_password(self, service: str, username: str, password: str) -> None:
        self.let_go.wait(60)


@pytest.fixture
def hanging(use: Use) -> Iterator[HangingEverywhere]:
    """A keyring that does not answer while the test runs."""
    threads = set(threading.enumerate())
    backend = HangingEverywhere()
    use(backend)
    yield backend
    backend.let_go.set()
    for thread in set(threading.enumerate()) - threads:
        thread.join(60)


def test_a_keyring_that_hangs_times_out(hanging: HangingEverywhere, origins: ApprovedOrigins) -> None:
    hanging.kept[KEYRING_SERVICE, AGENT] = TEXT
    for outcome in (
        ask(origins, deadline=0.2),
        store_secret(AGENT, Secret(TEXT), deadline=0.2),
        delete_secret(AGENT, deadline=0.2),
    ):
        assert isinstance(outcome, KeyringUnavailable)
        assert "did not answer within 0.2 s" in outcome.reason
    assert not hanging.let_go.is_set()


def test_the_message_of_a_failing_back_end_is_reported_without_the_secret(use: Use, origins: ApprovedOrigins) -> None:
    use(RevealingKeyring())
    looked, stored = ask(origins), store_secret(AGENT, Secret(TEXT))
    assert isinstance(looked, KeyringUnavailable)
    assert looked.reason.endswith(f"RuntimeError: no session for {AGENT}")
    assert isinstance(stored, KeyringUnavailable)
    assert TEXT not in repr(stored)
    assert stored.reason.endswith(f"RuntimeError: cannot write 'Secret(***)' for {AGENT}")


def test_outcome_messages(use: Use, origins: ApprovedOrigins, snapshot: SnapshotAssertion) -> None:
    texts = []
    backends = [MemoryKeyring(), RevealingKeyring(), PlaintextKeyring(), ChainedKeyring()]
    for base_url, backend in [(ELSEWHERE, MemoryKeyring()), *((DEFAULT_BASE_URL, each) for each in backends)]:
        use(backend)
        outcome = ask(origins, base_url=base_url)
        assert not isinstance(outcome, SecretFound)
        texts.append(f"{outcome.reason}\n  {outcome.hint}")
    use(CorruptingKeyring())
    stored = store_secret(AGENT, Secret(TEXT))
    assert isinstance(stored, KeyringUnavailable)
    texts.append(f"{stored.reason}\n  {stored.hint}")
    assert "\n".join(texts) == snapshot
