"""What `init` is asked to do (options) and what it will write (choices)."""

from collections.abc import Mapping

from infinium_config import (
    DEFAULT_BASE_URL,
    LOCAL,
    Granularity,
    ProjectFile,
    Secret,
    granularity_flags,
    parse_agent_id,
    parse_base_url,
)
from msgspec import Struct
from msgspec.structs import replace

from infinium_codex.console.prompts import parse_option
from infinium_codex.support.result import CommandError


class InitOptions(Struct, frozen=True, kw_only=True):
    """The options of `init`; None means: ask, or keep what the project has."""

    agent_id: str | None = None
    agent_secret: str | None = None
    """The secret, or `-` for standard input."""
    base_url: str | None = None
    granularity: Granularity | None = None
    trust: bool | None = None
    """Whether to trust our hooks in Codex; False also sets up a project that Codex does not trust."""
    user_hooks: bool | None = None
    """Whether to register the hooks for all projects of the user; None keeps how they are registered."""
    local: bool = False
    gitignore: bool = False
    interactive: bool = True

    @property
    def is_empty(self) -> bool:
        """Whether no option says what to set up."""
        given = (self.agent_id, self.agent_secret, self.base_url, self.granularity, self.trust, self.user_hooks)
        return given == (None,) * 6 and not self.local and not self.gitignore


class Choices(Struct, frozen=True, kw_only=True):
    """What will be written."""

    file: ProjectFile
    secret: Secret | None = None
    """None keeps the stored secret."""
    stated: bool = False
    """Whether the user stated the address in this run, which approves it for the secret."""
    gitignore: bool = False


def with_environment(options: InitOptions, old: ProjectFile | None, environ: Mapping[str, str]) -> InitOptions:
    """Take agent id and address from the environment where neither an option nor the project file has them.

    A CI job has them there. Raises CommandError for an invalid value, and names its variable.
    """
    agent_id = parse_option("INFINIUM_AGENT_ID", environ.get("INFINIUM_AGENT_ID"), parse_agent_id)
    base_url = parse_option("INFINIUM_BASE_URL", environ.get("INFINIUM_BASE_URL"), parse_base_url)
    has_address = options.local or options.base_url is not None or (old is not None and old.base_url is not None)
    has_agent = options.agent_id is not None or (old is not None and old.agent_id is not None)
    return replace(
        options,
        agent_id=options.agent_id if has_agent else agent_id,
        base_url=options.base_url if has_address else base_url,
    )


def merge(options: InitOptions, old: ProjectFile) -> ProjectFile:
    """The project file with the options applied. Raises CommandError for an invalid option."""
    base_url = LOCAL if options.local else parse_option("--base-url", options.base_url, parse_base_url)
    agent_id = parse_option("--agent-id", options.agent_id, parse_agent_id)
    on_stop, on_end = old.flush_on_stop, old.flush_on_session_end
    if options.granularity:
        on_stop, on_end = granularity_flags(options.granularity)
    return replace(
        old,
        agent_id=agent_id or old.agent_id,
        base_url=base_url or old.base_url,
        flush_on_stop=on_stop,
        flush_on_session_end=on_end,
    )


def with_defaults(file: ProjectFile) -> ProjectFile:
    """Fill in the default address and granularity. Raises CommandError where an agent id is needed and missing."""
    file = replace(file, base_url=file.base_url or DEFAULT_BASE_URL)
    if file.base_url != LOCAL and file.agent_id is None:
        hint = "Pass --agent-id, set INFINIUM_AGENT_ID, or pass --local to keep the traces on this machine."
        raise CommandError("No agent id configured.", hint, exit_code=2)
    if (file.flush_on_stop, file.flush_on_session_end) == (None, None):
        on_stop, on_end = granularity_flags(Granularity.TURN)
        file = replace(file, flush_on_stop=on_stop, flush_on_session_end=on_end)
    return file
