"""Speedscope's own importer reads the exported trace events: it is Speedscope, from npm, in Chromium."""

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import view_samples
from chromium import Chromium
from infinium_codex.view.model import StepKind
from infinium_codex.view.perfetto import trace_events
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

pytestmark = pytest.mark.browser
VERSION = "1.25.0"


@pytest.fixture(scope="session")
def speedscope() -> Path:
    """Speedscope's page, installed once per machine."""
    base = os.environ.get("INFINIUM_E2E_CACHE") or Path.home() / ".cache" / "infinium-codex-e2e"
    prefix = Path(base) / f"speedscope-{VERSION}"
    found = prefix / "node_modules" / "speedscope" / "dist" / "release" / "index.html"
    if not found.exists():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("npm is not installed, and Speedscope comes from npm")
        prefix.mkdir(parents=True, exist_ok=True)
        command = [npm, "install", "--no-audit", "--no-fund", "--prefix", str(prefix), f"speedscope@{VERSION}"]
        subprocess.run(command, capture_output=True, check=True)
    return found


def imported(chromium: Chromium, speedscope: Path, name: str, scratch: Path) -> dict[str, Any]:
    """Import a sample as `speedscope FILE` does, and return what Speedscope saves."""
    content = base64.b64encode(trace_events([view_samples.SAMPLES[name]()])).decode()
    script = scratch / "profile.js"
    script.write_text(f"speedscope.loadFileFromBase64('{name}.json', '{content}')", "utf-8")
    chromium.cdp("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(scratch))
    chromium.open(speedscope, hash=f"#localProfilePath={script}")
    chromium.wait(f"return document.title.startsWith('{name}.json')")
    ActionChains(chromium.driver).key_down(Keys.CONTROL).send_keys("s").key_up(Keys.CONTROL).perform()
    saved = scratch / f"{name}.speedscope.json"
    chromium.wait("return true")
    for _ in range(1_000):
        if saved.exists():
            break
        chromium.driver.execute_async_script("setTimeout(arguments[0], 20)")
    found: dict[str, Any] = json.loads(saved.read_text("utf-8"))
    return found


@pytest.mark.parametrize("name", ["real", "delegating"])
def test_speedscope_has_every_agent_and_every_call(
    chromium: Chromium, speedscope: Path, tmp_path: Path, name: str
) -> None:
    session = view_samples.SAMPLES[name]()
    found = imported(chromium, speedscope, name, tmp_path)
    profiles = "\n".join(profile["name"] for profile in found["profiles"])
    frames = [frame["name"] for frame in found["shared"]["frames"]]
    assert "Codex (tid" in profiles
    assert "Codex: model (tid" in profiles
    for turn in session.turns:
        assert any(frame.startswith(turn.summary.request[:40]) for frame in frames)
        for step in turn.walk():
            if step.kind is StepKind.SUBAGENT:
                assert f"{step.name}: {step.title}" in profiles
            if step.duration_ms is not None:
                assert any(f'"id":"{step.id}"' in frame for frame in frames), step.title
    for profile in found["profiles"]:
        depth = 0
        for event in profile["events"]:
            depth += 1 if event["type"] == "O" else -1
            assert depth >= 0
        assert depth == 0
