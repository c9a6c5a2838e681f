"""Checks of the chain from managed hooks to an OTLP engine, for `doctor --fleet`."""

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit
from uuid import uuid4

from infinium_transport import (
    Accepted,
    Envelope,
    InfiniumTransportError,
    Outbox,
    Outcome,
    Refusal,
    Rejected,
    Retry,
    Unauthorized,
)

from infinium_codex.console.formatting import plural
from infinium_codex.delivery.send import USER_AGENT
from infinium_codex.delivery.stores import open_outbox
from infinium_codex.doctor.checks import Check, ok, problem, see, unknown, warning
from infinium_codex.doctor.context import CheckContext
from infinium_codex.otlp.settings import OtlpSettings, OtlpSettingsError, read_connections, read_settings
from infinium_codex.otlp.variables import ENDPOINT_VARIABLE, OTLP_AGENT

REQUIREMENTS = "/etc/codex/requirements.toml"
_SETTINGS, _LIBRARIES, _ENGINE = "otlp settings", "otlp libraries", "otlp engine"
_EMPTY_REFUSED = frozenset({400, 422})
"""Statuses of engines that read the empty test request and want at least one span in it."""


def managed_hooks(context: CheckContext) -> Check:
    """Check that the hooks come from the machine's requirements.toml, and not from each project."""
    name = "managed hooks"
    if context.codex is None or not context.answer.answered:
        return unknown(name, "Codex did not list its hooks.")
    if context.managed is None:
        fix = f"Install the output of 'infinium-codex managed-config' as {REQUIREMENTS}."
        return warning(name, "The hooks are not managed: each project has to be set up and trusted.", fix)
    return ok(name, f"Codex runs them from {context.hook_places.data}, in every project and without trust.")


def otlp_settings(context: CheckContext) -> Check:
    """Check that an OTLP endpoint is configured and its variables are valid."""
    try:
        found = read_settings(context.environ)
        connections = read_connections(context.environ)
    except OtlpSettingsError as error:
        return problem(_SETTINGS, str(error), "Correct the variable.")
    if found is None:
        evidence = "No OTLP endpoint is configured in this shell: turns go to Infinium alone."
        return warning(_SETTINGS, evidence, f"Set {ENDPOINT_VARIABLE}, or pass --otlp-endpoint to managed-config.")
    evidence = _described(found)
    exposed = [one.url for one in connections if one.headers and _is_plain(one.url)]
    if exposed:
        return warning(_SETTINGS, f"{evidence} Plain http exposes the headers on the network.", "Use https.")
    return ok(_SETTINGS, evidence)


def otlp_libraries(context: CheckContext) -> Check:
    """Check that the worker can import the libraries of the extra `otlp`."""
    if context.worker.error:
        return see(_LIBRARIES, "worker")
    if not context.worker.has_otlp:
        fix = "Install infinium-codex-connector[otlp] there."
        return problem(_LIBRARIES, f"The OpenTelemetry libraries are missing in {context.worker.python}.", fix)
    return ok(_LIBRARIES, f"Installed in {context.worker.python}.")


def otlp_engine(context: CheckContext) -> Check:
    """Send a request without spans to the endpoint."""
    settings = _settings(context)
    if settings is None:
        return see(_ENGINE, _SETTINGS)
    outcome = _send_empty_request(settings.traces_url, context.environ)
    url = settings.traces_url
    match outcome:
        case Accepted():
            return ok(_ENGINE, f"{url} accepts requests.")
        case Rejected(status=status) if status in _EMPTY_REFUSED:
            return ok(_ENGINE, f"{url} answers, and refuses the test request because it has no spans (HTTP {status}).")
        case Retry(reason=reason):
            return warning(_ENGINE, f"{url}: {reason}. Turns stay queued until it answers.", "Start it.")
        case Unauthorized(message=message):
            fix = "Correct OTEL_EXPORTER_OTLP_HEADERS, then run 'infinium-codex retry'."
            return problem(_ENGINE, f"{url} refuses the credentials: {message or 'no reason given'}.", fix)
        case Rejected(status=status, message=message):
            return problem(_ENGINE, f"{url} answers HTTP {status}: {message}.", "Correct the endpoint.")
        case Refusal(reason=reason):
            return problem(_ENGINE, f"{reason}.", "Install infinium-codex-connector[otlp].")


def otlp_queue(context: CheckContext) -> Check:
    """Check whether requests for engines wait, or were rejected."""
    name = "otlp queue"
    outbox = open_outbox(context.places)
    try:
        queued = _count(outbox, dead=False)
        dead = _count(outbox, dead=True)
        parked = [note for note in outbox.parked() if note.agent_id == OTLP_AGENT]
    except (InfiniumTransportError, OSError) as error:
        return unknown(name, str(error))
    counts = f"{plural(queued, 'queued request')}, {plural(dead, 'dead letter')}"
    if parked and queued:
        reasons = "; ".join(note.reason.rstrip(".") for note in parked)
        return problem(name, f"{counts}. Not sent: {reasons}.", "Correct the cause, then run 'infinium-codex retry'.")
    if dead:
        fix = "'infinium-codex errors' shows the reason; 'infinium-codex retry --dead' retries them."
        return warning(name, f"{counts}.", fix)
    return ok(name, f"{counts}.")


FLEET_CHECKS: tuple[Callable[[CheckContext], Check], ...] = (
    managed_hooks,
    otlp_settings,
    otlp_libraries,
    otlp_engine,
    otlp_queue,
)


def _settings(context: CheckContext) -> OtlpSettings | None:
    try:
        return read_settings(context.environ)
    except OtlpSettingsError:
        return None


def _described(settings: OtlpSettings) -> str:
    parts = [f"Spans go to {settings.traces_url}"]
    parts.append(f"metrics to {settings.metrics_url}" if settings.metrics_url else "no metrics are sent")
    parts.append("with contents, redacted" if settings.capture_content else "without contents")
    return f"{', '.join(parts)}."


def _is_plain(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1")


def _send_empty_request(url: str, environ: Mapping[str, str]) -> Outcome | Refusal:
    from infinium_codex.otlp.connections import find_connection
    from infinium_codex.otlp.sender import OtlpSender

    connection = find_connection(environ, url)
    if isinstance(connection, Refusal):
        return connection
    envelope = Envelope(key=str(uuid4()), agent_id=OTLP_AGENT, base_url=url, body=b"", created=0.0, name="test")
    sender = OtlpSender(USER_AGENT)
    try:
        return sender.send(envelope, connection)
    finally:
        sender.close()


def _count(outbox: Outbox, *, dead: bool) -> int:
    stored = outbox.dead_letters() if dead else list(outbox.pending())
    headers = (outbox.read_header(one) for one in stored)
    return sum(header is not None and header.agent_id == OTLP_AGENT for header in headers)
