"""Every setting with every source, and invalid values."""

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from infinium_config import (
    DECLARED,
    DEFAULT_BASE_URL,
    Declared,
    Granularity,
    ProjectFileError,
    Settings,
    Source,
    find_project,
    granularity_flags,
    load,
    resolve,
)
from infinium_config.variables import session_ttl
from syrupy.assertion import SnapshotAssertion

AGENT = "6f0c6d4e-3b1a-4c55-9f0e-1f6f3c1f2a10"
DRIVE = "C:" if os.name == "nt" else ""
"""What an absolute path starts with."""
NOT_SHOWN = "sk-do-not-show"
OTHER_AGENT = "b7d1c9aa-0f5e-4a7b-8b1e-2a9d8e7c6b5a"


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A variable's text, its value, a value in the project file, and invalid texts of the variable."""

    text: str = ""
    value: object = None
    in_file: object = None
    invalid: tuple[str, ...] = ()


FLAG = ("maybe", "2", "tru e")
COUNT = ("many", "-1", "2.5", "1e3", "12345678901")
SECONDS = ("abc", "0", "-3", "nan", "inf", "10s")
TABLE = {
    "agent_id": Row(text=AGENT.upper(), value=AGENT.upper(), in_file=OTHER_AGENT, invalid=("my-agent", AGENT[:-1])),
    "base_url": Row(
        text=" https://one.example:8443/api/ ",
        value="https://one.example:8443/api",
        in_file="https://two.example",
        invalid=(
            "one.example",
            "ftp://one.example",
            "https://",
            "https://one.example:99999",
            "https://me:pw@one.example",
            "https://one.example?x=1",
            "https://one.example#x",
            "https://one example",
            "https://one\n.example",
        ),
    ),
    "paused": Row(in_file=True),
    "quiet": Row(text="TRUE", value=True, invalid=FLAG),
    "flush_on_stop": Row(text="0", value=False, in_file=False, invalid=FLAG),
    "flush_on_session_end": Row(text="off", value=False, in_file=False, invalid=FLAG),
    "session_ttl": Row(text="90.5", value=90.5, invalid=SECONDS),
    "wait_on_end": Row(text="0", value=0.0, invalid=("-1", "abc", "nan")),
    "session_dir": Row(
        text=f"{DRIVE}/some where/x", value=Path(f"{DRIVE}/some where/x"), invalid=("relative/x", "~root/x")
    ),
    "max_input_preview": Row(text="0", value=0, invalid=COUNT),
    "max_output_preview": Row(text="12", value=12, invalid=COUNT),
    "max_failure_preview": Row(text="15", value=15, invalid=COUNT),
    "max_input_summary": Row(text="13", value=13, invalid=COUNT),
    "max_output_summary": Row(text="14", value=14, invalid=COUNT),
    "reasoning": Row(text="no", value=False, invalid=FLAG),
    "timeout": Row(text="2.5", value=2.5, invalid=SECONDS),
    "max_retries": Row(text="7", value=7, invalid=COUNT),
    "verify_ssl": Row(text="no", value=False, invalid=FLAG),
    "redaction": Row(text="off", value="off", in_file="metadata-only", invalid=("none", "metadata only")),
    "redact_patterns": Row(
        text="ACME-\\d+\n\n x ", value=("ACME-\\d+", "x"), in_file=("y",), invalid=("(", "[", "(a{999}){999}")
    ),
    "redact_allow": Row(text="example.*", value=("example.*",), invalid=("*",)),
    "safe_directories": Row(
        text=f"{DRIVE}/a b{os.pathsep}*", value=(f"{DRIVE}/a b", "*"), invalid=("relative", f"{DRIVE}/a{os.pathsep}~/b")
    ),
}
WITH_VARIABLE = [d for d in DECLARED if d.variable]
NOT_VARIABLE = [("unset", None), ("empty", ""), ("blank", "  ")]


class Place:
    """A project directory in which settings are loaded as a connector loads them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.config = root / ".infinium" / "config.json"
        self.home = root / "home"

    def file(self, **keys: object) -> None:
        """Write the project file."""
        self.config.parent.mkdir(exist_ok=True)
        self.config.write_text(json.dumps(keys))

    def user_file(self, **keys: object) -> Path:
        """Write the user's own file and return its path."""
        path = self.home / ".infinium" / "config.json"
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(json.dumps(keys))
        return path

    def load(self, **environ: str) -> Settings:
        """Load the settings of this project."""
        return load(self.root, environ, home=self.home)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def found(settings: Settings, declared: Declared) -> tuple[object, Source, str]:
    setting = getattr(settings, declared.name)
    assert setting.name == declared.name
    return setting.value, setting.source, setting.origin


def text_of(declared: Declared) -> str:
    """The text of the setting's variable in these tests."""
    return TABLE[declared.name].text


def test_the_table_covers_every_setting() -> None:
    assert list(TABLE) == [d.name for d in DECLARED]
    assert [*TABLE, "problems", "project", "environment_secret"] == list(Settings.__struct_fields__)
    assert Settings() == resolve({}, None, None)
    assert {name for name, row in TABLE.items() if row.in_file is not None} == {d.name for d in DECLARED if d.in_file}
    assert all(row.value != d.default for d, row in zip(DECLARED, TABLE.values(), strict=True) if d.variable)


@pytest.mark.parametrize("declared", DECLARED, ids=lambda d: d.name)
@pytest.mark.parametrize("filed", [False, True], ids=["no file", "file"])
@pytest.mark.parametrize(("case", "text"), [*NOT_VARIABLE, ("set", "usable"), ("bad", "invalid")])
def test_precedence_of_variable_file_and_default(
    place: Place, declared: Declared, filed: bool, case: str, text: str | None
) -> None:
    row = TABLE[declared.name]
    if filed:
        place.file(**({declared.name: row.in_file} if declared.in_file else {}))
    below: tuple[object, Source, str] = (declared.default, Source.DEFAULT, "")
    if filed and declared.in_file:
        below = (row.in_file, Source.PROJECT_FILE, str(place.config))
    above: tuple[object, Source, str] = (row.value, Source.ENVIRONMENT, str(declared.variable))
    if filed and declared.name == "redact_patterns":  # can only add
        above = (("ACME-\\d+", "x", "y"), Source.ENVIRONMENT, f"{declared.variable}, {place.config}")

    if declared.variable is None:
        assert found(place.load(), declared) == below
        return
    for value in row.invalid if case == "bad" else [row.text if case == "set" else text]:
        settings = place.load(**({} if value is None else {declared.variable: value}))
        if case == "set":
            assert found(settings, declared) == above
        else:
            assert found(settings, declared) == below
        assert [(p.name, p.origin) for p in settings.problems] == (
            [(declared.name, declared.variable)] if case == "bad" else []
        )
        assert all(declared.variable in p.message for p in settings.problems)


@pytest.mark.parametrize("declared", [d for d in DECLARED if not d.in_file], ids=lambda d: d.name)
def test_a_project_file_cannot_set_the_users_own_settings(place: Place, declared: Declared) -> None:
    place.file(**{declared.name: TABLE[declared.name].text})
    assert found(place.load(), declared) == (declared.default, Source.DEFAULT, "")


@pytest.mark.parametrize(
    ("variable", "filed", "value", "source", "refused"),
    [
        (None, "off", "on", Source.DEFAULT, True),
        (None, "on", "on", Source.PROJECT_FILE, False),
        (None, "metadata-only", "metadata-only", Source.PROJECT_FILE, False),
        ("bad", "off", "on", Source.DEFAULT, True),
        ("metadata-only", "off", "metadata-only", Source.ENVIRONMENT, False),
        ("off", "metadata-only", "off", Source.ENVIRONMENT, False),
    ],
)
def test_a_project_file_cannot_turn_redaction_off(
    place: Place, variable: str | None, filed: str, value: str, source: Source, refused: bool
) -> None:
    place.file(redaction=filed)
    settings = place.load(**({"CONNECTOR_REDACTION": variable} if variable else {}))
    assert (settings.redaction.value, settings.redaction.source) == (value, source)
    assert any(problem.origin == str(place.config) for problem in settings.problems) is refused


@pytest.mark.parametrize(
    ("variable", "filed", "users", "value", "source"),
    [
        (None, None, "off", "off", Source.USER_FILE),
        (None, "on", "off", "on", Source.PROJECT_FILE),
        (None, "off", "metadata-only", "metadata-only", Source.USER_FILE),
        (None, "on", "metadata-only", "metadata-only", Source.USER_FILE),
        (None, "metadata-only", "on", "metadata-only", Source.PROJECT_FILE),
        ("off", "on", "metadata-only", "off", Source.ENVIRONMENT),
    ],
)
def test_the_tighter_redaction_of_project_and_user_applies(
    place: Place, variable: str | None, filed: str | None, users: str, value: str, source: Source
) -> None:
    place.user_file(redaction=users)
    place.file(**({"redaction": filed} if filed else {}))
    settings = place.load(**({"CONNECTOR_REDACTION": variable} if variable else {}))
    assert (settings.redaction.value, settings.redaction.source) == (value, source)


def test_patterns_of_all_sources_apply_and_only_the_user_can_allow_values(place: Place) -> None:
    place.file(redact_patterns=["project", "both"], redact_allow=[".*"])
    users = place.user_file(redact_patterns=["user", "both"], redact_allow=["example"])
    settings = place.load(CONNECTOR_REDACT_PATTERNS="variable")
    assert settings.redact_patterns.value == ("variable", "project", "both", "user")
    assert settings.redact_patterns.origin == f"CONNECTOR_REDACT_PATTERNS, {place.config}, {users}"
    assert (settings.redact_allow.value, settings.redact_allow.origin) == (("example",), str(users))
    assert place.load(CONNECTOR_REDACT_ALLOW="other").redact_allow.value == ("other",)


UNUSABLE = ("(", "(?P<n>a)(?P=m)", "a{2}{3}(?", "[[:nope:]]", "(?a)x(?L)y", "((a{1000}){1000}){1000}", "a" * 1001)


@pytest.mark.parametrize("pattern", UNUSABLE)
def test_an_unusable_pattern_is_ignored_with_a_word_and_the_others_apply(place: Place, pattern: str) -> None:
    """Wherever it comes from. One bad pattern neither stops tracing nor turns off the others."""
    place.file(redact_patterns=["project", pattern])
    users = place.user_file(redact_patterns=[pattern, "user"], redact_allow=[pattern])
    settings = place.load(CONNECTOR_REDACT_PATTERNS=f"variable\n{pattern}")
    assert settings.redact_patterns.value == ("variable", "project", "user")
    assert settings.redact_allow.value == ()
    assert [problem.origin for problem in settings.problems] == [
        "CONNECTOR_REDACT_PATTERNS",
        str(place.config),
        str(users),
        str(users),
    ]
    assert all("is ignored: it" in problem.message for problem in settings.problems)


@pytest.mark.parametrize("pattern", ["(?<!a*)b", r"\p{Lu}+", "(?|(a)|(b))", "a++"])
def test_a_pattern_of_the_engine_that_searches_is_used(place: Place, pattern: str) -> None:
    """The engine accepts more than Python's own."""
    settings = place.load(CONNECTOR_REDACT_PATTERNS=pattern)
    assert (settings.redact_patterns.value, settings.problems) == ((pattern,), ())


def test_of_many_patterns_the_first_hundred_apply(place: Place) -> None:
    place.file(redact_patterns=[f"a{number}" for number in range(101)])
    settings = place.load()
    assert len(settings.redact_patterns.value) == 100
    assert "a100" in settings.problems[0].message


def test_the_users_file_may_be_a_link_and_an_invalid_one_is_an_error(place: Place, tmp_path: Path) -> None:
    """Without its patterns, traces would contain what the patterns remove."""
    path = place.user_file(redact_patterns=["user"])
    target = path.rename(tmp_path / "dotfile.json")
    try:
        path.symlink_to(target)
    except OSError as error:
        pytest.skip(f"no links: {error}")  # Windows lets few users make them
    if not path.is_symlink():
        pytest.skip("Wine makes no links")
    assert place.load().redact_patterns.value == ("user",)
    target.write_text("{")
    with pytest.raises(ProjectFileError, match=r"dotfile\.json is not valid JSON"):
        place.load()


def test_a_directory_may_start_with_the_home_directory(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    home = Path(f"{DRIVE}/home/someone")
    monkeypatch.setenv("USERPROFILE" if os.name == "nt" else "HOME", str(home))
    assert place.load(CONNECTOR_SESSION_DIR="~/traces").session_dir.value == home / "traces"
    assert place.load(CONNECTOR_SESSION_DIR=f"~{os.sep}traces").session_dir.value == home / "traces"


@pytest.mark.parametrize("text", ["local", "LOCAL/", " Local "])
def test_the_word_local_is_a_base_url(place: Place, text: str) -> None:
    assert place.load(INFINIUM_BASE_URL=text).base_url.value == "local"


@pytest.mark.parametrize("text", ["", " ", "90.5", " 7 ", "abc", "0", "-1", "nan", "true", "ON"])
def test_a_variable_read_alone_has_the_value_it_has_among_the_settings(text: str) -> None:
    environ = {"CONNECTOR_SESSION_TTL": text}
    settings = resolve(environ, None, None)
    assert session_ttl(environ) == settings.session_ttl.value
    assert session_ttl({}) == 600.0


def test_granularity_of_the_two_flags(place: Place) -> None:
    for granularity in Granularity:
        turn, session = granularity_flags(granularity)
        place.file(flush_on_stop=turn, flush_on_session_end=session)
        assert place.load().granularity is granularity
    place.file(flush_on_stop=False, flush_on_session_end=False)
    assert place.load().granularity is None


def lines(settings: Settings, place: Place) -> str:
    """All settings as text, without the project's path."""
    shown = [f"{d.name}: {getattr(settings, d.name)}" for d in DECLARED]
    return plain("\n".join(shown), place)


def plain(text: str, place: Place) -> str:
    """The text with the project's path as a word, and with POSIX paths."""
    paths = re.compile(rf"({re.escape(str(place.root))}|{DRIVE}[\\/](?=some where|a b))([\w.\\/ ]*)")
    head = {str(place.root): "PROJECT"}
    return paths.sub(lambda found: head.get(found[1], "/") + found[2].replace("\\", "/"), text)


def test_settings_as_text(place: Place, snapshot: SnapshotAssertion) -> None:
    assert lines(place.load(), place) == snapshot(name="defaults")
    assert lines(place.load(**{str(d.variable): text_of(d) for d in WITH_VARIABLE}), place) == snapshot(
        name="variables"
    )
    place.file(**{name: row.in_file for name, row in TABLE.items() if row.in_file is not None})
    assert lines(place.load(), place) == snapshot(name="project file")


def test_problem_messages(place: Place, snapshot: SnapshotAssertion) -> None:
    place.file(redaction="off", agent_secret=NOT_SHOWN)
    environ = {str(d.variable): text for d in WITH_VARIABLE for text in TABLE[d.name].invalid[:1]}
    environ["INFINIUM_MAX_RETRIES"] = "9" * 100
    messages = plain("\n".join(p.message for p in place.load(**environ).problems), place)
    assert NOT_SHOWN not in messages
    assert messages == snapshot


def test_without_arguments_the_settings_of_the_working_directory_are_loaded(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.file(agent_id=AGENT)
    users = place.user_file(redact_patterns=["x"])
    monkeypatch.chdir(place.root)
    monkeypatch.setenv("HOME", str(place.home))
    monkeypatch.setenv("INFINIUM_MAX_RETRIES", "9")
    settings = load()
    assert settings.agent_id.value == AGENT
    assert settings.max_retries.value == 9
    assert settings.redact_patterns.origin == str(users)
    assert find_project() == settings.project


@pytest.mark.parametrize(
    ("keys", "destination"),
    [
        ({}, None),
        ({"agent_id": AGENT}, {"agent_id": AGENT, "base_url": DEFAULT_BASE_URL}),
        ({"agent_id": AGENT, "paused": True}, None),
        ({"base_url": "local"}, {"agent_id": "local", "base_url": "local"}),
        ({"base_url": "local", "agent_id": AGENT}, {"agent_id": AGENT, "base_url": "local"}),
        ({"base_url": "local", "paused": True}, None),
    ],
)
def test_the_destination_of_new_traces(place: Place, keys: dict[str, object], destination: object) -> None:
    place.file(**keys)
    assert place.load().destination() == destination


def test_trace_options_hold_the_environments_secret_and_settings_do_not_show_it(place: Place) -> None:
    settings = place.load(INFINIUM_AGENT_SECRET=f" {NOT_SHOWN}\n", CONNECTOR_MAX_INPUT_PREVIEW="7")
    options = settings.trace_options()
    assert options["secrets"] == (NOT_SHOWN,)
    assert (options["max_input_preview"], options["max_output_preview"], options["redaction"]) == (7, 300, "on")
    assert NOT_SHOWN not in repr(settings)
    assert place.load(INFINIUM_AGENT_SECRET="  ").trace_options()["secrets"] == ()


def test_a_limit_of_previews_alone_also_limits_the_longer_texts(place: Place) -> None:
    """A user who limits previews wants no other field to hold more of the same text."""
    options = place.load(CONNECTOR_MAX_INPUT_PREVIEW="7", CONNECTOR_MAX_OUTPUT_PREVIEW="9").trace_options()
    assert (options["max_input_summary"], options["max_failure_preview"]) == (7, 9)
    options = place.load(
        CONNECTOR_MAX_INPUT_PREVIEW="7", CONNECTOR_MAX_INPUT_SUMMARY="50", CONNECTOR_MAX_FAILURE_PREVIEW="60"
    ).trace_options()
    assert (options["max_input_summary"], options["max_failure_preview"]) == (50, 60)
    options = place.load(CONNECTOR_MAX_OUTPUT_PREVIEW="5000").trace_options()
    assert options["max_failure_preview"] == 1_200


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("INFINIUM_BASE_URL", "https://me:hunter2@api.example/v1"),
        ("INFINIUM_AGENT_ID", "hunter2hunter2hunter2hunter2hunter2"),
    ],
)
def test_a_misplaced_secret_is_not_repeated_in_messages(name: str, value: str) -> None:
    [problem] = resolve({name: value}, None, None).problems
    assert problem.message.startswith(name)
    assert "hunter2" not in problem.message
