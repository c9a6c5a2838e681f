"""Sends turns as OpenTelemetry spans and metrics to an OTLP engine. Imported only where one is configured."""
