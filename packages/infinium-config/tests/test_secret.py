"""A secret is never shown by accident."""

import copy
import json
import logging
import pickle
import pprint
import traceback
from collections.abc import Callable

import msgspec
import pytest
from infinium_config import Secret, SecretFound, Source

TEXT = "sk-9f1c-do-not-show"
SECRET = Secret(TEXT)
FOUND = SecretFound(secret=SECRET, source=Source.KEYRING)


def test_reveal_returns_the_secret() -> None:
    assert SECRET.reveal() == TEXT


def logged(secret: Secret) -> str:
    record = logging.LogRecord("x", logging.INFO, "x", 1, "%s %r", (secret, secret), None)
    return logging.Formatter().format(record)


@pytest.mark.parametrize(
    "look",
    [
        repr,
        str,
        format,
        lambda s: f"{s} {s!r} {s!s} {s!a}",
        "{}".format,
        lambda s: "%s %r" % (s, s),  # noqa: UP031
        lambda s: repr([s, {s: s}, FOUND]),
        pprint.pformat,
        logged,
        lambda s: json.dumps(s, default=str),
        lambda s: repr(ValueError(s)) + str(ValueError(s)),
    ],
)
def test_its_text_does_not_contain_the_secret(look: Callable[[Secret], str]) -> None:
    shown = look(SECRET)
    assert TEXT not in shown
    assert "Secret(***)" in shown


@pytest.mark.parametrize(
    "take",
    [
        lambda: pickle.dumps(SECRET),
        lambda: pickle.dumps(FOUND),
        lambda: copy.copy(SECRET),
        lambda: copy.deepcopy(FOUND),
        lambda: msgspec.to_builtins(FOUND),
        lambda: msgspec.json.encode(FOUND),
        lambda: json.dumps(SECRET),
        lambda: vars(SECRET),
        lambda: f"{SECRET:>40}",
        lambda: iter(SECRET),  # type: ignore[call-overload]
    ],
)
def test_copying_and_encoding_fail_without_showing_the_secret(take: Callable[[], object]) -> None:
    with pytest.raises(TypeError) as caught:
        take()
    assert TEXT not in str(caught.value)


def test_a_traceback_with_local_variables_does_not_show_it() -> None:
    def fail(secret: Secret) -> None:
        raise RuntimeError(f"could not use {secret}")

    try:
        fail(SECRET)
    except RuntimeError as error:
        lines = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    assert "secret = Secret(***)" in lines
    assert TEXT not in lines


def test_secrets_are_compared_by_value() -> None:
    assert Secret("ä") == Secret("ä")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
