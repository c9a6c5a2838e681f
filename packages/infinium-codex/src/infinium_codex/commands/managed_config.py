"""`infinium-codex managed-config`: the requirements.toml with which an administrator rolls the hooks out to a fleet.

Managed hooks run without anybody's trust, in every project, and no user can turn them off. They still record only
where a project was set up, or where the environment names an agent.
"""

from pathlib import Path

from infinium_codex.capture import install as hook_home
from infinium_codex.codex.agent import CODEX
from infinium_codex.codex.program import CodexProgram, find_codex
from infinium_codex.codex.project_hooks import wanted_hooks
from infinium_codex.codex.settings import FLAG
from infinium_codex.codex.versions import HOOKS_ON_SINCE, format_version
from infinium_codex.support.paths import APP, Places
from infinium_codex.support.result import CommandContext, CommandError, Result


def run(ctx: CommandContext, *, directory: Path, only: bool, prepare: bool) -> Result:
    """Print the file; with `prepare`, make the directory its hooks run from as well."""
    if directory.name != APP or not directory.is_absolute() or "\n" in str(directory):
        hint = f"Use one like /opt/{APP}: by that name init and uninstall know the hooks for ours."
        raise CommandError(f"--directory must be an absolute path that ends in /{APP}.", hint, exit_code=2)
    places = Places(data=directory, state=ctx.places.state, spool=ctx.places.spool)
    if prepare:
        hook_home.install(places, CODEX, mode=0o644)
        directory.chmod(0o755)
    codex = find_codex(ctx.environ)
    hooks = {hook.event: [hook.to_group()] for hook in wanted_hooks(codex, lambda e: hook_home.hook_command(places, e))}
    document = {
        **({"allow_managed_hooks_only": True} if only else {}),
        "features": {FLAG: True},
        "hooks": {"managed_dir": str(directory), **hooks},
    }
    text = _commented(document, directory, codex)
    return Result.success(tuple(text.splitlines()), {"directory": str(directory), "requirements": document})


def _commented(document: dict[str, object], directory: Path, codex: CodexProgram | None) -> str:
    import tomli_w

    oldest = format_version(HOOKS_ON_SINCE)
    made = f"Made for Codex {codex.version_text}" if codex else "Made without a Codex at hand"
    if codex is not None and codex.can_async:
        made += ", whose tool hooks are async: Codex before 0.150 passes over those"
    return "\n".join(
        (
            "# infinium-codex as managed hooks of Codex: /etc/codex/requirements.toml, on every machine.",
            f"# {made}.",
            f"# Codex {oldest} and later run managed hooks. Where there are other requirements, merge the tables.",
            f"# {directory} has to be there: 'infinium-codex managed-config --prepare' makes it, run from an",
            "# installation every user can read. Traces come from projects that were set up ('infinium-codex init'),",
            "# or from everywhere, where INFINIUM_AGENT_ID and INFINIUM_BASE_URL are set.",
            "# On Windows, add windows_managed_dir to [hooks]; 'infinium-codex' has to be on PATH there.",
            "",
            tomli_w.dumps(document),
        )
    )
