"""Secrets that the scheduler holds: each in a variable of its own environment, named after whose secret it is.

A secret in the environment of a shell is for the agent that the project or the shell names. The scheduler serves all
shells of a user, so it keeps their secrets apart. They are handed to it through its FIFO and never written to a file.

A worker imports this module at every prompt, so it imports nothing.
"""

TYPE_CHECKING = False  # importing typing or collections costs more than this module
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SECRET_VARIABLE = "INFINIUM_AGENT_SECRET"  # noqa: S105 - the name of one
AGENT_ID_VARIABLE = "INFINIUM_AGENT_ID"
BASE_URL_VARIABLE = "INFINIUM_BASE_URL"
_AGENT = "INFINIUM_HELD_FOR_AGENT_"
_ENTRY = "INFINIUM_HELD_FOR_SESSION_"
_OTLP = "INFINIUM_HELD_FOR_OTLP_"


def agent_variable(agent_id: str) -> str:
    """The variable of an agent's secret."""
    return f"{_AGENT}{agent_id}"


def entry_variable(entry: str) -> str:
    """The variable of the secret that a session's environment has, by the name of its schedule entry."""
    return f"{_ENTRY}{entry}"


def otlp_variable(address: str) -> str:
    """The variable of the connection to an OTLP engine, by a hash of its address."""
    return f"{_OTLP}{address}"


def held_value(environ: "Mapping[str, str]") -> str:
    """The secret in an environment and the address beside it, as the value of a variable; empty without a secret.

    The address goes with the secret: an address from the same environment needs no approval.
    """
    secret = environ.get(SECRET_VARIABLE, "").strip()
    return f"{environ.get(BASE_URL_VARIABLE, '').strip()}\n{secret}" if secret else ""


def variables_of(value: str) -> dict[str, str]:
    """The secret and the address in a value, under the names they had in the environment."""
    base_url, _, secret = value.partition("\n")
    return {SECRET_VARIABLE: secret, BASE_URL_VARIABLE: base_url} if base_url else {SECRET_VARIABLE: secret}


def agents(environ: "Mapping[str, str]") -> "Iterator[tuple[str, dict[str, str]]]":
    """Each agent whose secret an environment holds, with the variables of its own environment."""
    for name, value in environ.items():
        if name.startswith(_AGENT):
            yield name.removeprefix(_AGENT), variables_of(value)


def stale_entries(environ: "Mapping[str, str]", entries: "Mapping[str, object]") -> list[str]:
    """The variables of sessions that are no longer in the schedule."""
    return [name for name in environ if name.startswith(_ENTRY) and name.removeprefix(_ENTRY) not in entries]


def is_held(name: str) -> bool:
    """Whether a variable holds a secret."""
    return name.startswith((_AGENT, _ENTRY, _OTLP))
