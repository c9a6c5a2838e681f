"""A turn's diff is split by file, whether git or an agent wrote it."""

import pytest
import view_samples
from hypothesis import given
from hypothesis import strategies as st
from infinium_codex.view.file_diffs import split_diff
from infinium_codex.view.insights import command_name, failing_commands, most_changed_files, slowest_steps

GIT = """diff --git a/kept.py b/kept.py
index 1f3c2aa..9be0d41 100644
--- a/kept.py
+++ b/kept.py
@@ -1,3 +1,3 @@ def f():
 same
--- a/looks like a head
+++ b/looks like a head
 same
diff --git a/gone.py b/gone.py
deleted file mode 100644
--- a/gone.py
+++ /dev/null
@@ -1 +0,0 @@
-x
\\ No newline at end of file
diff --git a/old.py b/new.py
similarity index 100%
rename from old.py
rename to new.py
"""
PATCH = """*** Begin Patch
*** Update File: a.py
@@ def f():
-x
+y
*** Add File: b.py
+++ counted
*** Update File: a.py
@@
+z
*** End Patch
"""


def lines(diff: str) -> dict[str, list[tuple[str, str]]]:
    return {one.path: [(line.sign, line.text) for line in one.lines if line.sign in "+-"] for one in split_diff(diff)}


def test_a_unified_diff_is_split_by_its_hunks_and_not_by_lines_that_look_like_heads() -> None:
    assert lines(GIT) == {
        "kept.py": [("-", "-- a/looks like a head"), ("+", "++ b/looks like a head")],
        "gone.py": [("-", "x")],
        "new.py": [],
    }


def test_patches_of_one_file_are_one_part() -> None:
    assert lines(PATCH) == {"a.py": [("-", "x"), ("+", "y"), ("+", "z")], "b.py": [("+", "++ counted")]}
    assert [(one.added, one.removed) for one in split_diff(PATCH)] == [(2, 1), (1, 0)]


@given(text=st.lists(st.sampled_from([*GIT.split("\n"), *PATCH.split("\n"), "@@ -9,9 +9,9 @@", "x"]), max_size=20))
def test_no_order_of_lines_fails(text: list[str]) -> None:
    split_diff("\n".join(text))


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("python -m pytest -q tests", "python -m pytest"),
        ("cd web && npm test -- --watch", "npm test"),
        ("CI=1 /usr/bin/git commit -m 'x y'", "git commit"),
        ("sudo env A=b make", "make"),
        ("echo 'open quote", "echo"),
        ("ls -la", "ls"),
    ],
)
def test_runs_of_one_command_have_one_name(command: str, name: str) -> None:
    story = view_samples.Story(1, "x", view_samples.START_MS).shell(command)
    [step] = view_samples.session_view([story.end("")]).turns[0].steps
    assert command_name(step) == name


def test_slow_failing_and_changed_are_ordered_over_all_turns() -> None:
    turns = view_samples.real().turns
    assert [one.step.title for one in slowest_steps(turns, 2)] == [
        "pip install python-dateutil pyperf",
        "python -m pytest",
    ]
    found = [(one.command, one.failures, one.runs) for one in failing_commands(turns, 9)]
    assert found == [("pip install", 1, 1), ("python -m pytest", 1, 3)]
    assert [one.path for one in most_changed_files(turns, 9)] == ["src/dates/parse.py", "tests/test_parse.py"]
