"""Opens the outbox, the ledger and the local store of this user."""

from infinium_transport import Ledger, LocalStore, Outbox, StateDirectory

from infinium_codex.support.paths import Places


def open_state(places: Places) -> StateDirectory:
    """The outbox, the ledger and the local store together."""
    return StateDirectory(places.state)


def open_outbox(places: Places) -> Outbox:
    """The queued traces and the dead letters. A trace that the ledger records as sent is not queued again."""
    return open_state(places).outbox


def open_ledger(places: Places) -> Ledger:
    """The log of sent traces and errors."""
    return open_state(places).ledger


def open_local(places: Places) -> LocalStore:
    """The traces of the destination `local`."""
    return open_state(places).local
