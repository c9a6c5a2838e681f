"""Sessions that Codex wrote down: those we know nothing of prove that a hook did not run, those traced that it did."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from infinium_transport import EntryKind, InfiniumTransportError
from msgspec import Struct

from infinium_codex.codex.program import codex_home
from infinium_codex.codex.project_hooks import project_root
from infinium_codex.console.formatting import local_time
from infinium_codex.delivery.stores import open_ledger, open_outbox
from infinium_codex.doctor.checks import Check, ok, unknown, warning
from infinium_codex.doctor.situation import Situation
from infinium_codex.session.files import SPOOL_SUFFIX, SessionFiles, find_sessions
from infinium_codex.support.json_fields import epoch_ms, mapping, parse_object, text
from infinium_codex.support.settings import home_directory

RECENT_SECONDS = 7 * 86_400.0
"""A trace no older than this shows that a Codex runs our hooks."""
LOOKED_AT = 500
"""So many transcripts are opened, the newest first."""
MAX_HEAD = 4 << 20
"""A transcript's first line holds Codex's own instructions; it is not read further than this."""
_ENDS = (b'"task_complete"', b'"turn_aborted"')
_CHUNK = 1 << 20


class Seen(Struct, frozen=True, kw_only=True):
    """A session by its transcript."""

    session_id: str
    started: float
    """Seconds since the epoch."""
    path: Path


def untraced(s: Situation) -> Check:
    """Sessions in this project since it was set up, or tracing was last resumed, of which there is no trace at all."""
    name = "sessions"
    if s.settings is None or not s.is_set_up or s.settings.paused.value:
        return unknown(name, "nothing is recorded here now")
    since = _since(s)
    if since is None:
        return unknown(name, "see 'hooks file'")
    seen = [one for one in _transcripts(s, since) if one.started >= since]
    known = _known(s)
    missing = [one for one in seen if one.session_id not in known]
    if missing:
        waiting = _waiting(s)
        missing = [one for one in missing if one.session_id not in waiting]
    if missing:
        last = missing[0]
        evidence = (
            f"Codex had {len(missing)} of {len(seen)} sessions here that we know nothing of; "
            f"the last began {local_time(last.started)}: {last.path}"
        )
        return warning(
            name, evidence, "They are not traced. For those to come, see 'hooks trusted' and 'hooks enabled'."
        )
    return ok(name, f"{len(seen)} of Codex here since {local_time(since)}, none unknown to us" if seen else "none yet")


def traced_lately(s: Situation) -> float | None:
    """When a session in this project was last traced, if lately and with the hooks and settings as they are now."""
    since = max(_since(s) or 0.0, s.now - RECENT_SECONDS)
    sent = {
        entry.labels["session"]: entry.when
        for entry in reversed(open_ledger(s.places).entries(EntryKind.sent))
        if entry.when >= since and "session" in entry.labels
    }
    if not sent:
        return None
    here = {seen.session_id for seen in _transcripts(s, since)} & sent.keys()
    for session in sent.keys() - here:  # without a transcript (`codex exec --ephemeral`), the worker's word for it
        directory = SessionFiles(s.places.spool / f"{session}{SPOOL_SUFFIX}").load_checkpoint().cwd
        if directory is not None and _is_here(Path(directory), s):
            here.add(session)
    return max((sent[session] for session in here), default=None)


def _since(s: Situation) -> float | None:
    """When hooks or settings last changed: what ran before may have run without us, or while paused."""
    project = s.settings.project if s.settings else None
    paths = [s.hooks.path, *([project.config_path] if project else [])]
    try:
        return max(path.stat().st_mtime for path in paths)
    except OSError:
        return None


def _transcripts(s: Situation, since: float) -> Iterator[Seen]:
    """The sessions Codex wrote to in this project since then, newest first. Subagents are part of their session."""
    found = []
    for path in (codex_home(s.environ) / "sessions").rglob("rollout-*.jsonl"):
        try:
            changed = path.stat().st_mtime
        except OSError:
            continue  # archived meanwhile
        if changed >= since:
            found.append((changed, path))
    for _, path in islice(sorted(found, reverse=True), LOOKED_AT):
        session = _read(path)
        if session is not None and _is_here(Path(session[1]), s):
            yield session[0]


def _read(path: Path) -> tuple[Seen, str] | None:
    """The session and its directory; None for a subagent's, or one in which no turn has ended yet."""
    try:
        with path.open("rb") as file:
            head = parse_object(file.readline(MAX_HEAD)) or {}
            meta = mapping(head, "payload")
            started = epoch_ms(head.get("timestamp"))
            session_id, directory = text(meta, "session_id") or text(meta, "id"), text(meta, "cwd")
            if head.get("type") != "session_meta" or not session_id or not directory or started is None:
                return None
            if text(meta, "parent_thread_id") or isinstance(meta.get("source"), dict):
                return None
            keep = b""
            while chunk := file.read(_CHUNK):
                if any(end in keep + chunk for end in _ENDS):
                    return Seen(session_id=session_id, started=started / 1000, path=path), directory
                keep = chunk[-32:]
    except OSError:
        return None
    return None


def _is_here(directory: Path, s: Situation) -> bool:
    """Whether it is this project's: another checkout or project below it has hooks of its own."""
    if s.hooks.worktree is not None and directory.is_relative_to(s.hooks.worktree):
        return True
    return directory.is_relative_to(s.hooks.root) and (
        project_root(directory, home_directory(s.environ)) == s.hooks.root or not directory.exists()
    )


def _known(s: Situation) -> set[str]:
    """Sessions with a spool, a checkpoint, or a word in the ledger."""
    known = {
        files.session_id for files in find_sessions(s.places.spool) if files.spool.exists() or files.checkpoint.exists()
    }
    return known | {entry.labels.get("session", "") for entry in open_ledger(s.places).entries()}


def _waiting(s: Situation) -> set[str]:
    """Sessions with a trace that waits."""
    box = open_outbox(s.places)
    found = set()
    for queued in box.pending():
        try:
            found.add(box.read(queued).labels.get("session", ""))
        except InfiniumTransportError:
            continue  # damaged, or sent meanwhile
    return found
