"""The result of one check: verdict, evidence and fix."""

from enum import StrEnum

from msgspec import Struct

FIX = "Run 'infinium-codex doctor --fix'."
"""Fix of everything that `fixes.py` repairs."""


class Verdict(StrEnum):
    """The result of a check."""

    OK = "ok"
    WARNING = "warning"
    """Traces are sent, but something is wrong."""
    PROBLEM = "problem"
    """No traces are sent."""
    UNKNOWN = "unknown"
    """The check could not run, or another check reports the cause."""


class Check(Struct, frozen=True, kw_only=True):
    """One link of the chain."""

    name: str
    verdict: Verdict
    evidence: str
    """What was found, in sentences."""
    fix: str = ""
    """What the user can do; empty when there is nothing to do."""

    def to_json(self) -> dict[str, str]:
        """The object that `--json` prints."""
        return {"name": self.name, "verdict": self.verdict.value, "evidence": self.evidence, "fix": self.fix}


def ok(name: str, evidence: str) -> Check:
    """A check that passed."""
    return Check(name=name, verdict=Verdict.OK, evidence=evidence)


def warning(name: str, evidence: str, fix: str) -> Check:
    """A check that found something wrong that does not stop traces."""
    return Check(name=name, verdict=Verdict.WARNING, evidence=evidence, fix=fix)


def problem(name: str, evidence: str, fix: str) -> Check:
    """A check that found why no traces are sent."""
    return Check(name=name, verdict=Verdict.PROBLEM, evidence=evidence, fix=fix)


def unknown(name: str, evidence: str, fix: str = "") -> Check:
    """A check that could not run."""
    return Check(name=name, verdict=Verdict.UNKNOWN, evidence=evidence, fix=fix)


def see(name: str, other: str) -> Check:
    """A check that fails only because of another one, which reports the cause."""
    return unknown(name, f"See '{other}'.")
