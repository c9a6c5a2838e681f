"""The faults that `doctor` must name. A new check gets at least one row here.

A row: the fault and how to inject it; then the check that reports it, its verdict, and parts of its evidence and fix.
"""

from dataclasses import dataclass

import doctor_injectors as inject

PROBLEM, WARNING = "problem", "warning"
FIX = "infinium-codex doctor --fix"
ONLINE = ("--online",)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing to break, and what `doctor` must report."""

    name: str
    inject: inject.Injector
    check: str
    verdict: str
    evidence: str
    """Contained in the evidence; `<root>` stands for the machine's directory."""
    fix: str
    """Contained in the fix. Where it is `FIX`, `doctor --fix` must make the check pass."""
    options: tuple[str, ...] = ()
    """Options of `doctor` without which the check does not run."""


# fmt: off
FAULTS = (
    # Codex
    Fault("a Codex without hooks", inject.codex_version("0.98.0"),
          "codex", PROBLEM, "has no hooks", "Update Codex."),
    Fault("a Codex that cannot read its configuration", inject.codex_cannot_read_its_config,
          "codex answers", PROBLEM, "config.toml:57:8: unclosed table", "fix the problem that it reports"),
    Fault("hooks turned off", inject.hooks_feature_off,
          "hooks feature", PROBLEM, "Turned off in /home/dev/.codex/config.toml (features.hooks = false)",
          "Set the value to true there"),
    Fault("hooks not turned on in an old Codex", inject.old_codex_without_feature_flag,
          "hooks feature", PROBLEM, "Hooks are off in Codex 0.118.0 unless", FIX),
    Fault("managed hooks only", inject.managed_hooks_only,
          "policy", PROBLEM, "Only managed hooks may run", "managed-config"),
    Fault("an untrusted project", inject.untrusted_project,
          "project trusted", PROBLEM, "Codex does not trust <root>/home/a project",
          "answer yes, then run 'infinium-codex init --trust'"),
    # Hooks
    Fault("no hooks file", inject.no_hooks_file,
          "hooks file", PROBLEM, "has no infinium-codex hook for SessionStart, UserPromptSubmit", FIX),
    Fault("a hooks file that is not JSON", inject.hooks_file_is_not_json,
          "hooks file", PROBLEM, "it is not JSON", "Correct the file"),
    Fault("hooks of connector 1.1.0", inject.hooks_of_old_connector,
          "hooks file", PROBLEM, "has Stop at the top level, written by an older connector. Codex ignores the whole",
          FIX),
    Fault("no Stop hook", inject.no_hook_for("Stop"),
          "hooks file", PROBLEM, "has no infinium-codex hook for Stop", FIX),
    Fault("no hook for an event of a newer Codex", inject.no_hook_for("PreCompact"),
          "hooks file", WARNING, "has no infinium-codex hook for PreCompact", FIX),
    Fault("hooks that Codex does not list, for a reason of its own", inject.no_hooks_listed("too many hooks"),
          "hooks listed", PROBLEM, "too many hooks", "enter /hooks to see its own list"),
    Fault("untrusted hooks", inject.hooks_listed("untrusted"),
          "hooks trusted", PROBLEM, "Stop (untrusted)", "infinium-codex init --trust"),
    Fault("a hook modified since it was trusted", inject.hooks_listed(Stop={"trustStatus": "modified"}),
          "hooks trusted", PROBLEM, "Codex will not run: Stop (modified).", "infinium-codex init --trust"),
    Fault("a hook disabled in Codex", inject.hooks_listed(Stop={"enabled": False}),
          "hooks enabled", PROBLEM, "Disabled in Codex: Stop", "/hooks"),
    Fault("an optional hook disabled in Codex", inject.hooks_listed(PreCompact={"enabled": False}),
          "hooks enabled", WARNING, "Disabled in Codex: PreCompact", "/hooks"),
    Fault("hooks registered twice", inject.same_hooks_for_the_user,
          "duplicates", WARNING,
          "are registered more than once: <root>/home/.codex/hooks.json, <root>/home/a project/.codex",
          "Remove the infinium-codex hooks from <root>/home/.codex/hooks.json"),
    Fault("hooks of connector 1.1.0 for the user", inject.old_hooks_for_the_user,
          "duplicates", WARNING, "<root>/home/.codex/hooks.json has hooks of an older connector for Stop",
          "Remove them from <root>/home/.codex/hooks.json."),
    Fault("no hook program", inject.no_hook_program,
          "hook program", PROBLEM, "Missing or a broken link: <root>/home/.local/share/infinium-codex/hook.py",
          FIX),
    Fault("a hook program that fails", inject.hook_fails,
          "hook runs", PROBLEM, "The hook ran but recorded nothing", FIX),
    Fault("a hook program of another version", inject.hook_of_another_version,
          "hook runs", PROBLEM, "The hook ran but recorded nothing", FIX),
    Fault("a hook that prints", inject.hook_prints,
          "hook runs", PROBLEM, "The hook must print nothing and exit with 0.", "infinium-codex init"),
    # Worker and storage
    Fault("an environment that was removed", inject.environment_removed,
          "worker", PROBLEM, "<root>/home/.local/share/infinium-codex/venv/bin/python: No such file or directory", FIX),
    Fault("an environment without the connector", inject.environment_without_connector,
          "worker", PROBLEM, "ended without a report", FIX),
    Fault("a spool of another user", inject.spool_is_a_link,
          "spool", PROBLEM, "is not a directory of this user", "set CONNECTOR_SESSION_DIR"),
    Fault("a full disk under the spool", inject.disk_full_under_spool,
          "spool", PROBLEM, ": the disk is full.", "Free some space, or set CONNECTOR_SESSION_DIR."),
    Fault("a read-only disk under the outbox", inject.disk_read_only_under_state,
          "outbox", PROBLEM, ": it is on a read-only file system.",
          "Mount it writable, or set XDG_STATE_HOME."),
    Fault("a file in the place of the ledger", inject.file_in_place_of_ledger,
          "ledger", PROBLEM, "a file is in the place of a directory", "Move the file aside"),
    Fault("an outbox that others may read", inject.outbox_others_may_read,
          "outbox", WARNING, "other users can read it", FIX),
    # Settings and credentials
    Fault("no secret", inject.no_secret,
          "secret", PROBLEM, "the system keyring cannot be used", "set INFINIUM_AGENT_SECRET"),
    Fault("a keyring that only this shell reaches", inject.keyring_of_this_shell_only,
          "secret for the worker", PROBLEM, "A detached process cannot read it: INFINIUM_AGENT_SECRET is not set",
          "set INFINIUM_AGENT_SECRET"),
    Fault("an address that was not approved", inject.project_file(base_url="https://elsewhere.example/v1"),
          "address", PROBLEM, "https://elsewhere.example/v1 is not approved for agent",
          "infinium-codex update-credentials --base-url https://elsewhere.example/v1"),
    Fault("a project file that is not JSON", inject.project_file_is_not_json,
          "settings", PROBLEM, "is not valid JSON", "Correct the file"),
    Fault("a project that was not set up", inject.no_project_file,
          "settings", PROBLEM, "is not set up", "infinium-codex init"),
    Fault("a variable with an invalid value", inject.variables(INFINIUM_TIMEOUT="abc"),
          "settings", WARNING, "INFINIUM_TIMEOUT='abc' is invalid", "Correct the value"),
    Fault("no agent", inject.project_file(agent_id=None),
          "agent", PROBLEM, "No agent id configured.", "infinium-codex init"),
    Fault("paused", inject.project_file(paused=True),
          "recording", PROBLEM, "Paused in <root>/home/a project/.infinium/config.json: nothing is recorded",
          "infinium-codex resume"),
    Fault("neither turns nor sessions", inject.variables(CONNECTOR_FLUSH_ON_STOP="false"),
          "recording", PROBLEM,
          "both are off (CONNECTOR_FLUSH_ON_STOP, <root>/home/a project/.infinium/config.json)",
          "infinium-codex init --granularity turn"),
    # The API and what was sent to it
    Fault("no server at the address", inject.variables(INFINIUM_BASE_URL="http://127.0.0.1:9/v1"),
          "api", PROBLEM, "No answer to GET http://127.0.0.1:9/v1", "Check the address", ONLINE),
    Fault("a redirect at the address", inject.redirect,
          "api", PROBLEM, "HTTP 302, a redirect. Redirects are not followed.",
          "infinium-codex init --base-url", ONLINE),
    Fault("a wrong clock", inject.clock_differs,
          "clock", WARNING, "s behind the API's", "Set the clock", ONLINE),
    Fault("refused credentials", inject.refused_credentials,
          "queue", PROBLEM, "1 queued trace, 0 dead letters; 1 of agent", "infinium-codex update-credentials"),
    Fault("a dead letter", inject.dead_letter,
          "queue", WARNING, "0 queued traces, 1 dead letter.", "infinium-codex retry --dead"),
    Fault("an error of the worker", inject.worker_failed,
          "last error", WARNING, "OSError: it broke", "infinium-codex errors"),
    Fault("a session without a trace", inject.session_without_trace,
          "sessions", WARNING, "1 of 1 sessions here were not recorded", "hooks trusted"),
)
# fmt: on
