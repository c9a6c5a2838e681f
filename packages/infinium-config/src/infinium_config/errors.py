"""The exceptions of this package.

InfiniumConfigError
├── LockTimeoutError    another process held a lock for too long
├── ProjectFileError    a configuration file that cannot be read, understood or written
└── SettingError        a variable or an option whose value is invalid
"""


class InfiniumConfigError(Exception):
    """Base of this package's errors. The text says what failed, on which value, from where, and what to do."""


class LockTimeoutError(InfiniumConfigError):
    """Another process held a lock for longer than the caller waits."""


class ProjectFileError(InfiniumConfigError):
    """A configuration file that cannot be read, understood or written."""


class SettingError(InfiniumConfigError):
    """A variable or an option whose value is invalid."""
