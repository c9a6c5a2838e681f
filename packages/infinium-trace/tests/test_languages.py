"""Which languages a turn's files are in."""

from infinium_trace.languages import languages_of


def test_the_most_frequent_language_comes_first_and_equal_ones_by_name() -> None:
    assert languages_of(["b.rs", "a.py", "src/c.PY", "x.go"]) == ["Python", "Go", "Rust"]


def test_a_file_of_no_known_language_adds_none() -> None:
    assert languages_of(["README", "logo.png", ".py", "Makefile", ""]) == []
