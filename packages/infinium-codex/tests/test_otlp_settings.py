"""The environment variables of the OTLP export."""

import pytest
from infinium_codex.background.schedule import SAVED_VARIABLES
from infinium_codex.otlp import variables
from infinium_codex.otlp.connections import find_connection, held_connections
from infinium_codex.otlp.sender import decode_connection
from infinium_codex.otlp.settings import (
    OtlpConnection,
    OtlpSettings,
    OtlpSettingsError,
    read_connections,
    read_settings,
)
from infinium_codex.otlp.variables import header_secrets, is_configured
from infinium_config import DECLARED
from infinium_transport import Refusal

OWN = {"CONNECTOR_OTLP_ENDPOINT": "http://127.0.0.1:4318"}
STANDARD = {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://collector.example:4318/prefix/"}


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        (OWN, "http://127.0.0.1:4318/v1/traces"),
        (STANDARD, "https://collector.example:4318/prefix/v1/traces"),
        ({**STANDARD, **OWN}, "http://127.0.0.1:4318/v1/traces"),
        (
            {**STANDARD, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://a.example/otlp/spans"},
            "https://a.example/otlp/spans",
        ),
    ],
)
def test_the_address_of_spans(environ: dict[str, str], url: str) -> None:
    settings = read_settings(environ)
    assert settings is not None
    assert settings == OtlpSettings(traces_url=url)


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://127.0.0.1:4318"},
        {**STANDARD, "CONNECTOR_OTLP_ENDPOINT": "off"},
        {**OWN, "OTEL_SDK_DISABLED": "true"},
        {**OWN, "OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_what_exports_nothing(environ: dict[str, str]) -> None:
    assert read_settings(environ) is None


@pytest.mark.parametrize(
    ("environ", "url"),
    [
        ({"OTEL_METRICS_EXPORTER": "otlp"}, "http://127.0.0.1:4318/v1/metrics"),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://b.example/m"}, "http://127.0.0.1:4318/v1/metrics"),
        ({"OTEL_METRICS_EXPORTER": "none"}, None),
        ({}, None),
    ],
)
def test_metrics_are_exported_where_they_are_asked_for(environ: dict[str, str], url: str | None) -> None:
    settings = read_settings({**OWN, **environ})
    assert settings is not None
    assert settings.metrics_url == url


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"CONNECTOR_OTLP_ENDPOINT": "collector:4318"}, "CONNECTOR_OTLP_ENDPOINT=collector:4318 is not an address"),
        ({"CONNECTOR_OTLP_ENDPOINT": "https://user:pass-word@a.example"}, "credentials belong into"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "https://a.example?key=pass-word"}, "credentials belong into"),
        ({**STANDARD, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "OTEL_EXPORTER_OTLP_PROTOCOL=grpc is not supported"),
        ({**OWN, "OTEL_EXPORTER_OTLP_TIMEOUT": "soon"}, "OTEL_EXPORTER_OTLP_TIMEOUT=soon is not a number"),
        ({**OWN, "OTEL_EXPORTER_OTLP_COMPRESSION": "zip"}, "Use gzip or none"),
    ],
)
def test_values_that_cannot_be_used(environ: dict[str, str], words: str) -> None:
    with pytest.raises(OtlpSettingsError) as raised:
        read_connections(environ)
    assert words in str(raised.value)
    assert "pass-word" not in str(raised.value)


def test_the_protocol_of_other_programs_does_not_concern_the_own_endpoint() -> None:
    assert read_settings({**OWN, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}) is not None


def test_contents_resource_and_service_name() -> None:
    environ = {
        **OWN,
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "true",
        "OTEL_RESOURCE_ATTRIBUTES": "team=blue%20sky, host.name = h1 ,broken",
        "OTEL_SERVICE_NAME": "agents",
    }
    settings = read_settings(environ)
    assert settings is not None
    assert settings.capture_content
    assert settings.resource == {"team": "blue sky", "host.name": "h1"}
    assert settings.service_name == "agents"


def test_how_requests_are_made() -> None:
    environ = {
        **OWN,
        "OTEL_EXPORTER_OTLP_HEADERS": "x-key=a",
        "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "x-key=b",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
        "OTEL_EXPORTER_OTLP_CERTIFICATE": "/ca.pem",
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": "/c.pem",
        "OTEL_EXPORTER_OTLP_CLIENT_KEY": "/c.key",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "2500",
        "OTEL_METRICS_EXPORTER": "otlp",
    }
    files = {"ca_file": "/ca.pem", "client_certificate": "/c.pem", "client_key": "/c.key"}
    base = "http://127.0.0.1:4318/v1"
    assert read_connections(environ) == [
        OtlpConnection(url=f"{base}/traces", headers="x-key=b", compression="gzip", timeout=2.5, **files),
        OtlpConnection(url=f"{base}/metrics", headers="x-key=a", compression="gzip", timeout=2.5, **files),
    ]


def test_a_timeout_below_1000_is_seconds_as_in_the_python_sdk() -> None:
    [connection] = read_connections({**OWN, "OTEL_EXPORTER_OTLP_TIMEOUT": "7"})
    assert connection.timeout == 7.0


def test_a_connection_is_found_in_its_own_environment_and_where_it_is_held() -> None:
    environ = {**OWN, "OTEL_EXPORTER_OTLP_HEADERS": "x-key=sesame"}
    url = "http://127.0.0.1:4318/v1/traces"
    held = held_connections(environ)
    for place in (environ, held, {**STANDARD, **held}):
        found = find_connection(place, url)
        assert isinstance(found, str)
        assert decode_connection(found).headers == "x-key=sesame"
    missing = find_connection(STANDARD, url)
    assert isinstance(missing, Refusal)
    assert url in missing.reason


def test_the_schedule_keeps_what_decides_and_no_credentials() -> None:
    settings = {declared.variable for declared in DECLARED if declared.variable}
    assert {*settings, *variables.SAVED_VARIABLES} == SAVED_VARIABLES
    assert not any(word in name for name in SAVED_VARIABLES for word in ("HEADERS", "KEY", "CERTIFICATE", "SECRET"))


def test_header_values_are_secrets_of_every_trace() -> None:
    environ = {"OTEL_EXPORTER_OTLP_HEADERS": "authorization=Bearer%20abcdefgh1,x-mlflow-experiment-id=0"}
    assert header_secrets(environ) == ("Bearer%20abcdefgh1", "abcdefgh1")


def test_a_cheap_test_says_whether_anything_is_configured() -> None:
    assert is_configured(OWN)
    assert is_configured(STANDARD)
    assert not is_configured({"OTEL_EXPORTER_OTLP_HEADERS": "a=b"})
