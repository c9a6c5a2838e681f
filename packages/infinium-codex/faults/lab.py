"""A machine for fault tests: it counts every turn, and looks for the secret wherever it could leak."""

import base64
import json
import os
import shlex
import site
import subprocess
import tempfile
import threading
import time
import venv
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from api import Answer, Api
from infinium_config import ApprovedOrigins
from infinium_trace import trace_key
from infinium_transport import EntryKind, Ledger, Outbox
from machine import Machine

AGENT = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
CANARY = "canary-of-the-agents-secret-4711"
HOOK_SECONDS = 3.0
"""The shortest timeout that Codex applies to a hook of ours."""
WORKER_SECONDS = 120.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One line of the table of faults."""

    fault: str
    injected: int
    turns: int
    """Turns whose Stop hook returned and wrote its event: these must arrive."""
    delivered: int
    resent: int
    """Requests that repeat, byte for byte, one that the server accepted. Only a lost acknowledgement excuses them."""
    doubled: int
    """Turns sent under two keys or with two bodies."""
    lost: int
    kept: int = 0
    """Turns that are not delivered but recorded: dead letters, counted drops, damaged files set aside."""
    affected: int = 0
    """Hook calls that failed, printed something, or timed out."""
    slowest_ms: int = 0


class Lab(Machine):
    """A machine below `root/machine`. Its environment and its keyring, which has the secret, are outside."""

    def __init__(self, root: Path, api: Api) -> None:
        self.environment = root / "environment"
        python = make_environment(self.environment)
        super().__init__(root / "machine", program=[str(python), "-m", "infinium_codex.cli"])
        self.api = api
        self.keyring = root / "keyring"
        self.environ |= {"PYTHON_KEYRING_BACKEND": "canary_keyring.Keyring", "FAULTS_KEYRING": str(self.keyring)}
        self.environ |= {"INFINIUM_TIMEOUT": "2", "INFINIUM_MAX_RETRIES": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        self.environ["CONNECTOR_WAIT_ON_END"] = "0"  # where the tests run in a container, hooks would wait
        self.keyring.write_text(f"answer {CANARY}")
        self.set_up()
        self.send_to(api.base_url)
        self.timeouts: dict[str, float] = {event: handler["timeout"] for event, handler in self.handlers().items()}
        """The registered timeout of each event's hook, in seconds."""
        self.accepted: set[str] = set()
        """Keys of the turns whose Stop hook returned and wrote its event."""
        self.possible: set[str] = set()
        """Keys of the turns whose Stop hook was killed or could not write: they may arrive."""
        self.root_seen = Path("/")
        """The root directory of the machine's commands: another one in a mount namespace."""
        self.affected = 0
        self.slowest = 0.0
        self.leaks: set[str] = set()

    def seen(self, path: Path) -> Path:
        """A path as the machine's commands see it."""
        return self.root_seen / path.relative_to("/")

    @property
    def spools(self) -> list[Path]:
        """The spools that are not empty."""
        return [path for path in self.seen(self.tmp).rglob("*.spool") if path.stat().st_size]

    @property
    def ledger(self) -> Ledger:
        """The ledger of traces and errors."""
        return Ledger(self.seen(self.state) / "ledger")

    @property
    def outbox(self) -> Outbox:
        """The queue of traces."""
        return Outbox(self.seen(self.state) / "outbox")

    def send_to(self, base_url: str) -> None:
        """Send the project's traces to this address, and approve it."""
        config = {"agent_id": AGENT, "base_url": base_url, "flush_on_stop": True, "flush_on_session_end": False}
        self.config.write_text(json.dumps(config))
        self.settle_config()
        ApprovedOrigins(self.state.parent / "infinium" / "origins.json").approve(AGENT, base_url)

    # Hook calls

    def command(self, event: str) -> list[str]:
        """The command of the hook without the shell around it, so that a test can kill the hook itself."""
        command = self.commands[event]
        if f"e={event} " in command:  # the shell itself records the event
            return [*self.prefix, "sh", "-c", command]
        below_home = command.partition('h="$HOME')[2].partition('"')[0]
        first = command.partition("&& { ")[2].partition(" || ")[0].replace("$h", f"{self.home}{below_home}")
        return [*self.prefix, *shlex.split(first)]

    def call(
        self, event: str, session: str, turn: str, *, environ: Mapping[str, str] | None = None, **fields: object
    ) -> None:
        """Run a hook as Codex does; counts the calls that Codex would notice."""
        payload = self.event(event, session, turn, **fields)
        done, seconds = self.timed(["sh", "-c", self.commands[event]], payload, environ, within=self.timeouts[event])
        self.slowest = max(self.slowest, seconds)
        if done is None or done.returncode or done.stdout or done.stderr:
            self.affected += 1

    def timed(
        self,
        command: list[str],
        stdin: bytes,
        environ: Mapping[str, str] | None = None,
        *,
        within: float = HOOK_SECONDS,
    ) -> tuple[subprocess.CompletedProcess[str] | None, float]:
        """Run a command as Codex runs hooks; returns the seconds it took too, and None for the result on a timeout."""
        started = time.monotonic()
        try:
            done = self.execute(command, stdin=stdin.decode(), environ=environ, timeout=within, check=False)
        except subprocess.TimeoutExpired:
            return None, time.monotonic() - started
        return done, time.monotonic() - started

    def event_files(self) -> list[Path]:
        """The events that the shell recorded and no worker has moved to a spool, oldest first."""
        found = self.seen(self.tmp).glob("*/inbox/*/*")
        return sorted(found, key=lambda path: path.stat().st_mtime_ns)

    def event(self, event: str, session: str, turn: str, **fields: object) -> bytes:
        """The event that Codex writes to the hook's stdin."""
        payload = {"session_id": session, "turn_id": turn, "hook_event_name": event, "model": "gpt"}
        return json.dumps(self.placed({**payload, **fields}, None)).encode()

    def turn(self, session: str, turn: str, *, environ: Mapping[str, str] | None = None) -> str:
        """Run the hooks of a whole turn, which must arrive; returns its key."""
        prompt = f"{session} asks {turn}"
        self.call("UserPromptSubmit", session, turn, environ=environ, prompt=prompt)
        self.call("Stop", session, turn, environ=environ, last_assistant_message="done")
        return self.expect(session, turn)

    def expect(self, session: str, turn: str, *, surely: bool = True) -> str:
        """Count a turn, as one that must arrive or (not `surely`) as one that may; returns its key."""
        key = trace_key(session, None, turn, "turn")
        (self.accepted if surely else self.possible).add(key)
        return key

    # Background processes

    def worker(self, spool: Path, *before: str, environ: Mapping[str, str] | None = None) -> int:
        """Run the worker and wait for it, through the command `before` if there is one; returns its exit code."""
        with tempfile.TemporaryFile() as printed:  # no pipe: a tracer holds its end as long as a scheduler it traces
            done = subprocess.run(
                [*self.prefix, *before, *self.worker_command, str(spool)],
                stdin=subprocess.DEVNULL,
                stdout=printed,
                stderr=printed,
                env={**self.environ, **(environ or {})},
                timeout=WORKER_SECONDS,
                check=False,
            )
            printed.seek(0)
            self.look_for_canary(printed.read(), "output of the worker")
        return done.returncode

    def reinstall(self) -> None:
        """Write the hook's home again, as an upgrade does."""
        self.run("init", "--no-interactive", "--base-url", self.api.base_url)

    def settle(self) -> None:
        """Process the remaining spools and send the queued traces, as later turns would, with the fault over."""
        self.wait_until_idle()
        for spool in self.spools:
            code = self.worker(self.spool(spool.stem))
            assert code == 0, f"the worker failed with the fault gone: {self.errors()[:3]}"
        for _ in range(3):  # a scheduler may be sending, still with the fault
            if not list(self.outbox.pending()):
                break
            self.run("retry")
            self.wait_until_idle()

    # The account

    def look_for_canary(self, data: bytes, where: str) -> None:
        """Note a place that contains the secret, plain or encoded."""
        plain = CANARY.encode()
        forms = (plain, plain.hex().encode(), *(base64.b64encode(b"\0" * n + plain)[4:-4] for n in range(3)))
        if any(form in data for form in forms):
            self.leaks.add(where)

    def search(self) -> None:
        """Look for the secret in every file of the machine."""
        for path in self.seen(self.root).rglob("*"):
            if path.is_file() and not path.is_symlink():
                self.look_for_canary(path.read_bytes(), str(path))

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Look for the secret in arguments and environments of the connector's processes while the block runs."""
        stop = threading.Event()

        def watch() -> None:
            while not stop.wait(0.1):
                for process in Path("/proc").iterdir():
                    if process.name.isdigit():
                        self._look_at_process(process)

        thread = threading.Thread(target=watch)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _look_at_process(self, process: Path) -> None:
        try:
            arguments = (process / "cmdline").read_bytes()
            if os.fsencode(self.root) in arguments or b"infinium_codex" in arguments:
                self.look_for_canary(arguments, f"arguments: {arguments[:80]!r}")
                self.look_for_canary((process / "environ").read_bytes(), f"environment: {arguments[:80]!r}")
        except OSError:
            return  # the process has ended meanwhile

    def account(self, fault: str, injected: int, *, settle: bool = True) -> Row:
        """Settle unless told not to, and count where every turn is."""
        if settle:
            self.settle()
        self.search()
        taken = [
            (headers["idempotency-key"], body)
            for (headers, body), answer in zip(self.api.requests, self.api.answered, strict=True)
            if is_success(answer)
        ]
        bodies: dict[str, set[bytes]] = {}
        for headers, body in self.api.requests:  # a refused request and its accepted repetition must be equal
            bodies.setdefault(headers["idempotency-key"], set()).add(body)
        delivered = {key for key, _ in taken}
        keys_of = Counter(turn_of(body) for body in dict(taken).values())
        expected = self.accepted
        gone = {entry.key for entry in self.ledger.entries(EntryKind.dropped, EntryKind.dead)}
        waiting = {queued.key for queued in self.outbox.pending()}
        aside = {path.name.split(".")[0] for path in (self.seen(self.state) / "outbox" / "corrupt").glob("*")}
        assert delivered <= expected | self.possible, "a trace was sent that is not a turn of this test"
        missing = expected - delivered
        return Row(
            fault=fault,
            injected=injected,
            turns=len(expected),
            delivered=len(expected & delivered),
            resent=len(taken) - len(delivered),
            doubled=sum(n - 1 for n in keys_of.values()) + sum(len(each) - 1 for each in bodies.values()),
            lost=len(missing - gone - waiting - aside),
            kept=len(missing & (gone | waiting | aside)),
            affected=self.affected,
            slowest_ms=round(self.slowest * 1000),
        )


def is_success(answer: Answer) -> bool:
    """Whether the server accepted the trace, from its own point of view."""
    if callable(answer):
        return bool(getattr(answer, "accepts", False))
    return answer.startswith(b"HTTP/1.1 2")


def turn_of(body: bytes) -> str:
    """The id of a trace's turn, unique within a test; it does not depend on the trace's key."""
    return str(json.loads(body)["environment"]["custom_tags"]["turn"])


def make_environment(directory: Path) -> Path:
    """Make a virtual environment with the packages of this one and the canary's keyring; returns its interpreter."""
    venv.EnvBuilder(symlinks=True, with_pip=False).create(directory)
    [packages] = directory.glob("lib/python*/site-packages")
    lines = [f"import site; site.addsitedir({path!r})" for path in site.getsitepackages()]
    (packages / "faults.pth").write_text("\n".join([*lines, str(Path(__file__).parent / "backends"), ""]))
    return directory / "bin" / "python"
