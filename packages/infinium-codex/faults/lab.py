"""A machine to break: the installed connector, a keyring with a canary in it, and an account of every turn."""

import base64
import json
import os
import shlex
import shutil
import signal
import site
import subprocess
import tempfile
import threading
import time
import venv
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from api import Answer, Api
from infinium_codex.capture.install import COMPILED, SOURCE
from infinium_codex.support.paths import spool_directory
from infinium_config import ApprovedOrigins
from infinium_trace import trace_key
from infinium_transport import EntryKind, Ledger, Outbox
from machine import Machine, processes

AGENT = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
CANARY = "canary-of-the-agents-secret-4711"
HOOK_SECONDS = 3.0
"""The shortest time that Codex gives any hook of ours before it goes on without it."""
WORKER_SECONDS = 120.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One line of the table."""

    fault: str
    injected: int
    turns: int
    """Turns whose Stop hook returned, and wrote its event: what must arrive."""
    delivered: int
    resent: int
    """Requests that said again, byte for byte, what the server had accepted. Only a lost acknowledgement excuses it."""
    doubled: int
    """Turns under two keys, or in two versions."""
    lost: int
    kept: int = 0
    """Not delivered and not to be: dead letters, counted drops, damaged files set aside."""
    affected: int = 0
    """Hook calls that failed, printed, or took longer than Codex waits."""
    slowest_ms: int = 0


class Lab(Machine):
    """Everything below `root/machine`; the environment and the keyring are beside it, so that they are not searched."""

    def __init__(self, root: Path, api: Api) -> None:
        super().__init__(root / "machine")
        self.api = api
        self.environment = root / "environment"
        self.python = str(make_environment(self.environment))
        self.keyring = root / "keyring"
        self.environ |= {"PYTHON_KEYRING_BACKEND": "canary_keyring.Keyring", "FAULTS_KEYRING": str(self.keyring)}
        self.environ |= {"INFINIUM_TIMEOUT": "2", "INFINIUM_MAX_RETRIES": "1", "PYTHONDONTWRITEBYTECODE": "1"}
        self.keyring.write_text(f"answer {CANARY}")
        self.set_up()
        self.send_to(api.base_url)
        groups = json.loads(self.hooks.read_text("utf-8"))["hooks"]
        self.budgets: dict[str, float] = {event: found[0]["hooks"][0]["timeout"] for event, found in groups.items()}
        """How many seconds Codex gives the hook, by event, as it was registered."""
        self.accepted: set[str] = set()
        """Keys of the turns whose Stop hook returned and had written its event."""
        self.possible: set[str] = set()
        """Keys of turns whose Stop hook was killed or could not write: they may arrive or not."""
        self.root_seen = Path("/")
        """What our processes see as the root directory."""
        self.affected = 0
        self.slowest = 0.0
        self.leaks: set[str] = set()

    def spool(self, session: str) -> Path:
        """Where the hook appends a session's events."""
        return spool_directory(self.environ) / f"{session}.spool"

    def seen(self, path: Path) -> Path:
        """A path as our processes see it."""
        return self.root_seen / path.relative_to("/")

    @property
    def spools(self) -> list[Path]:
        """Spool files with something in them."""
        return [path for path in self.seen(self.tmp).rglob("*.spool") if path.stat().st_size]

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.seen(self.state) / "ledger")

    @property
    def outbox(self) -> Outbox:
        return Outbox(self.seen(self.state) / "outbox")

    def send_to(self, base_url: str) -> None:
        """Have the project's traces go to this address, as its user agreed to."""
        config = {"agent_id": AGENT, "base_url": base_url, "flush_on_stop": True, "flush_on_session_end": False}
        self.config.write_text(json.dumps(config))
        ApprovedOrigins(self.state / "origins.json").approve(AGENT, base_url)

    # Codex's part

    def command(self, event: str) -> list[str]:
        """The hook's program without the shell around it, so that it can be killed itself."""
        first = self.commands[event].removeprefix("{ ").partition(" || ")[0]
        return [*self.prefix, *shlex.split(first)]

    def call(
        self, event: str, session: str, turn: str, *, environ: Mapping[str, str] | None = None, **fields: object
    ) -> None:
        """A hook call as Codex makes it; notes whether Codex would have noticed anything."""
        payload = self.event(event, session, turn, **fields)
        done, seconds = self.timed(["sh", "-c", self.commands[event]], payload, environ, within=self.budgets[event])
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
    ) -> tuple[subprocess.CompletedProcess[bytes] | None, float]:
        """Run a program as Codex runs hooks; None when it took longer than Codex waits."""
        started = time.monotonic()
        try:
            done = subprocess.run(
                [*self.prefix, *command],
                input=stdin,
                capture_output=True,
                cwd=self.project,
                env={**self.environ, **(environ or {})},
                timeout=within,
                check=False,
            )
        except subprocess.TimeoutExpired:
            done = None
        return done, time.monotonic() - started

    def event(self, event: str, session: str, turn: str, **fields: object) -> bytes:
        """What Codex writes to the hook's stdin."""
        payload = {"session_id": session, "turn_id": turn, "hook_event_name": event, "model": "gpt"}
        return json.dumps(self.placed({**payload, **fields}, None)).encode()

    def turn(self, session: str, turn: str, *, environ: Mapping[str, str] | None = None) -> str:
        """A whole turn that must arrive; gives its key."""
        prompt = f"{session} asks {turn}"
        self.call("UserPromptSubmit", session, turn, environ=environ, prompt=prompt)
        self.call("Stop", session, turn, environ=environ, last_assistant_message="done")
        return self.expect(session, turn)

    def expect(self, session: str, turn: str, *, surely: bool = True) -> str:
        """Note a turn for the account."""
        key = trace_key(session, None, turn, "turn")
        (self.accepted if surely else self.possible).add(key)
        return key

    # Our part

    def worker(self, spool: Path, *before: str, environ: Mapping[str, str] | None = None) -> int:
        """Run the worker here and now, through the program `before` if there is one; gives its exit code."""
        with tempfile.TemporaryFile() as printed:  # no pipe: a timer it starts may keep its tracer's end open
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
            self.look_for_canary(printed.read(), "what the worker printed")
        return done.returncode

    @contextmanager
    def idle_hooks(self) -> Iterator[None]:
        """Hooks that start no worker in this block, so that a test can run its own: their home has an idle one."""
        home = self.data.with_name("idle")
        if not home.exists():
            (home / "venv" / "bin").mkdir(parents=True)
            for program in (SOURCE, COMPILED):
                shutil.copy(self.data / program, home)
            (home / "python").symlink_to((self.data / "python").readlink())
            worker = home / "venv" / "bin" / "python"
            worker.write_text("#!/bin/sh\n")
            worker.chmod(0o755)
        commands = self.commands
        self.commands = {name: text.replace(str(self.data), str(home)) for name, text in commands.items()}
        try:
            yield
        finally:
            self.commands = commands

    def reinstall(self) -> None:
        """Make the hook's home anew, as an upgrade does."""
        self.run("init", "--no-interactive", "--base-url", self.api.base_url)

    def settle(self) -> None:
        """The fault is over: work off what is left, as the next turns' workers would, and send what waits."""
        self.wait_until_idle()
        for spool in self.spools:
            code = self.worker(self.spool(spool.stem))
            assert code == 0, f"the worker failed with the fault gone: {self.errors()[:3]}"
        for _ in range(3):  # the timer may be sending just now, as things were
            if not list(self.outbox.pending()):
                break
            self.run("retry")
            self.wait_until_idle()

    def end_background(self) -> None:
        """End the timers, and what they are having done just now: it could start the next one."""
        marks = (b"infinium_codex.background.scheduler", b"infinium_codex.background.maintenance")
        deadline = time.monotonic() + 20
        while found := [pid for mark in marks for pid in processes(mark, self.root)]:
            assert time.monotonic() < deadline, "timers come back again and again"
            for pid in found:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)

    # The account

    def look_for_canary(self, data: bytes, where: str) -> None:
        """Note a place in which the secret is found, as it is or encoded."""
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
        """Look for the secret in the arguments and environments of our processes while the block runs."""
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
            return  # ended meanwhile

    def account(self, fault: str, injected: int, *, settle: bool = True) -> Row:
        """Settle, and count where every turn is that was accepted."""
        if settle:
            self.settle()
        self.search()
        taken = [
            (headers["idempotency-key"], body)
            for (headers, body), answer in zip(self.api.requests, self.api.answered, strict=True)
            if is_success(answer)
        ]
        bodies: dict[str, set[bytes]] = {}
        for headers, body in self.api.requests:  # what was refused first and accepted later must be the same, too
            bodies.setdefault(headers["idempotency-key"], set()).add(body)
        delivered = {key for key, _ in taken}
        keys_of = Counter(turn_of(body) for body in dict(taken).values())
        expected = self.accepted
        gone = {entry.key for entry in self.ledger.entries(EntryKind.dropped, EntryKind.dead)}
        waiting = {queued.key for queued in self.outbox.pending()}
        aside = {path.name.split(".")[0] for path in (self.seen(self.state) / "outbox" / "corrupt").glob("*")}
        assert delivered <= expected | self.possible, "something was sent that is no turn of ours"
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
    """Whether the server took the trace, as it sees it."""
    if callable(answer):
        return bool(getattr(answer, "accepts", False))
    return answer.startswith(b"HTTP/1.1 2")


def turn_of(body: bytes) -> str:
    """Tells the turns apart without their keys: no two turns of a test share an id."""
    return str(json.loads(body)["environment"]["custom_tags"]["turn"])


def make_environment(directory: Path) -> Path:
    """A virtual environment with all that this one has, and the canary's keyring; gives its interpreter."""
    venv.EnvBuilder(symlinks=True, with_pip=False).create(directory)
    [packages] = directory.glob("lib/python*/site-packages")
    lines = [f"import site; site.addsitedir({path!r})" for path in site.getsitepackages()]
    (packages / "faults.pth").write_text("\n".join([*lines, str(Path(__file__).parent / "backends"), ""]))
    return directory / "bin" / "python"
