"""Detecting the languages of a turn's files."""

from infinium_trace.languages import languages_of


def test_the_most_frequent_language_comes_first_and_equal_ones_by_name() -> None:
    assert languages_of(["b.rs", "a.py", "src/c.PY", "x.go"]) == ["Python", "Go", "Rust"]


def test_files_with_an_unknown_suffix_are_ignored() -> None:
    assert languages_of(["README", "logo.png", ".py", "Makefile", ""]) == []
