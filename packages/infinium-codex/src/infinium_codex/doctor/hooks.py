"""Our hooks: as they stand in hooks.json, as Codex lists them, and as they run."""

import json
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

from infinium_codex.capture import install as hook_home
from infinium_codex.capture.records import Record, read_records
from infinium_codex.codex.agent import CODEX
from infinium_codex.codex.app_server import HookState
from infinium_codex.codex.hook_events import events_of
from infinium_codex.codex.hooks_json import HooksFileError, Plan, old_hooks, our_hooks, plan_install
from infinium_codex.codex.program import codex_home
from infinium_codex.codex.project_hooks import wanted_hooks
from infinium_codex.codex.versions import TRUST_SINCE
from infinium_codex.doctor import codex
from infinium_codex.doctor.checks import Check, Verdict, ok, problem, unknown, warning
from infinium_codex.doctor.situation import Situation
from infinium_codex.session.files import SPOOL_SUFFIX
from infinium_codex.support.result import CommandError

NEEDED = ("UserPromptSubmit", "Stop")
"""Without these events no turn becomes a trace; without the others it says less."""
FIX = "infinium-codex doctor --fix"
TRUST = "Run 'infinium-codex init --trust', or trust them in Codex with /hooks."
PROBE = "infinium-codex-doctor"
PROBE_SECONDS = 10.0


def planned(s: Situation, *, renew: bool = False) -> Plan:
    """What `init` would make of hooks.json. Raises HooksFileError or CommandError for a file that cannot be used."""
    wanted = wanted_hooks(s.codex, lambda event: hook_home.hook_command(s.places, event))
    can_async = s.codex is None or s.codex.can_async
    return plan_install(s.hooks.text(), wanted, s.hooks.is_ours, can_async=can_async, renew=renew)


def definition(s: Situation) -> Check:
    """Whether hooks.json holds what this Codex needs, where Codex reads it."""
    name = "hooks file"
    if s.managed:
        return ok(name, "not needed: your administrator has Codex run our hooks")
    try:
        plan = planned(s)
    except (HooksFileError, CommandError) as error:
        return problem(name, f"{s.hooks.path}: {error}", "Mend it, or move it aside and run 'infinium-codex init'.")
    fix = FIX if s.is_set_up else "infinium-codex init"
    if plan.repaired:
        events = ", ".join(plan.repaired)
        evidence = f"{s.hooks.path} has {events} at its top level, as an older connector wrote it: Codex drops the file"
        return problem(name, evidence, fix)
    missing = [event for event in plan.added if event not in plan.removed]
    lacks = f"{s.hooks.path} has no hook of ours for {', '.join(missing)}"
    if missing:
        make = problem if set(missing) & set(NEEDED) - _run_from_elsewhere(s) else warning
        return make(name, lacks, fix)
    if plan.removed:
        evidence = f"{s.hooks.path}: ours for {', '.join(dict.fromkeys(plan.removed))} are not as this Codex needs them"
        return warning(name, evidence, f"{fix}, then 'infinium-codex init --trust'")
    if waits := planned(s, renew=True).removed:
        evidence = f"{s.hooks.path}: Codex waits for ours for {', '.join(waits)}, as its older versions had to"
        return warning(name, evidence, "infinium-codex init --trust")
    return ok(name, f"{s.hooks.path} has {len(events_of(s.codex))} of ours, as they should be")


def listed(s: Situation) -> Check:
    """Whether Codex knows of our hooks."""
    name = "hooks listed"
    if not s.view.asked:
        return unknown(name, "Codex could not be asked")
    known = {hook.event for hook in _ours(s)}
    missing = [event for event in events_of(s.codex) if event not in known]
    if not missing:
        return ok(name, f"Codex lists {len(known)} of ours")
    if cause := _cause(s):
        return unknown(name, f"see '{cause}'")
    words = "; ".join(s.view.listed.warnings + s.view.listed.errors)
    evidence = f"Codex does not list ours for {', '.join(missing)}" + (f": {words}" if words else "")
    make = problem if set(missing) & set(NEEDED) else warning
    return make(name, evidence, "Run 'codex' here, and see what it says of its hooks (/hooks).")


def enabled(s: Situation) -> Check:
    """Whether the hooks Codex lists are switched on, one by one."""
    name = "hooks enabled"
    if not s.view.asked or not _ours(s):
        return unknown(name, "see 'hooks listed'" if s.view.asked else "Codex could not be asked")
    held = [hook.event for hook in _ours(s) if not hook.enabled]
    if not held:
        return ok(name, f"all {len(_ours(s))}")
    make = problem if set(held) & set(NEEDED) else warning
    return make(name, f"disabled in Codex: {', '.join(held)}", "Enable them in Codex with /hooks.")


def trusted(s: Situation) -> Check:
    """Whether Codex trusts our hooks as they are: one it does not trust is passed over in silence."""
    name = "hooks trusted"
    if s.codex is not None and not s.codex.since(TRUST_SINCE):
        return ok(name, f"Codex {s.codex.version_text} asks for no trust")
    if not s.view.asked or not _ours(s):
        return unknown(name, "see 'hooks listed'" if s.view.asked else "Codex could not be asked")
    held = [f"{hook.event} ({hook.trust})" for hook in _ours(s) if hook.trust not in ("trusted", "managed")]
    if not held:
        return ok(name, f"all {len(_ours(s))}")
    make = problem if any(word.split()[0] in NEEDED for word in held) else warning
    return make(name, f"Codex will not run {', '.join(held)}", TRUST)


def duplicates(s: Situation) -> Check:
    """Whether an event would be traced twice: by ours in two places, or by an older connector."""
    name = "duplicates"
    users = codex_home(s.environ) / "hooks.json"
    files = {path: _read(path) for path in (s.hooks.path, users)}
    for path, text in files.items():
        if old := _old(text, s):
            evidence = f"{path} has hooks of an older connector, for {', '.join(old)}"
            fix = FIX if path == s.hooks.path and s.is_set_up else f"Take them out of {path}."
            return warning(name, evidence, fix)
    if s.view.asked:
        running = [hook for hook in s.view.listed.hooks if s.hooks.is_ours(hook.command) and hook.enabled]
        counts = Counter(hook.event for hook in running)
        places = sorted({hook.source_path for hook in running if counts[hook.event] > 1})
        twice = [event for event, count in counts.items() if count > 1]
    else:
        events = [set(_events(text, s)) for text in files.values()]
        twice, places = sorted(events[0] & events[1]), [str(path) for path in files]
    if twice:
        evidence = f"ours for {', '.join(twice)} are registered more than once: {', '.join(places)}"
        other = next((place for place in places if place != str(s.hooks.path)), places[0])
        return warning(name, evidence, f"Take ours out of {other}: one place is enough.")
    return ok(name, "none")


def program(s: Situation) -> Check:
    """Whether the directory the hook runs from is as this installation makes it."""
    name = "hook program"
    home = s.hook_places.data
    state = hook_home.check(s.hook_places, CODEX)
    if state.missing:
        gone = ", ".join(str(home / missing) for missing in state.missing)
        fix = "Only your administrator can mend it: 'infinium-codex managed-config --prepare'." if s.managed else FIX
        return problem(name, f"not there, or leading nowhere: {gone}", fix)
    if s.managed:
        return ok(name, f"{home} is your administrator's")
    if state.outdated:
        return warning(name, f"{home} is not as this installation makes it: {', '.join(state.outdated)}", FIX)
    return ok(name, f"{home} is of this installation")


def runs(s: Situation) -> Check:
    """Run the registered command as Codex does, with a spool of its own, and see whether the event is recorded."""
    name = "hook runs"
    if s.settings is None or s.settings.paused.value or not s.is_set_up:
        return unknown(name, "nothing is recorded here now, so it was not tried")
    command = _command(s)
    if command is None:
        return unknown(name, "there is no hook to run")
    payload = json.dumps({"session_id": PROBE, "cwd": str(s.cwd), "hook_event_name": "SessionStart"}).encode()
    with tempfile.TemporaryDirectory(prefix="infinium-codex-doctor-") as scratch:
        try:
            done = subprocess.run(
                ["sh", "-c", command],
                input=payload,
                capture_output=True,
                cwd=s.hooks.root,
                env={**s.environ, "CONNECTOR_SESSION_DIR": scratch},
                timeout=PROBE_SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return problem(name, f"it did not end within {PROBE_SECONDS:.0f} s", FIX)
        if done.returncode or done.stdout or done.stderr:
            said = (done.stdout + done.stderr).decode("utf-8", "replace").strip()[:200]
            evidence = f"it must print nothing and end with 0, but ended with {done.returncode}: {said}"
            return problem(name, evidence, "Run 'infinium-codex init': it registers the hook anew.")
        recorded = any(_recorded(path, payload) for path in Path(scratch).glob(f"*/*{SPOOL_SUFFIX}"))
    if not recorded:
        return problem(name, f"it ran and recorded nothing: {command}", FIX)
    return ok(name, "an event was recorded, and nothing printed")


def _ours(s: Situation) -> list[HookState]:
    """Ours as Codex lists them, in the project or from an administrator; a user-level copy is no substitute."""
    here = [hook for hook in s.view.listed.hooks if s.hooks.is_ours(hook.command)]
    own = [hook for hook in here if hook.trust == "managed" or hook.source_path == str(s.hooks.path)]
    return own or here


def _run_from_elsewhere(s: Situation) -> set[str]:
    """Events for which Codex runs a hook of ours from another file, such as the user's own."""
    ours = (hook for hook in s.view.listed.hooks if s.hooks.is_ours(hook.command) and hook.runs)
    return {hook.event for hook in ours if hook.source_path != str(s.hooks.path)}


def _cause(s: Situation) -> str:
    """The check that tells why Codex lists none of ours."""
    earlier = (codex.found, codex.answers, codex.feature, codex.policy, codex.trusted, definition)
    results = (check(s) for check in earlier)
    return next((result.name for result in results if result.verdict is Verdict.PROBLEM), "")


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""  # 'hooks file' and 'codex warnings' tell of files that cannot be read


def _old(text: str, s: Situation) -> tuple[str, ...]:
    try:
        return old_hooks(text, s.hooks.is_ours) if text.strip() else ()
    except HooksFileError:
        return ()


def _events(text: str, s: Situation) -> dict[str, str]:
    try:
        return our_hooks(text, s.hooks.is_ours) if text.strip() else {}
    except HooksFileError:
        return {}


def _command(s: Situation) -> str | None:
    """The command of SessionStart, which starts no worker; Codex's own word for it where there is one."""
    for hook in _ours(s):
        if hook.event == "SessionStart":
            return hook.command
    return _events(_read(s.hooks.path), s).get("SessionStart")


def _recorded(path: Path, payload: bytes) -> bool:
    with path.open("rb") as file:
        return any(isinstance(record, Record) and record.payload == payload for record in read_records(file))
