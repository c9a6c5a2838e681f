"""What can go wrong that a caller did not plan for.

InfiniumConfigError
├── ProjectFileError    a project file that cannot be read, understood or written
└── SettingError        a variable or an option whose value cannot be used
"""


class InfiniumConfigError(Exception):
    """Base of this package's errors. Its text says what happened, where, and what to do."""


class ProjectFileError(InfiniumConfigError):
    """A project file that cannot be read, understood or written."""


class SettingError(InfiniumConfigError):
    """A variable or an option whose value cannot be used."""
