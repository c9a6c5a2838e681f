"""The exceptions of this package. Expected failures of a delivery are values instead, in its report."""


class InfiniumTransportError(Exception):
    """Base class of every exception of this package.

    InfiniumTransportError
    ├── InvalidEnvelopeError    a trace that cannot be queued as given, for example because its key is not a UUID
    ├── StorageError            the outbox, the ledger or the local store could not be written or read
    └── UnreadableTraceError    a queued trace cannot be read
        ├── CorruptTraceError   its file is damaged and was moved to `corrupt/`
        └── MissingTraceError   its file no longer exists: another process sent it
    """


class InvalidEnvelopeError(InfiniumTransportError):
    """A trace that cannot be queued as given."""


class StorageError(InfiniumTransportError):
    """The outbox, the ledger or the local store could not be written or read."""


class UnreadableTraceError(InfiniumTransportError):
    """A queued trace cannot be read."""


class CorruptTraceError(UnreadableTraceError):
    """A queued trace is damaged; its file was moved to `corrupt/`."""


class MissingTraceError(UnreadableTraceError):
    """A queued trace no longer exists: another process sent it."""
