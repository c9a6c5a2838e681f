"""How one trace is written to a file: a JSON header line with a checksum over all of it, then the body. Pure."""

import hashlib
import json
import re
from typing import Final, TypedDict

from infinium_transport.errors import InvalidEnvelopeError
from infinium_transport.model import Envelope

_KEY = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_VERSION: Final = 1


class Header(TypedDict):
    """The first line, without its checksum."""

    version: int
    key: str
    agent_id: str
    base_url: str
    created: float
    name: str
    labels: dict[str, str]


class DamagedError(ValueError):
    """The bytes are not what was written."""


def is_key(text: str) -> bool:
    """Whether a text is a trace key: a UUID in its usual lower-case form, and so a safe file name."""
    return _KEY.fullmatch(text) is not None


def check_key(text: str) -> str:
    """Return the key, or raise InvalidEnvelopeError: it becomes part of a path."""
    if not is_key(text):
        raise InvalidEnvelopeError(
            f"{text[:80]!r} is no trace key: it must be a UUID in lower case, as str(uuid.uuid5(…)) gives it"
        )
    return text


def encode(envelope: Envelope) -> bytes:
    """The file's bytes."""
    header: Header = {
        "version": _VERSION,
        "key": check_key(envelope.key),
        "agent_id": envelope.agent_id,
        "base_url": envelope.base_url,
        "created": envelope.created,
        "name": envelope.name,
        "labels": dict(envelope.labels),
    }
    line = {**header, "sha256": _checksum(_text(header), envelope.body)}
    return _text(line) + b"\n" + envelope.body


def decode(data: bytes, *, key: str) -> Envelope:
    """Read what `encode` wrote for this key, byte for byte, or raise DamagedError."""
    line, newline, body = data.partition(b"\n")
    if not newline:
        raise DamagedError("the file ends inside its header" if line else "the file is empty")
    try:
        header = json.loads(line)
        checksum = header.pop("sha256")
        text = _text(header)
    except (ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise DamagedError("the header is not the JSON that was written") from error
    if checksum != _checksum(text, body):
        raise DamagedError("the checksum does not fit the content")
    if header.get("version") != _VERSION:
        raise DamagedError(f"written in version {header.get('version')} of the format; this program reads {_VERSION}")
    if header["key"] != key:
        raise DamagedError(f"the file holds the trace {header['key']}, its name says otherwise")
    del header["version"]
    return Envelope(body=body, **header)


def _text(header: object) -> bytes:
    return json.dumps(header, ensure_ascii=True, separators=(",", ":")).encode("ascii")


def _checksum(header: bytes, body: bytes) -> str:
    return hashlib.sha256(header + b"\n" + body).hexdigest()
