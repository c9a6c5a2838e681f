"""A link of the chain, looked at: the verdict, what it rests on, and what to do."""

from enum import StrEnum

from msgspec import Struct


class Verdict(StrEnum):
    """What a check came to."""

    OK = "ok"
    WARNING = "warning"
    """Traces flow, and something is not as it should be."""
    PROBLEM = "problem"
    """No traces flow while this is so."""
    UNKNOWN = "unknown"
    """It could not be looked at, or another check tells the reason."""


class Check(Struct, frozen=True, kw_only=True):
    """One link."""

    name: str
    verdict: Verdict
    evidence: str
    """What was seen."""
    fix: str = ""
    """What the person can do; empty when there is nothing to do."""

    def to_json(self) -> dict[str, str]:
        """The shape `--json` prints."""
        return {"name": self.name, "verdict": self.verdict.value, "evidence": self.evidence, "fix": self.fix}


def ok(name: str, evidence: str) -> Check:
    return Check(name=name, verdict=Verdict.OK, evidence=evidence)


def warning(name: str, evidence: str, fix: str) -> Check:
    return Check(name=name, verdict=Verdict.WARNING, evidence=evidence, fix=fix)


def problem(name: str, evidence: str, fix: str) -> Check:
    return Check(name=name, verdict=Verdict.PROBLEM, evidence=evidence, fix=fix)


def unknown(name: str, evidence: str, fix: str = "") -> Check:
    return Check(name=name, verdict=Verdict.UNKNOWN, evidence=evidence, fix=fix)
