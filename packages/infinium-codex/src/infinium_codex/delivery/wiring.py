"""Puts the three libraries together: which outbox, which client, which secret."""

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from infinium_config import (
    SECRET_VARIABLE,
    ApprovedOrigins,
    InfiniumConfigError,
    KeyringUnavailable,
    SecretFound,
    SecretMissing,
    SecretRefused,
    Settings,
    Source,
    get_secret,
    load,
)
from infinium_transport import (
    DeliveryOptions,
    DeliveryReport,
    Ledger,
    LocalStore,
    Outbox,
    RetryPolicy,
    StateDirectory,
    StorageError,
    deliver,
)
from msgspec.structs import replace

from infinium_codex.support.paths import Places
from infinium_codex.version import VERSION

if TYPE_CHECKING:
    from infinium_transport import Client

HINT_FOR_OTHERS = (
    "In this agent's project, 'infinium-codex retry' in a shell with its secret sends them; "
    "'infinium-codex update-credentials' keeps the secret in the keyring, for every process."
)
USER_AGENT = f"infinium-codex-connector/{VERSION}"


def open_ledger(places: Places) -> Ledger:
    """The record of what was sent and what went wrong."""
    return StateDirectory(places.state).ledger


def open_outbox(places: Places) -> Outbox:
    """The traces that wait to be sent. One that the ledger knows as sent is not queued again."""
    return StateDirectory(places.state).outbox


def open_local(places: Places) -> LocalStore:
    """The traces of the local destination."""
    return StateDirectory(places.state).local


def load_settings(places: Places, cwd: Path, environ: Mapping[str, str]) -> Settings | None:
    """The settings that hold in `cwd`; None, and an error in the ledger, when the project file cannot be read."""
    try:
        settings = load(cwd, environ, home=home_directory(environ))
    except InfiniumConfigError as error:
        note_error(places, "config", str(error), {"directory": str(cwd)})
        return None
    for problem in settings.problems:
        note_error(places, "config", problem.message, {"directory": str(cwd)})
    return settings


def home_directory(environ: Mapping[str, str]) -> Path | None:
    """The user's home, whose own `.infinium` is not a project's."""
    home = environ.get("HOME") or environ.get("USERPROFILE")
    return Path(home) if home else None


def make_client(settings: Settings) -> "Client":
    """A client as the settings want it. It opens no connection before it sends."""
    from infinium_transport import Client

    return Client(timeout=settings.timeout.value, verify_ssl=settings.verify_ssl.value, user_agent=USER_AGENT)


def deliver_queued(places: Places, environ: Mapping[str, str], settings: Settings) -> DeliveryReport:
    """Send what waits in the outbox, for every agent whose secret can be had."""

    def client() -> "Client":
        if not settings.verify_ssl.value:
            message = "INFINIUM_VERIFY_SSL is off: traces and secret go out without a look at the server's certificate."
            note_error(places, "security", message, {})
        return make_client(settings)

    return deliver(
        StateDirectory(places.state),
        lambda agent_id, base_url: find_secret(places, environ, settings, agent_id, base_url),
        USER_AGENT,
        DeliveryOptions(client=client, retry=RetryPolicy(max_retries=settings.max_retries.value)),
    )


def find_secret(
    places: Places, environ: Mapping[str, str], settings: Settings, agent_id: str, base_url: str
) -> SecretFound | SecretMissing | SecretRefused | KeyringUnavailable:
    """The secret of an agent for an address: the environment's is only for the agent these settings name."""
    source = settings.base_url.source if settings.base_url.value == base_url else Source.PROJECT_FILE
    others = settings.agent_id.value != agent_id and bool(environ.get(SECRET_VARIABLE, "").strip())
    if others:
        environ = {name: value for name, value in environ.items() if name != SECRET_VARIABLE}
    if sys.flags.no_site and not environ.get(SECRET_VARIABLE):  # the worker; a keyring's back end may be anywhere
        import site

        site.main()
    origins = ApprovedOrigins(places.origins)
    found = get_secret(agent_id, base_url, environ, origins=origins, base_url_source=source)
    if others and isinstance(found, SecretMissing | KeyringUnavailable):
        return _of_another_agent(found, settings.agent_id.value)
    return found


def _of_another_agent(
    found: SecretMissing | KeyringUnavailable, others: str | None
) -> SecretMissing | KeyringUnavailable:
    """Why there is no secret of an agent where the environment has another's, which would be no use to it."""
    at_hand = f"agent {others}'s" if others else "for no agent that INFINIUM_AGENT_ID or a project names"
    keyring = found.reason if isinstance(found, KeyringUnavailable) else "the keyring has none for this one"
    return replace(found, reason=f"the {SECRET_VARIABLE} at hand is {at_hand}, and {keyring}", hint=HINT_FOR_OTHERS)


def note_error(places: Places, where: str, message: str, labels: Mapping[str, str]) -> None:
    """Tell the ledger, where it can be told."""
    try:
        open_ledger(places).record_error(where, message, when=time.time(), labels=dict(labels))
    except StorageError:
        return  # a full disk or a read-only home: there is no place left to say so


def take_hook_errors(places: Places) -> None:
    """Move what the hook could not do from its own note into the ledger."""
    notes = places.data / "hook.errors"
    taken = notes.with_name(f"hook.errors.{os.getpid()}")
    try:
        notes.rename(taken)
        lines = taken.read_text("utf-8", "replace").splitlines()
        taken.unlink()
    except OSError:
        return
    for line in lines:
        note_error(places, "hook", line.partition(" ")[2] or line, {})
