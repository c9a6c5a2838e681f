"""Patterns that are compiled at their first use."""

import re

import pytest
from infinium_trace.lazy_pattern import lazy_pattern


def test_a_pattern_is_used_as_a_compiled_one() -> None:
    pattern = lazy_pattern(r"(\w)=(\d+)", re.ASCII)
    for _ in range(2):
        assert [match[2] for match in pattern.finditer("a=1 b=23")] == ["1", "23"]
        assert pattern.sub("x", "a=1") == "x"
        assert (pattern.groups, pattern.flags) == (2, re.ASCII)


def test_nothing_is_compiled_before_the_first_use() -> None:
    invalid = lazy_pattern("(")
    with pytest.raises(re.error):
        invalid.match("")
