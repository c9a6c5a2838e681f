"""What this package raises; what can be expected to happen comes back as a value instead."""


class InfiniumTransportError(Exception):
    """Base of every error of this package.

    InfiniumTransportError
    ├── InvalidEnvelopeError    a trace that can not be queued as given (its key is no UUID, for instance)
    ├── StorageError            the outbox, the ledger or the local store could not be written or read
    └── UnreadableTraceError    a queued trace can not be read
        ├── CorruptTraceError   its bytes are damaged; the file is in `corrupt/` now
        └── MissingTraceError   it is not there any more: another sender was faster
    """


class InvalidEnvelopeError(InfiniumTransportError):
    """A trace that can not be queued as given."""


class StorageError(InfiniumTransportError):
    """The outbox, the ledger or the local store could not be written or read."""


class UnreadableTraceError(InfiniumTransportError):
    """A queued trace can not be read."""


class CorruptTraceError(UnreadableTraceError):
    """A queued trace is damaged; the file has been moved to `corrupt/`."""


class MissingTraceError(UnreadableTraceError):
    """A queued trace is not there any more: another sender was faster."""
