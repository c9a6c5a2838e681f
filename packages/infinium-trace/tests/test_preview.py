"""Previews have the readable beginning of a text and the number of missing characters."""

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from infinium_trace import clean, preview

MARK = re.compile(r"… \[\+([0-9,]+) characters\]\Z")
ROUGH = "a\u0301\u200d\ufe0f\u20e3\x1b[]P;\\m1\x07\x00\x9b\r\n\ud83d\ude00👩💻"
ANY_TEXT = st.text(st.characters()) | st.text(ROUGH, max_size=40)


def test_a_short_text_is_unchanged() -> None:
    assert preview("two\nlines", 9) == "two\nlines"


def test_a_long_text_ends_in_a_mark_that_counts_what_is_missing() -> None:
    assert preview("x" * 1_500, 300) == "x" * 300 + "… [+1,200 characters]"


def test_characters_are_counted_not_bytes() -> None:
    assert preview("€" * 10, 4) == "€€€€… [+6 characters]"


@pytest.mark.parametrize(
    ("whole", "why"),
    [
        ("e\u0301", "an accent"),
        ("👩\u200d💻", "a joined sign"),
        ("❤\ufe0f", "a variation selector"),
        ("1\ufe0f\u20e3", "an enclosing mark"),
        ("👩\u200d👩\u200d👧", "a family"),
        ("नि", "a vowel sign"),
    ],
)
def test_combined_characters_are_not_split(whole: str, why: str) -> None:
    text = "ab" + whole + "cd"
    for limit in range(2, 2 + len(whole)):
        assert preview(text, limit) == f"ab… [+{len(whole) + 2} characters]", why
    assert preview(text, 2 + len(whole)) == f"ab{whole}… [+2 characters]"


def test_a_character_outside_the_basic_plane_is_not_split() -> None:
    assert preview("😀😀😀", 2) == "😀😀… [+1 characters]"


def test_a_lone_surrogate_is_replaced() -> None:
    assert clean("a\ud83db\ude00") == "a\ufffdb\ufffd"


@pytest.mark.parametrize(
    ("raw", "plain"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[38;5;196;1mred\x1b[m", "red"),
        ("\x1b[2K\x1b[1Gdone", "done"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;https://example.org\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bPq#0;2;0;0;0\x1b\\picture", "picture"),
        ("\x1b(B\x1b[mtput sgr0", "tput sgr0"),
        ("\x1b7saved\x1b8", "saved"),
        ("\x1b=keypad\x1b>", "keypad"),
        ("\x1bcreset", "reset"),
        ("a\x1b", "a"),
        ("\x1b]0;never closed\nthe error", "\nthe error"),
        ("\x1bPnever closed\nthe error", "never closed\nthe error"),
    ],
)
def test_terminal_escapes_are_removed_and_the_text_stays(raw: str, plain: str) -> None:
    assert clean(raw) == plain


def test_binary_is_removed() -> None:
    assert clean("\x00\x01ELF\x02\x7f\x80\x9ftext\ttab\n") == "ELFtext\ttab\n"


def test_a_carriage_return_ends_a_line() -> None:
    assert clean("10%\r20%\r\ndone") == "10%\n20%\ndone"


def test_a_text_is_cleaned_before_it_is_truncated() -> None:
    assert preview("\x1b[31m" * 100 + "red", 3) == "red"


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_of_zero_leaves_the_mark(limit: int) -> None:
    assert preview("abc", limit) == "… [+3 characters]"


@given(ANY_TEXT, st.integers(-5, 60))
@example("\u0301" * 30, 10)
def test_a_preview_keeps_its_length_and_its_count_is_right(text: str, limit: int) -> None:
    shown, whole = preview(text, limit), clean(text)
    mark = MARK.search(shown)
    if len(whole) <= limit:
        assert shown == whole
    else:
        assert mark is not None
        kept = shown[: mark.start()]
        assert len(kept) <= max(limit, 0)
        assert whole.startswith(kept)
        assert int(mark[1].replace(",", "")) == len(whole) - len(kept)


@given(ANY_TEXT)
def test_clean_text_can_be_shown_and_stored_anywhere(text: str) -> None:
    cleaned = clean(text)
    assert not [char for char in cleaned if unicodedata.category(char) in ("Cc", "Cs") and char not in "\n\t"]
    assert clean(cleaned) == cleaned
    cleaned.encode()
