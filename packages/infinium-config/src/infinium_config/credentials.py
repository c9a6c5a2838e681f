"""Find, store and delete the agent's secret, and decide where it may be sent."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from infinium_config.model import SECRET_VARIABLE, Source
from infinium_config.origins import ApprovedOrigins, origin_of
from infinium_config.secret import Secret
from infinium_config.settings import Settings

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

KEYRING_SERVICE = "infinium-connector"
LOOK_UP_SECONDS = 10.0 if sys.platform == "win32" else 3.0
"""Time limit for importing keyring, choosing its back end and one look-up together: a hung daemon never answers.

Windows has no such daemon, but scans what is imported: under load the import alone takes more than 3 s.
"""
CHANGE_SECONDS = 30.0
"""Time limit for a change, which leaves a person time to unlock the keyring."""

_UNSAFE_BACKENDS = ("keyring.backends.fail", "keyring.backends.null", "keyrings.alt")

T = TypeVar("T")
LookUp: TypeAlias = "Callable[[str], Secret | KeyringUnavailable | None]"
"""Looks an agent's secret up in the keyring, as `look_up_secret` does."""


class SecretFound(Struct, frozen=True, kw_only=True):
    """The secret and its source."""

    secret: Secret
    source: Source


class SecretMissing(Struct, frozen=True, kw_only=True):
    """Neither the environment nor the keyring has a secret of the agent."""

    reason: str
    hint: str


class SecretRefused(Struct, frozen=True, kw_only=True):
    """The user has not approved the address for this agent. The secret was not looked up."""

    origin: str
    reason: str
    hint: str


class KeyringUnavailable(Struct, frozen=True, kw_only=True):
    """There is no keyring that stores secrets safely, or it did not answer."""

    reason: str
    hint: str


class Stored(Struct, frozen=True, kw_only=True):
    """The keyring holds the secret, which was read back."""

    backend: str


def may_send_secret(
    settings: Settings,
    agent_id: str | None = None,
    base_url: str | None = None,
    *,
    origins: ApprovedOrigins | None = None,
) -> bool:
    """Whether an agent's secret may be sent to an address; by default those of the settings.

    It may if the origin is Infinium's own, if the user approved the origin for this agent, or if the environment
    holds both the address and this agent's secret. A project file alone proves nothing: it may come with a repository.
    """
    agent_id, base_url = _agent_and_address(settings, agent_id, base_url)
    if agent_id is None:
        return False
    from_environment = settings.base_url.source is Source.ENVIRONMENT and settings.base_url.value == base_url
    if from_environment and _environment_secret(settings, agent_id) is not None:
        return True
    return (origins or ApprovedOrigins()).is_approved(agent_id, base_url)


def find_secret(
    settings: Settings,
    agent_id: str | None = None,
    base_url: str | None = None,
    *,
    origins: ApprovedOrigins | None = None,
    deadline: float = LOOK_UP_SECONDS,
    look_up: "LookUp | None" = None,
) -> SecretFound | SecretMissing | SecretRefused | KeyringUnavailable:
    """Find an agent's secret for requests to an address, in the environment or else in the keyring.

    Agent and address are by default those of the settings; traces that are still queued may have others. The secret in
    the environment belongs to the agent that the settings name. The keyring gets `deadline` seconds to answer, or
    `look_up` is asked in its place.
    """
    agent_id, base_url = _agent_and_address(settings, agent_id, base_url)
    if agent_id is None:
        return SecretMissing(
            reason="no agent id is configured", hint="Set INFINIUM_AGENT_ID, or run your connector's init command."
        )
    if not may_send_secret(settings, agent_id, base_url, origins=origins):
        origin = origin_of(base_url)
        return SecretRefused(
            origin=origin,
            reason=f"{origin} is not approved for agent {agent_id}",
            hint="If you trust it, run your connector's update-credentials command in the project. "
            "Otherwise correct base_url.",
        )
    secret = _environment_secret(settings, agent_id)
    if secret is not None:
        return SecretFound(secret=secret, source=Source.ENVIRONMENT)
    found = look_up(agent_id) if look_up is not None else look_up_secret(agent_id, deadline)
    if isinstance(found, KeyringUnavailable):
        return replace(found, reason=f"{_environment_state(settings)}, and {found.reason}")
    if found is None:
        return SecretMissing(
            reason=f"{_environment_state(settings)}, and the keyring has no secret for agent {agent_id}",
            hint=f"Run your connector's update-credentials command, or set {SECRET_VARIABLE}.",
        )
    return SecretFound(secret=found, source=Source.KEYRING)


def look_up_secret(agent_id: str, deadline: float = LOOK_UP_SECONDS) -> Secret | KeyringUnavailable | None:
    """The agent's secret in the keyring, wherever it may be sent; None if the keyring has none.

    A connector needs it to remove it from traces. The keyring gets `deadline` seconds to answer.
    """
    found = _within(deadline, lambda: _backend().get_password(KEYRING_SERVICE, agent_id))
    if isinstance(found, KeyringUnavailable):
        return found
    return Secret(found.value) if found.value else None


def store_secret(agent_id: str, secret: Secret, deadline: float = CHANGE_SECONDS) -> Stored | KeyringUnavailable:
    """Store the secret in the keyring and read it back. The keyring gets `deadline` seconds."""

    def store() -> str:
        backend = _backend()
        backend.set_password(KEYRING_SERVICE, agent_id, secret.reveal())
        if backend.get_password(KEYRING_SERVICE, agent_id) != secret.reveal():
            raise _UnusableKeyringError("it returns something else than was written")
        return type(backend).__module__

    done = _within(deadline, store, hide=secret)
    return done if isinstance(done, KeyringUnavailable) else Stored(backend=done.value)


def delete_secret(agent_id: str, deadline: float = CHANGE_SECONDS) -> bool | KeyringUnavailable:
    """Delete the secret from the keyring; False if there was none. The keyring gets `deadline` seconds."""

    def delete() -> bool:
        backend = _backend()
        if backend.get_password(KEYRING_SERVICE, agent_id) is None:
            return False
        backend.delete_password(KEYRING_SERVICE, agent_id)
        return True

    done = _within(deadline, delete)
    return done if isinstance(done, KeyringUnavailable) else done.value


def _agent_and_address(settings: Settings, agent_id: str | None, base_url: str | None) -> tuple[str | None, str]:
    return agent_id or settings.agent_id.value, base_url or settings.base_url.value


def _environment_secret(settings: Settings, agent_id: str) -> Secret | None:
    """The secret in the environment, if it belongs to this agent."""
    return settings.environment_secret if settings.agent_id.value == agent_id else None


def _environment_state(settings: Settings) -> str:
    """Why the environment has no secret for an agent."""
    if settings.environment_secret is None:
        return f"{SECRET_VARIABLE} is not set"
    if settings.agent_id.value is None:
        return f"{SECRET_VARIABLE} belongs to no agent that INFINIUM_AGENT_ID or a project names"
    return f"{SECRET_VARIABLE} belongs to agent {settings.agent_id.value}"


class _UnusableKeyringError(Exception):
    """The keyring's back end does not store secrets safely or correctly."""


class _Done(Struct, Generic[T], frozen=True):
    value: T


def _backend() -> "KeyringBackend":
    """The back end that stores secrets. Raises _UnusableKeyringError for an unsafe one."""
    import keyring

    backend = keyring.get_keyring()
    parts = getattr(backend, "backends", None)  # a chainer reads from several back ends and stores in the first
    first = next(iter(parts), None) if parts is not None else backend
    module = type(first).__module__ if first is not None else "keyring.backends.fail"
    if module.startswith(_UNSAFE_BACKENDS):
        raise _UnusableKeyringError(f"the only back end is {module}, which does not store secrets safely")
    assert first is not None
    return first


def _within(deadline: float, work: Callable[[], T], hide: Secret | None = None) -> _Done[T] | KeyringUnavailable:
    """Run `work` in a daemon thread for at most `deadline` seconds, because a hung keyring cannot be cancelled.

    `hide` is removed from the message of a back end that fails: some back ends repeat what they could not store.
    """
    import threading

    outcome: list[_Done[T] | KeyringUnavailable] = []

    def run() -> None:
        try:
            outcome.append(_Done(work()))
        except Exception as error:  # each platform's back end raises its own exceptions
            reason = str(error) if isinstance(error, _UnusableKeyringError) else f"{type(error).__name__}: {error}"
            if hide is not None and hide.reveal():
                reason = reason.replace(hide.reveal(), str(hide))
            outcome.append(_unavailable(reason.splitlines()[0] if reason else "it failed"))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(deadline)
    return outcome[0] if outcome else _unavailable(f"it did not answer within {deadline:g} s")


def _unavailable(reason: str) -> KeyringUnavailable:
    return KeyringUnavailable(
        reason=f"the system keyring cannot be used: {reason}",
        hint=f"Unlock or start the keyring, or set {SECRET_VARIABLE} in the environment your agent runs in.",
    )
