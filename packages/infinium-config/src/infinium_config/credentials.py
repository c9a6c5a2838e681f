"""The agent's secret: where it is looked up, where it is kept, and where it never goes."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Generic, TypeVar

from msgspec import Struct

from infinium_config.model import Source
from infinium_config.origins import ApprovedOrigins, origin_of
from infinium_config.secret import Secret

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

KEYRING_SERVICE = "infinium-connector"
SECRET_VARIABLE = "INFINIUM_AGENT_SECRET"  # noqa: S105 - the variable's name
DEADLINE_SECONDS = 3.0
"""For importing keyring, finding its back end and one look-up together: a hung daemon answers never."""

_UNSAFE = ("keyring.backends.fail", "keyring.backends.null", "keyrings.alt")

T = TypeVar("T")


class SecretFound(Struct, frozen=True, kw_only=True):
    """The secret, and where it came from."""

    secret: Secret
    source: Source


class SecretMissing(Struct, frozen=True, kw_only=True):
    """Neither the environment nor the keyring has one."""

    reason: str
    hint: str


class SecretRefused(Struct, frozen=True, kw_only=True):
    """The address was never approved for this agent, so the secret was not even looked up."""

    origin: str
    reason: str
    hint: str


class KeyringUnavailable(Struct, frozen=True, kw_only=True):
    """There is no keyring to trust, or it did not answer."""

    reason: str
    hint: str


class Stored(Struct, frozen=True, kw_only=True):
    """The secret is in the keyring and was read back."""

    backend: str


def get_secret(
    agent_id: str,
    base_url: str,
    environ: Mapping[str, str],
    *,
    origins: ApprovedOrigins,
    base_url_source: Source = Source.PROJECT_FILE,
    deadline: float = DEADLINE_SECONDS,
) -> SecretFound | SecretMissing | SecretRefused | KeyringUnavailable:
    """The agent's secret for requests to `base_url`, from the environment, else from the keyring.

    The address is checked first. Whoever names it in the environment vouches for it with the environment's secret;
    one from a project file must have been approved, or a repository could send the secret where it likes.
    """
    from_environment = environ.get(SECRET_VARIABLE, "").strip()
    vouched = base_url_source is Source.ENVIRONMENT and bool(from_environment)
    if not vouched and not origins.is_approved(agent_id, base_url):
        origin = origin_of(base_url)
        return SecretRefused(
            origin=origin,
            reason=f"{origin} was never approved for agent {agent_id}",
            hint="If you trust this address, run update-credentials in the project; else mend base_url.",
        )
    if from_environment:
        return SecretFound(secret=Secret(from_environment), source=Source.ENVIRONMENT)
    found = _within(deadline, lambda: _backend().get_password(KEYRING_SERVICE, agent_id))
    if isinstance(found, KeyringUnavailable):
        return found
    if not found.value:
        reason = f"no secret for agent {agent_id} in the keyring, and {SECRET_VARIABLE} is not set"
        return SecretMissing(reason=reason, hint=f"Run update-credentials, or set {SECRET_VARIABLE}.")
    return SecretFound(secret=Secret(found.value), source=Source.KEYRING)


def store_secret(agent_id: str, secret: Secret, deadline: float = 30.0) -> Stored | KeyringUnavailable:
    """Put the secret into the keyring and read it back. The deadline leaves a person time to unlock it."""

    def store() -> str:
        backend = _backend()
        backend.set_password(KEYRING_SERVICE, agent_id, secret.reveal())
        if backend.get_password(KEYRING_SERVICE, agent_id) != secret.reveal():
            raise _UnusableKeyringError("it gives back something else than was written")
        return type(backend).__module__

    done = _within(deadline, store, hide=secret)
    return done if isinstance(done, KeyringUnavailable) else Stored(backend=done.value)


def delete_secret(agent_id: str, deadline: float = 30.0) -> bool | KeyringUnavailable:
    """Take the secret out of the keyring; False when there was none."""

    def delete() -> bool:
        backend = _backend()
        if backend.get_password(KEYRING_SERVICE, agent_id) is None:
            return False
        backend.delete_password(KEYRING_SERVICE, agent_id)
        return True

    done = _within(deadline, delete)
    return done if isinstance(done, KeyringUnavailable) else done.value


class _UnusableKeyringError(Exception):
    """A back end no secret is given to."""


class _Done(Struct, Generic[T], frozen=True):
    value: T


def _backend() -> "KeyringBackend":
    import keyring

    backend = keyring.get_keyring()
    parts = getattr(backend, "backends", None)  # a chainer asks several back ends, the first one stores
    first = next(iter(parts), None) if parts is not None else backend
    module = type(first).__module__ if first is not None else "keyring.backends.fail"
    if module.startswith(_UNSAFE):
        raise _UnusableKeyringError(f"the only back end is {module}, which keeps no secret safe")
    assert first is not None
    return first


def _within(deadline: float, work: Callable[[], T], hide: Secret | None = None) -> _Done[T] | KeyringUnavailable:
    """Run `work` in a thread that may be left behind: a keyring daemon that hangs cannot be called off.

    `hide` is taken out of what a back end says when it fails: some name what they could not store.
    """
    import threading

    outcome: list[_Done[T] | KeyringUnavailable] = []

    def run() -> None:
        try:
            outcome.append(_Done(work()))
        except Exception as error:  # back ends raise what their platform raises; the text is all we keep of it
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
