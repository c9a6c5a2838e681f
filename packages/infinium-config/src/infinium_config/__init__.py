"""Projects, settings with the source of each value, and the agent's secret, for Infinium connectors.

A name's module loads when the name is first used, so that importing `infinium_config.files` or `infinium_config.locks`,
which are public modules of their own, loads nothing else.
"""

TYPE_CHECKING = False  # importing typing costs more than this module
if TYPE_CHECKING:
    from infinium_config.checkout import Checkout, find_checkout, main_checkout, read_checkout
    from infinium_config.credentials import (
        KEYRING_SERVICE,
        KeyringUnavailable,
        SecretFound,
        SecretMissing,
        SecretRefused,
        Stored,
        delete_secret,
        find_secret,
        look_up_secret,
        may_send_secret,
        store_secret,
    )
    from infinium_config.errors import InfiniumConfigError, LockTimeoutError, ProjectFileError, SettingError
    from infinium_config.model import (
        DEFAULT_BASE_URL,
        LOCAL,
        SECRET_VARIABLE,
        Granularity,
        Problem,
        Project,
        ProjectFile,
        Setting,
        Source,
        UserFile,
        value_text,
    )
    from infinium_config.origins import ApprovedOrigins, approvals_path, origin_of, state_directory
    from infinium_config.parse import parse_agent_id, parse_base_url
    from infinium_config.precedence import resolve
    from infinium_config.project import find_project, home_directory, load
    from infinium_config.project_file import (
        parse_project_file,
        read_project_file,
        read_user_file,
        write_project_file,
        write_user_setting,
    )
    from infinium_config.secret import Secret
    from infinium_config.settings import DECLARED, Declared, Settings, granularity_flags

__all__ = [
    "DECLARED",
    "DEFAULT_BASE_URL",
    "KEYRING_SERVICE",
    "LOCAL",
    "SECRET_VARIABLE",
    "ApprovedOrigins",
    "Checkout",
    "Declared",
    "Granularity",
    "InfiniumConfigError",
    "KeyringUnavailable",
    "LockTimeoutError",
    "Problem",
    "Project",
    "ProjectFile",
    "ProjectFileError",
    "Secret",
    "SecretFound",
    "SecretMissing",
    "SecretRefused",
    "Setting",
    "SettingError",
    "Settings",
    "Source",
    "Stored",
    "UserFile",
    "approvals_path",
    "delete_secret",
    "find_checkout",
    "find_project",
    "find_secret",
    "granularity_flags",
    "home_directory",
    "load",
    "look_up_secret",
    "main_checkout",
    "may_send_secret",
    "origin_of",
    "parse_agent_id",
    "parse_base_url",
    "parse_project_file",
    "read_checkout",
    "read_project_file",
    "read_user_file",
    "resolve",
    "state_directory",
    "store_secret",
    "value_text",
    "write_project_file",
    "write_user_setting",
]

_MODULES = {
    "checkout": ("Checkout", "find_checkout", "main_checkout", "read_checkout"),
    "credentials": (
        "KEYRING_SERVICE",
        "KeyringUnavailable",
        "SecretFound",
        "SecretMissing",
        "SecretRefused",
        "Stored",
        "delete_secret",
        "find_secret",
        "look_up_secret",
        "may_send_secret",
        "store_secret",
    ),
    "errors": ("InfiniumConfigError", "LockTimeoutError", "ProjectFileError", "SettingError"),
    "model": (
        "DEFAULT_BASE_URL",
        "LOCAL",
        "SECRET_VARIABLE",
        "Granularity",
        "Problem",
        "Project",
        "ProjectFile",
        "Setting",
        "Source",
        "UserFile",
        "value_text",
    ),
    "origins": ("ApprovedOrigins", "approvals_path", "origin_of", "state_directory"),
    "parse": ("parse_agent_id", "parse_base_url"),
    "precedence": ("resolve",),
    "project": ("find_project", "home_directory", "load"),
    "project_file": (
        "parse_project_file",
        "read_project_file",
        "read_user_file",
        "write_project_file",
        "write_user_setting",
    ),
    "secret": ("Secret",),
    "settings": ("DECLARED", "Declared", "Settings", "granularity_flags"),
}
"""The public names of each module (a test holds them to `__all__` and to the imports above)."""


def __getattr__(name: str) -> object:
    from importlib import import_module

    module = next((module for module, names in _MODULES.items() if name in names), None)
    if module is None:
        raise AttributeError(f"module 'infinium_config' has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"infinium_config.{module}"), name)
    return value


def __dir__() -> list[str]:
    return __all__
