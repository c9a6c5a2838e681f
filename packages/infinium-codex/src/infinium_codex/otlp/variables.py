"""The environment variables that configure the OTLP export. Imports nothing: every worker reads them."""

TYPE_CHECKING = False  # importing typing or collections costs more than this module
if TYPE_CHECKING:
    from collections.abc import Mapping

OTLP_AGENT = "otlp"
"""Stands for the agent id of a recipient that is an OTLP engine. Agent ids are UUIDs."""
ENDPOINT_VARIABLE = "CONNECTOR_OTLP_ENDPOINT"
SIGNAL_LABEL = "signal"
"""Label of a queued request: `traces` or `metrics`."""
_SHORTEST_SECRET = 8
OFF = "off"
"""Value of `CONNECTOR_OTLP_ENDPOINT` that turns the export off, whatever the standard variables say."""
ENDPOINT_VARIABLES = (
    ENDPOINT_VARIABLE,
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
)
"""Without one of them nothing is exported."""
SAVED_VARIABLES = (
    *ENDPOINT_VARIABLES,
    "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
    "OTEL_EXPORTER_OTLP_PROTOCOL",
    "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
    "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT",
    "OTEL_METRICS_EXPORTER",
    "OTEL_RESOURCE_ATTRIBUTES",
    "OTEL_SDK_DISABLED",
    "OTEL_SERVICE_NAME",
    "OTEL_TRACES_EXPORTER",
)
"""The variables that decide what is queued for an engine. They hold no credentials, and a session's schedule entry
keeps them. Headers, certificates and keys are in no file; the scheduler holds them in memory."""


def is_configured(environ: "Mapping[str, str]") -> bool:
    """Whether an environment names an OTLP endpoint and does not turn the export off."""
    if environ.get(ENDPOINT_VARIABLE, "").strip().lower() == OFF:
        return False
    return any(environ.get(name, "").strip() for name in ENDPOINT_VARIABLES)


def header_secrets(environ: "Mapping[str, str]") -> tuple[str, ...]:
    """The values of OTLP headers that no span or trace may contain: those long enough to be a credential."""
    texts = (environ.get(f"OTEL_EXPORTER_OTLP_{signal}HEADERS", "") for signal in ("", "TRACES_", "METRICS_"))
    values = [pair.partition("=")[2].strip() for text in texts for pair in text.split(",")]
    words = [word for value in values for word in (value, value.replace("%20", " ").rpartition(" ")[2])]
    return tuple(dict.fromkeys(word for word in words if len(word) >= _SHORTEST_SECRET))
