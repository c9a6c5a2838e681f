"""A turn of a hundred tool calls on the real Codex, with our hooks and without any."""

from collections.abc import Iterator, Sequence
from copy import copy
from pathlib import Path
from typing import Any

from codex_install import NEWEST, CodexUnavailableError, install_codex
from infinium_codex.demo.scripted_model import Reply, Say, ScriptedModel, Shell, Usage, codex_config
from machine import Machine
from processes import wall
from table import Row

CALLS = 100
SYNCHRONOUS = "0.145.0"
"""A version that waits for every hook. Codex has async hooks from 0.150 on."""
_CALL = Reply([Shell("true")], Usage(input_tokens=100, output_tokens=5))
_LAST = Reply([Say("done")], Usage(input_tokens=100, output_tokens=5))


class _Counting(ScriptedModel):
    """Answers by the number of calls in the conversation, so that every session gets its hundred."""

    def __init__(self, replies: Sequence[Reply]) -> None:
        super().__init__(replies)
        self._call, self._last = replies

    def take(self, request: dict[str, Any]) -> tuple[int, Reply]:
        done = sum(item.get("type") == "function_call_output" for item in request["input"])
        number, _ = super().take(request)
        return number, self._call if done < CALLS else self._last


def hundred_tool_calls(ours: Machine) -> Iterator[Row]:
    """Wall time of `codex exec` with our hooks, with hooks that do nothing, and without hooks, in turn."""
    for version, goal in ((NEWEST, 1.03), (SYNCHRONOUS, 1.06)):
        try:
            codex = install_codex(version)
        except CodexUnavailableError as error:
            print(f"The turn of {CALLS} tool calls was not measured: {error}.")
            continue
        yield from _with_version(ours, codex, version, goal)


def _with_version(ours: Machine, codex: Path, version: str, goal: float) -> Iterator[Row]:
    # A project of its own, set up with this Codex on PATH: the registered hooks depend on Codex's version.
    traced = copy(ours)
    traced.environ = {**ours.environ, "PATH": f"{codex}:{ours.environ['PATH']}"}
    traced.project, plain = ours.home / f"traced-{version}", ours.home / f"plain-{version}"
    for project in (traced.project, plain):
        (project / ".git").mkdir(parents=True)
    with _Counting([_CALL, _LAST]) as model:
        ours.codex_home.mkdir(exist_ok=True)
        text = codex_config(model.base_url, str(traced.project), version)
        (ours.codex_home / "config.toml").write_text(
            f'{text}\n[projects."{plain}"]\ntrust_level = "trusted"\n', "utf-8"
        )
        traced.set_up("--trust")
        execute = "codex exec --dangerously-bypass-approvals-and-sandbox go </dev/null >/dev/null 2>&1"
        python = ours.data / "python"
        interpreter = python.readlink()
        idle = f"ln -sfn /bin/true '{python}'; cd '{traced.project}' && {execute}; ln -sfn '{interpreter}' '{python}'"
        cases = {
            "hooks": f"cd '{traced.project}' && {execute}",
            "idle": idle,
            "none": f"cd '{plain}' && {execute}",
        }
        found = wall(cases, cwd=Path("/"), environ=traced.environ, rounds=11, values=1)
    what = f"a turn of {CALLS} tool calls, Codex {version}, our hooks"
    spread = found["hooks"].spread + found["idle"].spread
    yield Row.ratio(f"{what} / hooks that run /bin/true", found["hooks"], found["idle"], round(1 + spread, 2))
    yield Row.ratio(f"{what} / none", found["hooks"], found["none"], goal)
