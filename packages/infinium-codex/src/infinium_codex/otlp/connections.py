"""Finds the connection for an OTLP address, and hands connections over to the scheduler in memory.

A connection may hold credentials, so it plays the part of an agent's secret: it is looked up when a request is sent,
and a server that refuses it parks the queue of that address until the connection changes.
"""

from binascii import crc32
from collections.abc import Mapping

import msgspec
from infinium_transport import Refusal

from infinium_codex.otlp.extra import MISSING_EXTRA, is_installed
from infinium_codex.otlp.sender import decode_connection, encode_connection
from infinium_codex.otlp.settings import OtlpSettingsError, read_connections
from infinium_codex.support.held_secrets import otlp_variable


def find_connection(environ: Mapping[str, str], url: str) -> str | Refusal:
    """Return the encoded connection for an address, or why there is none.

    `environ` configures it, or is the scheduler's and holds it.
    """
    if not is_installed():
        return Refusal(reason=MISSING_EXTRA.rstrip("."))
    held = environ.get(_held_as(url), "")
    if held:
        try:
            if decode_connection(held).url == url:
                return held
        except msgspec.DecodeError:
            pass
    try:
        connections = read_connections(environ)
    except OtlpSettingsError as error:
        return Refusal(reason=str(error).rstrip("."))
    for connection in connections:
        if connection.url == url:
            return encode_connection(connection)
    return Refusal(
        reason=f"this environment does not configure the OTLP endpoint {url}",
        hint="Run 'infinium-codex retry' in a shell with the OTLP variables. 'infinium-codex queue drop --base-url' "
        "deletes what is queued for an address.",
    )


def held_connections(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables in which the scheduler holds the connections of an environment."""
    try:
        return {_held_as(one.url): encode_connection(one) for one in read_connections(environ)}
    except OtlpSettingsError:
        return {}


def _held_as(url: str) -> str:
    return otlp_variable(f"{crc32(url.encode()):08x}")
