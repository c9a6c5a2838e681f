"""What is killed, refused or done at once on Windows, with the real Codex: no turn is lost, none is traced twice."""

import random
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import psutil
import pytest
from api import Api, Request, receive, reply, serve
from infinium_codex.demo.scripted_model import Reply, Say, ScriptedModel, Shell
from machine_windows import User, wait_for
from scenarios import usage
from tables import Tables
from wine_lab import Lab

pytestmark = pytest.mark.codex

HOOK_STARTS_SECONDS = 0.05
"""In Wine, a process whose creator is killed while it creates the process hangs: the hook is killed before that."""
EVENTS = ("UserPromptSubmit", "PostToolUse", "Stop", "SessionEnd")


def test_hooks_are_killed(user: User, version: str, tables: Tables) -> None:
    """Each kind once. Codex goes on, and the transcript has what the killed hook did not record."""
    chance = random.Random(4711)
    prompts = [f"Do task {number}." for number in range(len(EVENTS))]
    with receive() as api, model_for(prompts) as model:
        user.configure_codex(model, version)
        user.initialize(api.base_url)
        killed = 0
        for prompt, event in zip(prompts, EVENTS, strict=True):
            with kill_first(user.lab, rf"exec\(marshal.* {event}\b", chance.uniform(0, HOOK_STARTS_SECONDS)) as victims:
                user.codex_exec(prompt)
            killed += len(victims)
        user.run("infinium-codex", "flush", "--timeout", "60")  # else the scheduler does, after CONNECTOR_SESSION_TTL
        account(tables, "hooks killed", killed, prompts, [api])
        assert killed


def test_workers_are_killed(user: User, version: str, tables: Tables) -> None:
    """The worker of each turn's end, at a random instant: Wine would hang if one is killed that starts a scheduler."""
    chance = random.Random(4712)
    prompts = [f"Do task {number}." for number in range(4)]
    with receive() as api, model_for(prompts) as model:
        user.configure_codex(model, version)
        user.initialize(api.base_url)
        killed = 0
        for prompt in prompts:
            with kill_first(user.lab, r"worker\.py .* Stop$", chance.uniform(0, 0.3)) as victims:
                user.codex_exec(prompt)
            killed += len(victims)
        user.run("infinium-codex", "flush", "--timeout", "60")  # else the scheduler does, after CONNECTOR_SESSION_TTL
        account(tables, "workers killed", killed, prompts, [api])
        assert killed


def test_the_api_is_down(user: User, version: str, tables: Tables) -> None:
    """It refuses, then nothing listens, then it accepts: the scheduler sends what is queued, without a command."""
    prompts = ["Do task 1.", "Do task 2."]
    with model_for(prompts) as model:
        with serve([reply(503)]) as failing:
            user.configure_codex(model, version)
            user.initialize(failing.base_url)
            user.codex_exec(prompts[0])
            wait_for(lambda: failing.requests, "the refused request")
        user.codex_exec(prompts[1])
        with serve([reply(200)], port=failing.port) as accepting:
            account(tables, "the API down, then up", 2, prompts, [failing, accepting])


def test_two_sessions_at_once(user: User, version: str, tables: Tables) -> None:
    prompts = ["Do task 1.", "Do task 2."]
    with receive() as api, model_for(prompts) as model, ThreadPoolExecutor(2) as pool:
        user.configure_codex(model, version)
        user.initialize(api.base_url)
        list(pool.map(user.codex_exec, prompts))
        account(tables, "two sessions at once", 1, prompts, [api])


def model_for(prompts: Sequence[str]) -> ScriptedModel:
    """A model that answers each prompt with a command and a message."""
    replies = []
    for number, prompt in enumerate(prompts):
        replies += [Reply([Shell("echo one")], usage(2 * number), to=prompt, wait=1.0)]
        replies += [Reply([Say(f"Answer to: {prompt}")], usage(2 * number + 1), to=prompt)]
    return ScriptedModel([Reply([Say("No prompt of this test.")], usage(99)), *replies])


def account(tables: Tables, fault: str, injected: int, prompts: Sequence[str], apis: Sequence[Api]) -> None:
    """Wait for the turns and count them; fail if one is lost or traced twice, or if a trace has another answer."""
    with suppress(AssertionError):
        wait_for(lambda: {each.trace["input_summary"] for each in _accepted(apis)} >= set(prompts), "every turn")
    accepted = _accepted(apis)
    keys = {each.headers["idempotency-key"]: each.trace for each in accepted}
    turns = Counter(trace["input_summary"] for trace in keys.values())
    lost, doubled = len(set(prompts) - set(turns)), sum(count - 1 for count in turns.values())
    tables.add(
        "faults on Windows",
        fault=fault,
        injected=injected,
        turns=len(prompts),
        delivered=len(turns),
        resent=len(accepted) - len(keys),
        doubled=doubled,
        lost=lost,
    )
    assert (lost, doubled) == (0, 0), turns
    assert {trace["output_summary"] for trace in keys.values()} == {f"Answer to: {prompt}" for prompt in prompts}


def _accepted(apis: Sequence[Api]) -> list[Request]:
    """The requests with a trace of a turn that were answered with 200."""
    both = [pair for api in apis for pair in zip(list(api.requests), list(api.answered), strict=False)]
    return [request for request, answer in both if isinstance(answer, bytes) and b" 200 " in answer[:16]]


@contextmanager
def kill_first(lab: Lab, command: str, after: float) -> Iterator[list[int]]:
    """Kill the first process of the lab whose command line matches, `after` seconds after it was seen."""
    killed: list[int] = []
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(0.02):
            for process in psutil.process_iter():
                with suppress(psutil.Error):
                    line = " ".join(process.cmdline())
                    if re.search(command, line) and process.environ().get("WINEPREFIX") == str(lab.prefix):
                        time.sleep(after)
                        process.kill()
                        killed.append(process.pid)
                        return

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield killed
    finally:
        stop.set()
        thread.join()
