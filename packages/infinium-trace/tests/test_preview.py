"""Previews have the readable ends of a text and the number of missing characters, and keep their limit."""

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from infinium_trace import clean, preview

MARK = re.compile(r"… \[\+([0-9,]+) characters\](?: …)?")
ROUGH = "a\u0301\u200d\ufe0f\u20e3\x1b[]P;\\m1\x07\x00\x9b\r\n\ud83d\ude00👩💻"
ANY_TEXT = st.text(st.characters()) | st.text(ROUGH, max_size=40)


def test_a_short_text_is_unchanged() -> None:
    assert preview("two\nlines", 9) == "two\nlines"


def test_a_long_text_ends_in_a_mark_that_counts_what_is_missing() -> None:
    assert preview("x" * 1_500, 300) == "x" * 279 + "… [+1,221 characters]"


def test_head_and_tail_are_kept() -> None:
    shown = preview("head" + "x" * 1_500 + "tail", 100, tail=0.5)
    assert (shown[:5], shown[-5:], len(shown)) == ("headx", "xtail", 100)
    assert "… [+1,431 characters] …" in shown


def test_more_of_the_tail_is_kept_if_wanted() -> None:
    shown = preview("h" * 500 + "t" * 500, 124, tail=0.75)
    head, _, tail = shown.partition("… [")
    assert (len(head), tail.count("t") - 1) == (26, 75)


def test_characters_are_counted_not_bytes() -> None:
    assert preview("€" * 100, 40) == "€" * 21 + "… [+79 characters]"


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
    text = "x" * 20 + whole + "cd" + "y" * 200 + "cd" + whole + "z" * 20
    for limit in range(60, 80):
        shown = preview(text, limit, tail=0.5)
        mark = MARK.search(shown)
        assert mark is not None
        head, tail = shown[: mark.start()], shown[mark.end() :]
        assert head in (text[:20], *(text[: 20 + len(whole) + n] for n in range(30))) or len(head) < 20, why
        assert tail in (text[-20:], *(text[-20 - len(whole) - n :] for n in range(30))) or len(tail) < 20, why


def test_a_character_outside_the_basic_plane_is_not_split() -> None:
    assert preview("😀" * 3, 2) == "😀…"


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
def test_a_limit_of_zero_leaves_nothing(limit: int) -> None:
    assert preview("abc", limit) == ""


@given(ANY_TEXT.map(lambda text: text * 5), st.integers(-5, 120), st.sampled_from([0.0, 0.3, 0.5, 1.0]))
@example("\u0301" * 30, 10, 0.5)
@example("\u0301" * 90, 60, 1.0)
def test_a_preview_is_never_longer_than_its_limit_and_its_count_is_right(text: str, limit: int, tail: float) -> None:
    shown, whole = preview(text, limit, tail=tail), clean(text)
    if len(whole) <= limit:
        assert shown == whole
        return
    assert len(shown) <= max(limit, 0)
    marks = [mark for mark in MARK.finditer(shown) if mark[0] not in whole]
    if not marks:
        assert whole.startswith(shown.removesuffix("…"))
        return
    [mark] = marks
    head, rest = shown[: mark.start()], shown[mark.end() :]
    assert whole.startswith(head)
    assert whole.endswith(rest)
    assert int(mark[1].replace(",", "")) == len(whole) - len(head) - len(rest)


@given(ANY_TEXT)
def test_clean_text_can_be_shown_and_stored_anywhere(text: str) -> None:
    cleaned = clean(text)
    assert not [char for char in cleaned if unicodedata.category(char) in ("Cc", "Cs") and char not in "\n\t"]
    assert clean(cleaned) == cleaned
    cleaned.encode()
