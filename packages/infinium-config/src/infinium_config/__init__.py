"""Projects, settings that know their source, and secrets that stay where they belong."""

from infinium_config.credentials import (
    KEYRING_SERVICE,
    SECRET_VARIABLE,
    KeyringUnavailable,
    SecretFound,
    SecretMissing,
    SecretRefused,
    Stored,
    delete_secret,
    get_secret,
    store_secret,
)
from infinium_config.declared import DECLARED, Declared
from infinium_config.errors import InfiniumConfigError, ProjectFileError, SettingError
from infinium_config.model import (
    DEFAULT_BASE_URL,
    LOCAL,
    Granularity,
    Problem,
    Project,
    ProjectFile,
    Setting,
    Settings,
    Source,
    UserFile,
    granularity_flags,
)
from infinium_config.origins import ApprovedOrigins, origin_of
from infinium_config.parse import parse_agent_id, parse_base_url
from infinium_config.project import find_project, load, main_checkout
from infinium_config.project_file import read_project_file, read_user_file, write_project_file
from infinium_config.resolve import resolve
from infinium_config.secret import Secret

__all__ = [
    "DECLARED",
    "DEFAULT_BASE_URL",
    "KEYRING_SERVICE",
    "LOCAL",
    "SECRET_VARIABLE",
    "ApprovedOrigins",
    "Declared",
    "Granularity",
    "InfiniumConfigError",
    "KeyringUnavailable",
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
    "delete_secret",
    "find_project",
    "get_secret",
    "granularity_flags",
    "load",
    "main_checkout",
    "origin_of",
    "parse_agent_id",
    "parse_base_url",
    "read_project_file",
    "read_user_file",
    "resolve",
    "store_secret",
    "write_project_file",
]
