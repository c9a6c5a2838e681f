"""Opens the outbox, the ledger and the local store of this user."""

from collections.abc import Callable

from infinium_transport import Entry, Ledger, LocalStore, Outbox, StateDirectory

from infinium_codex.support.paths import Places


def open_state(places: Places, on_entry: Callable[[Entry], None] | None = None) -> StateDirectory:
    """The outbox, the ledger and the local store together. `on_entry` gets each entry written to the ledger."""
    return StateDirectory(places.state, on_entry=on_entry)


def open_outbox(places: Places) -> Outbox:
    """The queued traces and the dead letters. A trace that the ledger records as sent is not queued again."""
    return open_state(places).outbox


def open_ledger(places: Places) -> Ledger:
    """The log of sent traces and errors."""
    return open_state(places).ledger


def open_local(places: Places) -> LocalStore:
    """The traces of the destination `local`."""
    return open_state(places).local
