"""Certificates are checked against the trust store of the operating system alone."""

from collections.abc import Callable
from pathlib import Path

import pytest
from answers import Authority, certificate
from api import reply, serve
from broken_mounts import namespace
from lab import Lab, Row

Tell = Callable[[Row], None]
pytestmark = pytest.mark.faults
BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")
"""The trust stores of Debian and Fedora."""


def test_the_systems_trust_decides(lab: Lab, tmp_path: Path, tell: Tell) -> None:
    """A certificate of an authority in the trust store is accepted, unless it has expired."""
    bundle = next((path for path in map(Path, BUNDLES) if path.exists()), None)
    if bundle is None:
        pytest.skip("no bundle of the system's authorities where it is looked for")
    authority = Authority()
    ours = tmp_path / "bundle"
    ours.write_bytes(bundle.read_bytes() + authority.pem)
    expired = certificate(tmp_path, expired=True, authority=authority)
    good = certificate(tmp_path, authority=authority)
    with namespace(lab) as inside:
        inside.run('mount --bind "$1" "$2"', ours, bundle.resolve())
        with serve([reply(200)], tls=expired) as api:
            lab.send_to(f"https://127.0.0.1:{api.port}/v1")
            lab.turn("s-1", "t-1")
            lab.wait_until_idle()
            assert api.requests == []
            assert any("expired" in message for message in lab.errors())
        with serve([reply(200)], tls=good, port=api.port) as lab.api:
            tell(lab.account("expired, of an authority the system trusts", 1))
