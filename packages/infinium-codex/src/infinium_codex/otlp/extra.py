"""The extra `otlp`: the OpenTelemetry libraries, which are not installed with the connector itself."""

MISSING_EXTRA = (
    "An OTLP endpoint is configured, but the OpenTelemetry libraries are not installed. Install the connector with its "
    "extra: infinium-codex-connector[otlp]."
)


class MissingExtraError(RuntimeError):
    """The libraries of the extra are not installed. The message says what to install."""

    def __init__(self) -> None:
        super().__init__(MISSING_EXTRA)


def is_installed() -> bool:
    """Whether the libraries of the extra can be imported."""
    try:
        from google.rpc import status_pb2  # noqa: F401
        from opentelemetry.proto.collector.trace.v1 import trace_service_pb2  # noqa: F401
        from opentelemetry.sdk import trace  # noqa: F401
    except ImportError:
        return False
    return True
