"""The key of a trace never changes and is unique."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from infinium_trace import trace_key

PARTS = st.tuples(st.text(), st.text(min_size=1) | st.none(), st.text(), st.sampled_from(["turn", "session"]))


@pytest.mark.parametrize(
    ("parts", "key"),
    [
        (("session-1", None, "turn-1", "turn"), "6348e4e7-6511-5913-8281-f7ae86b7280d"),
        (("session-1", None, "1", "session"), "b6a95ba3-427e-5365-aa31-c8cc878773ac"),
        (("session-1", "agent-7", "turn-1", "turn"), "88a7d133-6068-5f11-b96f-dcc2555d07ed"),
        (("sitzung-ä", None, "\ud83d", "turn"), "b0b9d1cc-7591-52fb-9902-ca58bf43d5b9"),
    ],
)
def test_keys_are_the_same_in_every_version(parts: tuple[str, str | None, str, str], key: str) -> None:
    """A changed key would send traces again: these values must never change."""
    assert trace_key(*parts) == key


@given(PARTS, PARTS)
def test_keys_are_equal_only_if_all_parts_are(
    first: tuple[str, str | None, str, str], second: tuple[str, str | None, str, str]
) -> None:
    assert (trace_key(*first) == trace_key(*second)) == (first == second)


def test_the_boundaries_of_parts_matter() -> None:
    assert trace_key("a", None, "bc", "turn") != trace_key("ab", None, "c", "turn")
    assert trace_key("a", "b", "c", "turn") != trace_key("a", None, "bc", "turn")
