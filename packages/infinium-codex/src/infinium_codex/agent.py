"""The protocol between an agent and the rooms that work for any agent.

`capture`, `session`, `background`, `delivery` and `support` know an agent only by what is declared here. The agent's
own room implements it in a module of the same name. A detached process gets a reference to the agent as text, and
imports the agent when there is something to trace:

- `capture/install.py` writes the event names into the hook, and the reference and the names into the worker's launcher;
- the launcher passes them to `background/worker.py`;
- the worker writes the reference into the session's schedule entry, where `background/maintenance.py` reads it.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol

from msgspec import Meta, Struct

if TYPE_CHECKING:
    from infinium_trace.events import Event  # a command that only reads hooks.json does not need it

Offset = Annotated[int, Meta(ge=0)]
"""Bytes from the start of a file."""


class HookNames(Struct, frozen=True, kw_only=True):
    """Names in the agent's hook calls that the connector acts on. Each is ASCII without spaces."""

    turn_started: str
    """The event that begins a turn: the user's prompt."""
    turn_ended: tuple[str, ...]
    """Events after which no turn is open: the end of a turn, an interrupt, the end of the session."""
    subagent_ended: tuple[str, ...] = ()
    """Events after which a turn that waited for a subagent may be complete."""
    session_ended: str = ""
    """The event that ends a session, one of `turn_ended`; empty if the agent has none."""
    end_wait_seconds: float = 0.0
    """How long the hook of `session_ended` may wait for the worker within the agent's timeout for that hook."""
    session_id: str = "session_id"
    """The field of the payload, a JSON object, that holds the session's id."""

    @property
    def triggers(self) -> tuple[str, ...]:
        """Events after which the hook starts the worker."""
        return (self.turn_started, *self.turn_ended, *self.subagent_ended)


class HookCall(Struct, frozen=True, kw_only=True):
    """One hook call, translated."""

    events: "tuple[Event, ...]"
    cwd: str | None = None
    """The session's working directory at this call."""
    subagent_id: str | None = None
    """The subagent whose call this is; None for the user's own session."""
    transcript_path: str | None = None
    """The transcript of the session, or of the subagent named by `subagent_id`."""
    turn_transcript: str | None = None
    """A further transcript with records of the event's turn; None if there is none."""


class TranscriptPosition(Struct, frozen=True, kw_only=True):
    """A place in a transcript at which a later reading can continue."""

    offset: Offset = 0
    head: int = 0
    """Checksum of the transcript's first line: in another file the offset means nothing."""
    state: str = ""
    """What the agent's reader must remember at this place, in a format of its own."""


class Transcript(Protocol):
    """An open transcript, read forward."""

    @property
    def path(self) -> Path:
        """The plain file that is read."""

    @property
    def position(self) -> TranscriptPosition:
        """The place behind the last event that was read."""

    @property
    def turn_starts(self) -> Mapping[str, TranscriptPosition]:
        """For every turn that began in what was read, in this order, the place before its first record."""

    def read(self) -> "Iterator[Event]":
        """Events of the records since the last call. A record that is not complete yet is left for the next call."""


class Agent(Protocol):
    """A coding agent whose sessions are traced."""

    @property
    def name(self) -> str:
        """Name for people."""

    @property
    def program(self) -> str:
        """Name of its command, and the value of the tag `agent` in its traces."""

    @property
    def reference(self) -> str:
        """The import reference of this object, `package.module:attribute`; see `load_agent`."""

    @property
    def hooks(self) -> HookNames:
        """Names in its hook calls."""

    def translate(self, payload: Mapping[str, object], at_ms: int) -> HookCall:
        """Translate the payload of a hook call that was made at `at_ms` (UTC epoch milliseconds). Never raises."""

    def open_transcript(
        self,
        path: Path,
        start: TranscriptPosition,
        *,
        scratch: Path,
        subagent_id: str | None = None,
        wanted: frozenset[str] | None = None,
    ) -> AbstractContextManager[Transcript | None]:
        """Open the transcript that was at `path`, at `start` if it is still the same one; None where there is none.

        With `wanted` the events of other turns may be left out. A copy that must be made is made in the directory
        `scratch` and removed when the context ends.
        """

    def session_start(self, position: TranscriptPosition) -> "Event | None":
        """The start of the session as the transcript before `position` recorded it; None where it did not."""

    def find_subagent_transcript(self, transcript: Path, subagent_id: str) -> Path | None:
        """The transcript of a subagent that no hook named, by the transcript of its session."""

    def is_running(self, transcript: Path | None, cwd: Path) -> bool:
        """Whether a process of the agent has the session of this transcript open.

        For a session without a transcript: whether a process of the agent works in the session's directory `cwd`.
        """


def load_agent(reference: str) -> Agent:
    """Import the agent that a reference names: `package.module:attribute`.

    Raises ImportError when there is no such module or attribute.
    """
    module, _, attribute = reference.partition(":")
    try:
        agent: Agent = getattr(import_module(module), attribute)
    except (AttributeError, ValueError) as error:
        raise ImportError(f"The agent {reference!r} could not be imported: {error}") from error
    return agent
