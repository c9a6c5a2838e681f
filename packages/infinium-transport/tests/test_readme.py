"""The README's example, run against a server on loopback."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from api import reply, serve
from infinium_transport import EntryKind, Ledger, Refusal
from msgspec import Struct, field

README = Path(__file__).parents[1] / "README.md"
AGENT = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"


class Trace(Struct, frozen=True, kw_only=True):
    """What the example queues."""

    key: str = "0f0e7a52-5f0a-5e9b-8f53-0b7c0a1d2e3f"
    name: str = "A turn"
    body: bytes = b'{"name": "A turn"}'
    labels: dict[str, str] = field(default_factory=dict)


def run_example(base_url: str, find_secret: Callable[[str, str], str | Refusal]) -> int:
    """Run the README's example; returns its exit code."""
    example, _connector = re.findall(r"^```python\n(.*?)^```", README.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    names = {"trace": Trace(), "agent_id": AGENT, "base_url": base_url, "find_secret": find_secret}
    exec(compile(example, README.name, "exec"), names)
    exit_code = names["exit_code"]
    assert isinstance(exit_code, int)
    return exit_code


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("USERPROFILE" if os.name == "nt" else "HOME", str(tmp_path))
    return tmp_path / ".local" / "state" / "my-connector"


def test_example_sends_the_trace(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serve([reply(200)]) as api:
        exit_code = run_example(api.base_url, lambda _agent, _url: "sesame")
    assert (exit_code, capsys.readouterr().out) == (0, "Sent 1 trace.\n")
    [(headers, body)] = api.requests
    assert (headers["user-agent"], headers["x-agent-key"], body) == ("my-connector/1.0", "sesame", Trace().body)
    assert [entry.message for entry in Ledger(state / "ledger").entries(EntryKind.sent)] == ["A turn"]


def test_example_reports_a_refused_address(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The exit code and the text say so, and no request is made."""
    refusal = Refusal(reason="the address is not approved", hint="Approve it first.")
    with serve([reply(200)]) as api:
        exit_code = run_example(api.base_url, lambda _agent, _url: refusal)
    assert exit_code == 1
    assert "the address is not approved. Approve it first." in capsys.readouterr().out
    assert api.requests == []
    assert len(list((state / "outbox").glob("*.trace"))) == 1
