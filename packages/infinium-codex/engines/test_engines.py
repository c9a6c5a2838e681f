"""A session of the real Codex in real engines: down for a while, sent twice, read back through each engine's API.

`nox -s otlp` makes the environments of the engines and names their directory in INFINIUM_ENGINES. It prints a table.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from codex_install import NEWEST
from engine import Engine, FoundSpan, MLflow, Phoenix, free_port, serving, take_screenshot
from infinium_codex.demo.scripted_model import Call, Reply, Say, ScriptedModel, Shell, Told, Usage
from infinium_transport import Outbox
from machine import end_background, wait_for
from sandbox import Sandbox, sandbox_with

pytestmark = pytest.mark.codex

ENGINES: dict[str, Engine] = {"mlflow": MLflow(), "phoenix": Phoenix()}
TASK = "Count the files for me."
AGENT = Told(r'"agent_id":"([^"]+)"')
NAMESPACE = "multi_agent_v1"
TOOLS = 100
TABLE = Path(os.environ.get("INFINIUM_ENGINES", ".")) / "table.md"


def usage(number: int) -> Usage:
    """Tokens that differ from those of every other response."""
    return Usage(
        input_tokens=1_000 * number + 7, cached_tokens=100 * number, output_tokens=10 * number, reasoning_tokens=number
    )


def session() -> list[Reply]:
    """A subagent with a command of its own, a command that fails, and 100 more tool calls in 10 responses."""
    wait = {"targets": [AGENT], "ids": [AGENT], "timeout_ms": 60_000}
    return [
        Reply([Call("spawn_agent", {"message": TASK, "agent_type": "explorer"}, NAMESPACE)], usage(1)),
        Reply([Call("wait_agent", wait, NAMESPACE)], usage(2)),
        Reply([Shell("echo building; exit 3")], usage(3)),
        *(Reply([Shell(f"echo {n}{m}") for m in range(10)], usage(4 + n)) for n in range(TOOLS // 10)),
        Reply([Say("All done.")], usage(20)),
        Reply([Shell("ls | wc -l")], usage(21), to=TASK),
        Reply([Say("None.")], usage(22), to=TASK),
    ]


def wanted_engines() -> list[str]:
    """The engines named in INFINIUM_ENGINES_WANTED, by default all."""
    return os.environ.get("INFINIUM_ENGINES_WANTED", ",".join(ENGINES)).split(",")


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    found = sandbox_with(NEWEST, tmp_path)
    yield found
    end_background(tmp_path)


@pytest.mark.parametrize("name", wanted_engines())
def test_a_session_in_an_engine(name: str, sandbox: Sandbox, tmp_path: Path) -> None:
    if "INFINIUM_ENGINES" not in os.environ:
        pytest.skip("the engines are installed by 'nox -s otlp'")
    engine = ENGINES[name]
    programs = Path(os.environ["INFINIUM_ENGINES"]) / name / "bin"
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    environ = {"CONNECTOR_OTLP_ENDPOINT": address, "INFINIUM_MAX_RETRIES": "0"}
    environ |= {"OTEL_EXPORTER_OTLP_HEADERS": engine.headers} if engine.headers else {}
    environ["OTEL_EXPORTER_OTLP_TIMEOUT"] = "90000"  # an engine's first answer may take long on a busy machine
    environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "true"
    outbox = Outbox(sandbox.state / "outbox")
    with ScriptedModel(session()) as model:
        sandbox.configure_codex(model)
        sandbox.must_run("init", "--local", "--no-interactive", "--trust")
        sandbox.codex_exec("Do a hundred things.", environ=environ)
        wait_for(lambda: list(outbox.pending()), "the turn in the queue")
        sandbox.wait_until_idle()
        reported = model.reported
    [trace] = sandbox.traces()
    key = trace["environment"]["custom_tags"]["trace_key"]
    size = len(outbox.read(next(iter(outbox.pending()))).body)

    with serving(engine, programs, tmp_path / name, port) as url:
        wait_for(lambda: sandbox.run("retry", environ=environ).returncode == 0, "the delivery to the engine")
        wait_for(lambda: len(engine.spans(url)) >= len(session()) + TOOLS + 6, "the spans in the engine")
        first = settled(engine, url)
        check(first, key, [(one.input_tokens, one.output_tokens) for one in reported])
        sandbox.must_run("export", "--otlp", "--again", environ=environ)
        second = settled(engine, url)
        assert sorted(second, key=lambda span: span.span_id) == sorted(first, key=lambda span: span.span_id)
        trace_id = first[0].trace_id
        totals = sum(one.input_tokens for one in reported), sum(one.output_tokens for one in reported)
        assert engine.total_tokens(url, trace_id) == totals
        if os.environ.get("INFINIUM_SCREENSHOTS"):
            page = engine.page(url, trace_id)
            assert take_screenshot(page, TABLE.with_name(f"{name}.png")), "there is no Chromium to take a picture with"
    assert list(outbox.pending()) == []
    assert outbox.dead_letters() == []
    row = f"| {engine.name} | {len(first)} | {size:,} | {totals[0]:,} + {totals[1]:,} | 1 trace | sent by retry |"
    with TABLE.open("a", encoding="utf-8") as table:
        table.write(row + "\n")
    print(row)


def settled(engine: Engine, url: str) -> list[FoundSpan]:
    """The engine's spans, when two looks find the same number: engines store them after they have answered."""
    found = [engine.spans(url)]

    def same() -> bool:
        time.sleep(2.0)
        found.append(engine.spans(url))
        return len(found[-1]) == len(found[-2])

    wait_for(same, "the engine to store the spans")
    return found[-1]


def check(spans: list[FoundSpan], key: str, reported: list[tuple[int, int]]) -> None:
    """One trace with the right ids, the right tree, and the tokens of the model's server, each once."""
    assert {span.trace_id for span in spans} == {key.replace("-", "")}
    by_id = {span.span_id: span for span in spans}
    assert len(by_id) == len(spans)
    [root] = [span for span in spans if span.parent_id is None]
    assert root.name == "invoke_agent codex"
    chats = [span for span in spans if span.name.startswith("chat ")]
    tools = [span for span in spans if span.name.startswith("execute_tool ")]
    [subagent] = [span for span in spans if span.name == "invoke_agent explorer"]
    assert len(spans) == 2 + len(chats) + len(tools)
    assert subagent.parent_id == root.span_id
    assert len(tools) == TOOLS + 4, "the 100, the failing one, the subagent's, spawn and wait"
    assert [span.name for span in spans if span.is_error] == ["execute_tool shell"]
    assert {by_id[str(span.parent_id)].name.split()[0] for span in tools} == {"chat"}
    below_subagent = [span for span in chats if span.parent_id == subagent.span_id]
    assert len(below_subagent) == 2
    assert {span.parent_id for span in chats} == {root.span_id, subagent.span_id}
    assert sorted((span.input_tokens, span.output_tokens) for span in chats) == sorted(reported)
    assert not any(span.input_tokens or span.output_tokens for span in spans if span not in chats)
