"""Says in one sentence why a request got no answer. The reason comes first, and no library's object names."""

import re
import socket
import ssl
from collections.abc import Iterator
from typing import Final

_CERTIFICATE: Final = (
    ("self-signed certificate in", "is signed by an authority that this machine does not trust"),
    ("self-signed", "is self-signed"),
    ("issuer", "is signed by an authority that this machine does not trust"),
    ("expired", "has expired"),
    ("not yet valid", "is not valid yet; check this machine's clock"),
    ("mismatch", "is for another name"),
)
"""Parts of OpenSSL's messages, and what they say about a certificate."""
_OBJECT: Final = re.compile(r"<[^<>]* at 0x[0-9a-fA-F]+>:?\s*")


def explain(error: BaseException, server: str, proxy: str = "") -> str:
    """Why a request to `server`, through `proxy` where it is not empty, failed. Both are host and port."""
    causes = list(_causes(error))
    peer = f"the proxy {proxy}" if proxy else server
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return _certificate(cause, server)
    for cause in causes:
        if isinstance(cause, ssl.SSLError):
            reason = (cause.reason or "unknown reason").lower().replace("_", " ")
            return f"no TLS connection with {peer}: {reason}"
        match cause:
            case socket.gaierror():
                return f"the name {peer.rpartition(':')[0] or peer} cannot be resolved"
            case ConnectionRefusedError():
                return f"connection refused by {peer}"
            case ConnectionError():
                return f"{peer} closed the connection before it answered"
            case TimeoutError():
                return f"{peer} did not accept a connection in time"
            case OSError(strerror=str(reason)) if reason:
                return f"connection to {peer} failed: {reason}"
    last = next((str(cause) for cause in reversed(causes) if str(cause)), type(error).__name__)
    return f"the request to {peer} failed: {_OBJECT.sub('', last)}"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exceptions that an exception was made of, the innermost first: libraries wrap the reason several times."""
    found: list[BaseException] = []
    pending: list[object] = [error]
    while pending:
        one = pending.pop(0)
        if isinstance(one, BaseException) and one not in found:
            found.append(one)
            pending += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
    return reversed(found)


def _certificate(error: ssl.SSLCertVerificationError, server: str) -> str:
    message = error.verify_message or str(error)
    says = (text for part, text in _CERTIFICATE if part in message.lower())
    return f"the certificate of {server} {next(says, f'is not valid: {message}')}"
