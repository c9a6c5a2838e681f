"""The origins that the user approved for an agent."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from infinium_config import DEFAULT_BASE_URL, ApprovedOrigins, InfiniumConfigError, approvals_path, origin_of

AGENT, OTHER = "6f0c6d4e-3b1a-4c55-9f0e-1f6f3c1f2a10", "b7d1c9aa-0f5e-4a7b-8b1e-2a9d8e7c6b5a"


def test_all_connectors_of_a_user_share_the_approvals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "XDG_STATE_HOME", "LOCALAPPDATA", "WIN_PD_OVERRIDE_LOCAL_APPDATA"):
        monkeypatch.setenv(name, str(tmp_path))
    assert ApprovedOrigins().approve(AGENT, "https://one.example") is True
    assert ApprovedOrigins().path == approvals_path()
    assert ApprovedOrigins(approvals_path()).is_approved(AGENT, "https://one.example")
    assert "codex" not in str(approvals_path().relative_to(tmp_path))


@pytest.fixture
def origins(tmp_path: Path) -> ApprovedOrigins:
    return ApprovedOrigins(tmp_path / "state" / "origins.json")


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://One.Example/api/v1", "https://one.example:443"),
        ("HTTPS://one.example:443", "https://one.example:443"),
        ("http://one.example", "http://one.example:80"),
        ("https://one.example:8443/x?y#z", "https://one.example:8443"),
        ("https://[::1]:8443/x", "https://::1:8443"),
        ("https://platform.i42m.ai@one.example/", "https://one.example:443"),
        ("https://platform.i42m.ai.one.example/", "https://platform.i42m.ai.one.example:443"),
    ],
)
def test_an_origin_is_scheme_host_and_port(url: str, origin: str) -> None:
    assert origin_of(url) == origin


def test_the_default_origin_needs_no_approval(origins: ApprovedOrigins) -> None:
    assert origins.is_approved(AGENT, DEFAULT_BASE_URL)
    assert origins.is_approved(AGENT, "https://PLATFORM.i42m.ai:443/another/path")
    assert origins.approve(AGENT, DEFAULT_BASE_URL) is False
    assert not origins.path.exists()


@pytest.mark.parametrize(
    "url",
    [
        "http://platform.i42m.ai/api/v1",
        "https://platform.i42m.ai:8443/api/v1",
        "https://platform.i42m.ai.evil.example/api/v1",
        "https://platform.i42m.ai@evil.example/api/v1",
        "https://evil.example/platform.i42m.ai",
        "local",
    ],
)
def test_any_other_origin_is_refused(origins: ApprovedOrigins, url: str) -> None:
    assert not origins.is_approved(AGENT, url)


def test_an_approval_is_for_one_agent_and_one_origin_until_revoked(origins: ApprovedOrigins) -> None:
    assert origins.approve(AGENT, "https://one.example/api") is True
    assert origins.approve(AGENT, "https://ONE.example:443/other") is False
    assert origins.approve(AGENT, "https://two.example") is True
    assert origins.approve(OTHER, "https://one.example") is True

    again = ApprovedOrigins(origins.path)
    assert again.is_approved(AGENT, "https://one.example/anything")
    assert again.is_approved(AGENT, "https://two.example")
    assert not again.is_approved(AGENT, "http://one.example")
    assert not again.is_approved(OTHER, "https://two.example")
    assert os.name == "nt" or origins.path.stat().st_mode & 0o777 == 0o600

    again.revoke(AGENT)
    assert not origins.is_approved(AGENT, "https://one.example")
    assert not origins.is_approved(AGENT, "https://two.example")
    assert origins.is_approved(OTHER, "https://one.example")
    origins.revoke(AGENT)


GOOD = {"schema": 1, "agents": {AGENT: ["https://one.example:443"]}}


@pytest.mark.parametrize(
    "damaged",
    [
        json.dumps(GOOD)[:-3],
        "",
        "[]",
        "null",
        '{"agents": ["https://one.example:443"]}',
        json.dumps({"agents": {AGENT: "https://one.example:443"}}),
        json.dumps({"agents": {AGENT: {"https://one.example:443": True}}}),
        json.dumps({"agents": {AGENT: [["https://one.example:443"], None]}}),
        json.dumps(GOOD) + " " * (1 << 20),
        "[" * 100_000,
        "\ud800",
    ],
    ids=lambda text: text[:24],
)
def test_a_damaged_file_approves_nothing_and_can_be_replaced(origins: ApprovedOrigins, damaged: str) -> None:
    origins.path.parent.mkdir()
    origins.path.write_text(json.dumps(GOOD))
    assert origins.is_approved(AGENT, "https://one.example")
    origins.path.write_bytes(damaged.encode("utf-8", "surrogatepass"))
    assert not origins.is_approved(AGENT, "https://one.example")
    assert origins.approve(AGENT, "https://one.example") is True
    assert origins.is_approved(AGENT, "https://one.example")


def test_a_link_approves_nothing(origins: ApprovedOrigins) -> None:
    origins.path.parent.mkdir()
    (origins.path.parent / "elsewhere").write_text(json.dumps(GOOD))
    try:
        origins.path.symlink_to("elsewhere")
    except OSError as error:
        pytest.skip(f"no links: {error}")  # Windows lets few users make them
    assert not origins.is_approved(AGENT, "https://one.example")


@pytest.fixture(params=[0o000, 0o022])
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
@pytest.mark.usefixtures("umask")
def test_created_files_and_directories_are_private(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    deep = ApprovedOrigins(tmp_path / "not" / "there" / "origins.json")
    deep.approve(AGENT, "https://one.example")
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.rglob("*")}
    files = {"origins.json": 0o600, "origins.json.lock": 0o600}
    assert modes == {"not": 0o700, "there": 0o700, **files}
    assert tmp_path.stat().st_mode & 0o777 == 0o755  # an existing directory keeps its mode


APPROVE_MANY = """
import sys
from pathlib import Path
from infinium_config import ApprovedOrigins
origins = ApprovedOrigins(Path(sys.argv[1]))
print(flush=True)
sys.stdin.read()
for number in range(25):
    origins.approve(sys.argv[2], f"https://{number}.example")
"""


def test_no_approval_of_two_processes_at_once_is_lost(origins: ApprovedOrigins) -> None:
    command = [sys.executable, "-c", APPROVE_MANY, str(origins.path)]
    agents = [f"agent-{number}" for number in range(3)]
    setups = [
        subprocess.Popen([*command, agent], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for agent in agents
    ]
    for setup in setups:
        assert setup.stdout is not None
        setup.stdout.readline()
    for setup in setups:  # all processes are ready
        assert setup.stdin is not None
        setup.stdin.close()
    for setup in setups:
        assert setup.wait() == 0
        assert setup.stdout is not None
        setup.stdout.close()
    refused = [
        (agent, n) for agent in agents for n in range(25) if not origins.is_approved(agent, f"https://{n}.example")
    ]
    assert refused == []


HOLD = """
import sys
from pathlib import Path
from infinium_config.locks import wait_for_lock
with wait_for_lock(sys.argv[1], 1.0):
    print(flush=True)
    sys.stdin.read()
"""


def test_waiting_for_a_process_that_never_finishes_times_out(origins: ApprovedOrigins) -> None:
    origins.approve(AGENT, "https://one.example")
    lock = origins.path.with_name("origins.json.lock")
    hurried = ApprovedOrigins(origins.path, wait=0.0)
    command = [sys.executable, "-c", HOLD, str(lock)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(InfiniumConfigError, match=r"Another process has held.*try again"):
            hurried.approve(OTHER, "https://one.example")
        assert hurried.is_approved(AGENT, "https://one.example")  # reading does not wait
        holder.kill()
    assert hurried.approve(OTHER, "https://one.example") is True  # the lock was released when its holder ended
