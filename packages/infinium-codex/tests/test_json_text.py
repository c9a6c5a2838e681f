"""Edits of JSON text: the result means what was asked for, in any layout, and the rest keeps its bytes."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from infinium_codex.codex.json_text import append_item, remove_item

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(['"', "\\", "]}", ":,", "\n"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)
documents = st.fixed_dictionaries({"before": values, "list": st.lists(values, max_size=3), "after": values})
layouts = st.sampled_from([None, 1, 2, 4, "\t"])


@given(documents, values, layouts, st.booleans())
def test_an_appended_item_is_the_last_one_and_removing_it_restores_the_content(
    document: dict[str, Any], value: object, indent: int | str | None, crlf: bool
) -> None:
    text = json.dumps(document, indent=indent)
    text = text.replace("\n", "\r\n") if crlf else text
    appended = append_item(text, ("list",), value)
    assert appended is not None
    assert json.loads(appended) == {**document, "list": [*document["list"], value]}
    removed = remove_item(appended, ("list", len(document["list"])))
    assert removed is not None
    assert json.loads(removed) == document
    if document["list"]:
        assert removed == text


@given(documents, layouts, st.data())
def test_any_item_can_be_removed(document: dict[str, Any], indent: int | str | None, data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted(document)))
    removed = remove_item(json.dumps(document, indent=indent), (key,))
    assert removed is not None
    assert json.loads(removed) == {other: value for other, value in document.items() if other != key}


@pytest.mark.parametrize("path", [("missing",), ("list", 0), ("list", "x"), ("list", 5, "x")])
def test_a_place_that_does_not_exist_is_none(path: tuple[str | int, ...]) -> None:
    text = '{"list": []}'
    assert append_item(text, (*path, "deeper"), 1) is None
    assert remove_item(text, path) is None
