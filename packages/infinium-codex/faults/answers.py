"""Faulty answers of a server, its certificates, and a proxy."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from api import Answer, reply
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec


@dataclass(slots=True)
class Scripted:
    """An answer that talks on the connection itself."""

    talk: Callable[[socket.socket], None]
    accepts: bool = False
    """Whether the answer begins with a 2xx status."""

    def __call__(self, connection: socket.socket) -> None:
        self.talk(connection)


def never(connection: socket.socket) -> None:
    """Send nothing until the client closes the connection, at most 60 seconds."""
    connection.settimeout(60)
    connection.recv(1)


def drip(connection: socket.socket) -> None:
    """Send an answer of one byte per second."""
    for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}":
        connection.sendall(bytes([byte]))
        time.sleep(1)


def flood(connection: socket.socket) -> None:
    """Send a body of 1 GiB, until the client closes the connection."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
    for _ in range(1024):
        connection.sendall(bytes(1 << 20))


def say(text: bytes) -> Callable[[socket.socket], None]:
    """Send these bytes and close the connection."""
    return lambda connection: connection.sendall(text)


NOT_NOW: dict[str, Answer] = {
    "a server that never answers": Scripted(never),
    "a byte a second": Scripted(drip),
    "closed before the answer": Scripted(say(b"")),
    "closed in the middle of the head": Scripted(say(b"HTTP/1.1 200 OK\r\nContent-")),
    "an answer that is no HTTP": Scripted(say(b"\x00\xffgarbage\r\n\r\n" * 20)),
    "429 with Retry-After": reply(429, b"{}", "Retry-After: 1"),
    "429 without Retry-After": reply(429, b"{}"),
    "503 with a Retry-After in the past": reply(503, b"", "Retry-After: Thu, 01 Jan 1970 00:00:00 GMT"),
}
"""Answers after which the trace is queued and sent again."""

ACCEPTED: dict[str, Answer] = {
    "200 with garbage": Scripted(
        say(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n\x00\xff{[\xc3\x28]}"), accepts=True
    ),
    "200, closed in the middle of the body": Scripted(
        say(b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"traceId": "'), accepts=True
    ),
    "200 with 1 GiB of body": Scripted(flood, accepts=True),
}
"""Answers with a success status and a faulty rest: the trace must not be sent again."""


def certificate(directory: Path, *, expired: bool = False, authority: "Authority | None" = None) -> ssl.SSLContext:
    """Issue a certificate for 127.0.0.1 and infinium.invalid, by a new authority unless one is given."""
    authority = authority or Authority()
    key = ec.generate_private_key(ec.SECP256R1())
    until = datetime.now(UTC) + (timedelta(days=-1) if expired else timedelta(days=1))
    names = [x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName("infinium.invalid")]
    signed = (
        _builder("server", authority.name, key.public_key(), until)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(authority.key, hashes.SHA256())
    )
    path = directory / "server.pem"
    path.write_bytes(
        signed.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


class Authority:
    """A certificate authority that no client trusts by default."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "an authority for tests")])
        until = datetime.now(UTC) + timedelta(days=1)
        self.pem = (
            _builder("an authority for tests", self.name, self.key.public_key(), until)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self.key, hashes.SHA256())
            .public_bytes(serialization.Encoding.PEM)
        )


def _builder(name: str, issuer: x509.Name, key: ec.EllipticCurvePublicKey, until: datetime) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(until - timedelta(days=2))
        .not_valid_after(until)
    )


@contextmanager
def connect_proxy(port: int) -> Iterator[str]:
    """Run a proxy that connects every CONNECT to this port on loopback; yields its URL."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=tunnel, args=(client,), daemon=True).start()

    def tunnel(client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", port)) as server:
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += client.recv(1)
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=pump, args=(server, client), daemon=True)
            back.start()
            pump(client, server)
            back.join()

    def pump(source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(65_536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            return

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
