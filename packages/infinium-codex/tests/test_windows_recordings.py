"""Sessions of Codex for Windows: back slashes, PowerShell and CRLF change nothing in a trace."""

import pytest
from recorded import Recording, recordings

RECORDED = recordings("windows")


def test_three_versions_are_recorded() -> None:
    assert [one.version for one in RECORDED] == ["0.142.5", "0.153.4", "0.169.0"]


@pytest.mark.parametrize("one", RECORDED, ids=str)
def test_a_command_is_shown_as_typed_with_its_exit_code_and_output(one: Recording) -> None:
    """Without powershell.exe around it, and with the line ends of text."""
    [trace] = one.payloads()
    failing, printing, _ = trace["steps"]
    assert failing["description"] == "python -c \"print('building'); raise SystemExit(3)\""
    assert (failing["error"]["error_code"], failing["output_preview"]) == ("3", "building\n")
    assert printing["description"] == "type src\\old.txt"
    assert printing["output_preview"] == "one\ntwo\nthree\n"
    assert "\r" not in str(trace["steps"])
    assert "powershell" not in str(trace).lower()


@pytest.mark.parametrize("one", RECORDED, ids=str)
def test_files_are_named_from_the_projects_directory_with_their_lines(one: Recording) -> None:
    """Also in a file with CRLF, of which one line was to change. Earlier versions of Codex gave all its lines an LF."""
    [trace] = one.payloads()
    files = {file["path"]: file for file in trace["steps"][2]["metadata"]["files"]}
    assert sorted(files) == ["notes.txt", "src/old.txt"]
    lines = [(file["kind"], file["lines_added"], file["lines_removed"]) for _, file in sorted(files.items())]
    changed = 1 if one.version == "0.169.0" else 3
    assert lines == [("added", 2, 0), ("modified", changed, changed)]
    assert sorted(trace["sections"]["development"]["files_modified"]) == sorted(files)
    tags = trace["environment"]["custom_tags"]
    assert (tags["cwd"], tags["sources"]) == ("C:\\Users\\dev\\mein Prüfstand", "hook, transcript")
