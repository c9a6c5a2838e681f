"""Reads the settings of the OTLP export from the environment: what is exported, whereto, and how it is sent."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote, urlsplit

from msgspec import Struct, field

from infinium_codex.otlp.variables import ENDPOINT_VARIABLE, is_configured

TRACES, METRICS = "traces", "metrics"
PROTOCOL: Final = "http/protobuf"
DEFAULT_TIMEOUT: Final = 10.0
_MILLISECONDS_FROM: Final = 1000.0
_STANDARD: Final = "OTEL_EXPORTER_OTLP"


class OtlpSettingsError(ValueError):
    """The settings of the OTLP export cannot be used. The message names the variable, its value and what to do."""


class OtlpSettings(Struct, frozen=True, kw_only=True):
    """What is exported, and to which addresses."""

    traces_url: str
    """Address that spans are posted to."""
    metrics_url: str | None = None
    """Address that metrics are posted to; None if they are not exported."""
    service_name: str | None = None
    resource: Mapping[str, str] = field(default_factory=dict)
    """Attributes of the resource, from OTEL_RESOURCE_ATTRIBUTES."""
    capture_content: bool = False
    """Whether spans contain prompts, answers, arguments and results, redacted."""


class OtlpConnection(Struct, frozen=True, kw_only=True):
    """How requests to one address are made. May hold credentials, so it is never written to a file."""

    url: str
    headers: str = ""
    """`name=value` pairs with commas between them, as in OTEL_EXPORTER_OTLP_HEADERS."""
    compression: str = ""
    """`gzip`, or empty."""
    timeout: float = DEFAULT_TIMEOUT
    """Seconds."""
    ca_file: str = ""
    client_certificate: str = ""
    client_key: str = ""


def read_settings(environ: Mapping[str, str]) -> OtlpSettings | None:
    """Read the settings of an environment; None if it configures no export. Raises OtlpSettingsError."""
    if not is_configured(environ) or environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return None
    traces_url = _url(environ, TRACES)
    if traces_url is None or _exporter(environ, TRACES, default="otlp") == "none":
        return None
    _check_protocol(environ)
    wants_metrics = _exporter(environ, METRICS, default="none") == "otlp" or _variable(environ, METRICS, "ENDPOINT")
    return OtlpSettings(
        traces_url=traces_url,
        metrics_url=_url(environ, METRICS) if wants_metrics else None,
        service_name=environ.get("OTEL_SERVICE_NAME", "").strip() or None,
        resource=parse_pairs(environ.get("OTEL_RESOURCE_ATTRIBUTES", "")),
        capture_content=environ.get("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "").strip().lower()
        in ("true", "1", "span_only", "span_and_event"),
    )


def read_connections(environ: Mapping[str, str]) -> list[OtlpConnection]:
    """Read how requests are made to the addresses that an environment configures. Raises OtlpSettingsError."""
    settings = read_settings(environ)
    if settings is None:
        return []
    found = [_connection(environ, TRACES, settings.traces_url)]
    if settings.metrics_url is not None:
        found.append(_connection(environ, METRICS, settings.metrics_url))
    return found


def parse_pairs(text: str) -> dict[str, str]:
    """Parse `name=value,name=value` with percent-encoded values. A part without a name is ignored."""
    parts = (part.partition("=") for part in text.split(","))
    return {unquote(name.strip()): unquote(value.strip()) for name, equals, value in parts if name.strip() and equals}


def _connection(environ: Mapping[str, str], signal: str, url: str) -> OtlpConnection:
    def value(name: str) -> str:
        return _variable(environ, signal, name) or environ.get(f"{_STANDARD}_{name}", "").strip()

    compression = value("COMPRESSION").lower()
    if compression not in ("", "none", "gzip"):
        raise OtlpSettingsError(f"{_STANDARD}_COMPRESSION={compression} is not supported. Use gzip or none.")
    return OtlpConnection(
        url=url,
        headers=value("HEADERS"),
        compression="gzip" if compression == "gzip" else "",
        timeout=_timeout(value("TIMEOUT")),
        ca_file=value("CERTIFICATE"),
        client_certificate=value("CLIENT_CERTIFICATE"),
        client_key=value("CLIENT_KEY"),
    )


def _url(environ: Mapping[str, str], signal: str) -> str | None:
    """The address for a signal: `CONNECTOR_OTLP_ENDPOINT`, else the signal's own variable, else the common one.

    The signal's own address is used as it is. The path of the signal is added to the two others.
    """
    base = environ.get(ENDPOINT_VARIABLE, "").strip()
    if not base:
        own = _variable(environ, signal, "ENDPOINT")
        if own:
            return _checked(own, f"{_STANDARD}_{signal.upper()}_ENDPOINT")
        base = environ.get(f"{_STANDARD}_ENDPOINT", "").strip()
    if not base:
        return None
    name = ENDPOINT_VARIABLE if environ.get(ENDPOINT_VARIABLE, "").strip() else f"{_STANDARD}_ENDPOINT"
    return f"{_checked(base, name).rstrip('/')}/v1/{signal}"


def _checked(url: str, variable: str) -> str:
    """Return the address. Its user, password and query are refused: addresses are written to files."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        plain = not (parts.username or parts.password or parts.query or parts.fragment)
    except ValueError:
        usable = plain = False
    if not usable or not plain or any(character.isspace() for character in url):
        shown = url if usable and plain else url.rpartition("@")[2].partition("?")[0]
        raise OtlpSettingsError(
            f"{variable}={shown} is not an address such as http://127.0.0.1:4318. Use http:// or https://, without "
            "user, password or query; credentials belong into OTEL_EXPORTER_OTLP_HEADERS."
        )
    return url


def _check_protocol(environ: Mapping[str, str]) -> None:
    """Refuse another protocol of the standard endpoint. `CONNECTOR_OTLP_ENDPOINT` always means OTLP over HTTP."""
    if environ.get(ENDPOINT_VARIABLE, "").strip():
        return
    for name in (f"{_STANDARD}_TRACES_PROTOCOL", f"{_STANDARD}_PROTOCOL"):
        value = environ.get(name, "").strip()
        if value:
            if value != PROTOCOL:
                raise OtlpSettingsError(
                    f"{name}={value} is not supported. Use {PROTOCOL}, or set {ENDPOINT_VARIABLE} to the address of a "
                    "receiver of OTLP over HTTP."
                )
            return


def _exporter(environ: Mapping[str, str], signal: str, *, default: str) -> str:
    return environ.get(f"OTEL_{signal.upper()}_EXPORTER", "").strip().lower() or default


def _variable(environ: Mapping[str, str], signal: str, name: str) -> str:
    return environ.get(f"{_STANDARD}_{signal.upper()}_{name}", "").strip()


def _timeout(text: str) -> float:
    """Return seconds. The specification has milliseconds, the Python SDK reads seconds: few wait 1,000 s or 0.9 s."""
    if not text:
        return DEFAULT_TIMEOUT
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e7:
        raise OtlpSettingsError(f"{_STANDARD}_TIMEOUT={text} is not a number of milliseconds greater than 0.")
    return value / 1000 if value >= _MILLISECONDS_FROM else value
