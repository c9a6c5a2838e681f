"""The format of a trace file: a JSON header line with a checksum over header and body, then the body. Pure."""

import re
from hashlib import sha256
from math import isfinite
from typing import Final

from msgspec import Struct, field
from msgspec.json import decode as decode_json

from infinium_transport._json import encode_json
from infinium_transport.errors import InvalidEnvelopeError
from infinium_transport.model import Envelope

_KEY = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_VERSION: Final = 1
_CHECKSUM: Final = b',"sha256":"'


class _Header(Struct, frozen=True, kw_only=True):
    """The first line without its checksum. Only `version` is required, so that other versions are recognized."""

    version: int
    key: str = ""
    agent_id: str = ""
    base_url: str = ""
    created: float = 0.0
    name: str = ""
    labels: dict[str, str] = field(default_factory=dict)


class DamagedError(ValueError):
    """The bytes are not a complete trace file."""


def is_key(text: str) -> bool:
    """Whether a text is a trace key: a UUID in lower case, and therefore a safe file name."""
    return _KEY.fullmatch(text) is not None


def check_key(text: str) -> str:
    """Return the key. Raises InvalidEnvelopeError for an invalid one, since the key becomes part of a path."""
    if not is_key(text):
        raise InvalidEnvelopeError(
            f"{text[:80]!r} is not a trace key: a key is a UUID in lower case, as str(uuid.uuid5(…)) returns it"
        )
    return text


def encode(envelope: Envelope) -> bytes:
    """Encode an envelope as the bytes of its file."""
    header = _Header(
        version=_VERSION,
        key=check_key(envelope.key),
        agent_id=envelope.agent_id,
        base_url=envelope.base_url,
        created=envelope.created if isfinite(envelope.created) else 0.0,
        name=envelope.name,
        labels=dict(envelope.labels),
    )
    text = encode_json(header)
    return b"".join((text[:-1], _CHECKSUM, _checksum(text, envelope.body), b'"}\n', envelope.body))


def decode(data: bytes, *, key: str) -> Envelope:
    """Decode the file of the trace with this key. Raises DamagedError unless the bytes are as `encode` wrote them."""
    line, newline, body = data.partition(b"\n")
    if not newline:
        raise DamagedError("the file ends inside its header" if line else "the file is empty")
    start, mark, checksum = line.rpartition(_CHECKSUM)
    text = start + b"}"
    if not mark:
        raise DamagedError("the header is not valid")
    if checksum != _checksum(text, body) + b'"}':
        raise DamagedError("the checksum does not match the content")
    try:
        header = decode_json(text, type=_Header)
    except (ValueError, RecursionError) as error:
        raise DamagedError("the header is not valid") from error
    if header.version != _VERSION:
        raise DamagedError(f"the file has format version {header.version}; this program reads version {_VERSION}")
    if header.key != key:
        raise DamagedError(f"the file contains the trace {header.key}, which does not match its name")
    return Envelope(
        key=key,
        agent_id=header.agent_id,
        base_url=header.base_url,
        body=body,
        created=header.created,
        name=header.name,
        labels=header.labels,
    )


def decode_header(start: bytes, *, key: str) -> Envelope | None:
    """Decode the header in the first bytes of a file, without the body and its checksum; None if it is not valid."""
    line, newline, _ = start.partition(b"\n")
    try:
        header = decode_json(line, type=_Header) if newline else None
    except (ValueError, RecursionError):
        return None
    if header is None or header.version != _VERSION or header.key != key:
        return None
    return Envelope(
        key=key,
        agent_id=header.agent_id,
        base_url=header.base_url,
        body=b"",
        created=header.created,
        name=header.name,
        labels=header.labels,
    )


def _checksum(header: bytes, body: bytes) -> bytes:
    digest = sha256(header)
    digest.update(b"\n")
    digest.update(body)
    return digest.hexdigest().encode()
