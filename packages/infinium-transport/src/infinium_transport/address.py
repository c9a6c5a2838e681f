"""Builds the address of a request and picks its proxy. Pure."""

import ipaddress
from collections.abc import Mapping
from urllib.parse import quote, urlsplit

from msgspec import Struct


class Endpoint(Struct, frozen=True, kw_only=True):
    """The address of a request."""

    url: str
    host: str
    port: int
    secure: bool


class BadAddress(Struct, frozen=True, kw_only=True):
    """Why nothing is sent to a base URL."""

    reason: str


def endpoint(
    base_url: str, agent_id: str, *, allow_http: bool, resource: tuple[str, ...] = ("trace",)
) -> Endpoint | BadAddress:
    """Build the address of an agent's resource, by default that to which its traces are posted.

    `resource` are the path's parts below the agent. Plain http is accepted for loopback only, unless `allow_http`.
    """
    url = f"{base_url.rstrip('/')}/agents/{'/'.join(quote(part, safe='') for part in (agent_id, *resource))}"
    return check_address(url, allow_http=allow_http)


def check_address(url: str, *, allow_http: bool) -> Endpoint | BadAddress:
    """Check the address of a request. Plain http is accepted for loopback only, unless `allow_http`."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        return BadAddress(reason=f"the base URL is invalid ({error})")
    if parts.scheme not in ("http", "https") or not host:
        return BadAddress(reason="the base URL must start with https:// and name a host")
    if any(character.isspace() or ord(character) < 32 for character in url):
        return BadAddress(reason="the base URL contains spaces or control characters")
    if "@" in parts.netloc:
        return BadAddress(reason="the base URL must not contain a user name or password")
    if parts.query or parts.fragment:
        return BadAddress(reason="the base URL must not contain a query or fragment")
    secure = parts.scheme == "https"
    if not secure and not allow_http and not is_loopback(host):
        return BadAddress(reason=f"plain http to {host} would expose the secret on the network; use https")
    return Endpoint(
        url=f"{parts.scheme}://{parts.netloc}{parts.path}",
        host=host,
        port=port or (443 if secure else 80),
        secure=secure,
    )


def is_loopback(host: str) -> bool:
    """Whether a host name or address literal means this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def proxy_for(target: Endpoint, environ: Mapping[str, str]) -> str | None:
    """The proxy that the environment sets for a target, or None.

    Lower case wins over upper case, `HTTP_PROXY` in upper case is not read where a web server could have set it
    from a request (CGI), and loopback never goes through a proxy: the request would leave the machine.
    """
    if is_loopback(target.host) or _excepted(target, _variable("no_proxy", environ)):
        return None
    name = "https_proxy" if target.secure else "http_proxy"
    if name == "http_proxy" and "REQUEST_METHOD" in environ:
        return environ.get(name) or None
    return _variable(name, environ) or _variable("all_proxy", environ) or None


def _variable(name: str, environ: Mapping[str, str]) -> str:
    return (environ.get(name) or environ.get(name.upper()) or "").strip()


def _excepted(target: Endpoint, no_proxy: str) -> bool:
    return any(_covers(item.strip().lower(), target) for item in no_proxy.split(",") if item.strip())


def _covers(item: str, target: Endpoint) -> bool:
    if item == "*":
        return True
    if "/" in item:
        try:
            return ipaddress.ip_address(target.host) in ipaddress.ip_network(item, strict=False)
        except ValueError:
            return False
    host, colon, port = item.rpartition(":")
    if colon and port.isdigit() and ":" not in host:
        if int(port) != target.port:
            return False
        item = host
    item = item.strip("[]").removeprefix("*").lstrip(".")
    return target.host == item or target.host.endswith(f".{item}")
