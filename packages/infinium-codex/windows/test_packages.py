"""Each package's own tests, inside the Windows of the tests."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tables import Tables
from wine_lab import ROOT, Lab

pytestmark = pytest.mark.codex

ONLY_POSIX = re.compile(
    r"^import (?:pwd|fcntl|resource|pty|termios)$|^from (?:machine|keeper|doctor_machine|fake_codex|terminals) import",
    re.MULTILINE,
)
"""What the connector's tests import that need a POSIX shell, a terminal or the users' database."""
SUITES = {
    "infinium-config": ["packages/infinium-config/tests"],
    "infinium-trace": ["packages/infinium-trace/tests"],
    "infinium-transport": ["packages/infinium-transport/tests"],
    "the three together": ["tests"],
}
SECONDS = 1800.0


@pytest.fixture(scope="session")
def checkout(lab: Lab) -> Path:
    """A copy of the checkout on the drive."""
    copy = lab.drive / "src"
    shutil.rmtree(copy, ignore_errors=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, copy / name)
    return copy


@pytest.mark.parametrize("suite", SUITES)
def test_a_library(lab: Lab, checkout: Path, tables: Tables, suite: str) -> None:
    run(lab, checkout, tables, suite, SUITES[suite])


def test_the_connector(lab: Lab, checkout: Path, tables: Tables) -> None:
    """Its tests that need no POSIX shell, with the hook's."""
    found = sorted((checkout / "packages" / "infinium-codex" / "tests").glob("test_*.py"))
    wanted = [path for path in found if not ONLY_POSIX.search(path.read_text("utf-8"))]
    assert "test_hook.py" in {path.name for path in wanted}
    names = [str(path.relative_to(checkout)) for path in wanted]
    run(lab, checkout, tables, f"infinium-codex, {len(wanted)} of {len(found)} files", names)


def run(lab: Lab, checkout: Path, tables: Tables, suite: str, paths: list[str]) -> None:
    """Run pytest for Windows; add its summary to the table."""
    command = ("python", "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider", *paths)
    done = lab.run(*command, cwd=checkout, seconds=SECONDS)
    printed = done.stdout.decode("utf-8", "replace").replace("\r\n", "\n")
    counts = re.search(r"^(?:(\d+) failed, )?(\d+) passed(?:, (\d+) skipped)?.* in ([\d.]+)s", printed, re.MULTILINE)
    assert counts, printed + done.stderr.decode(errors="replace")
    failed, passed, skipped, seconds = (counts[number] or "0" for number in range(1, 5))
    tables.add("tests on Windows", suite=suite, passed=passed, failed=failed, skipped=skipped, seconds=seconds)
    assert done.returncode == 0, printed
