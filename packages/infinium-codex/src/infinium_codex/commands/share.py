"""`infinium-codex share`: write a redacted turn for a pull request or an issue."""

from typing import Annotated

from cyclopts import Parameter
from infinium_trace import Redactor
from msgspec.structs import replace

from infinium_codex.commands.show import find_turns
from infinium_codex.console.formatting import plural
from infinium_codex.console.output_file import write_output
from infinium_codex.console.parameters import AsJson, Context
from infinium_codex.console.prompts import confirm_or_yes
from infinium_codex.support.result import CommandContext, CommandError, Result
from infinium_codex.support.settings import home_directory
from infinium_codex.view.catalog import LATEST, Catalog
from infinium_codex.view.model import SessionView
from infinium_codex.view.shareable import Finding, shareable

_SUFFIXES = (".md", ".html")


def share(
    what: Annotated[
        str, Parameter(help="A trace's key, or the beginning of it; or 'latest'. 'list' shows the keys.")
    ] = LATEST,
    *,
    output: Annotated[
        str,
        Parameter(
            name=["--output", "-o"],
            help="File to write, .md or .html. By default codex-turn.md in this directory.",
        ),
    ] = "codex-turn.md",
    yes: Annotated[bool, Parameter(name=["--yes", "-y"], negative="", help="Do not ask for confirmation.")] = False,
    ctx: Context,
    json: AsJson = False,
) -> Result:
    """Write one turn without its secrets and the places of this machine, after it listed everything it removed."""
    suffix = next((one for one in _SUFFIXES if output.lower().endswith(one)), None)
    if suffix is None:
        raise CommandError(f"'{output}' is neither a .md nor a .html file.", exit_code=2)
    session, found = _redacted(ctx, what)
    [turn] = session.turns
    listed = _listed(found)
    question = "\n".join([*listed, f"Write {output} with the rest?"])
    confirm_or_yes(ctx, question, yes=yes, kept="Nothing was written.")
    text = _text(session, suffix)
    path = write_output(ctx.cwd, output, text.encode())
    data = {
        "path": str(path),
        "bytes": len(text.encode()),
        "key": turn.summary.key,
        "redactions": [{"kind": one.kind, "where": one.where, "count": one.count} for one in found],
    }
    return Result.success((*(listed if yes else ()), f"Wrote {path}. Read it before you share it."), data)


def _text(session: SessionView, suffix: str) -> str:
    """Return the file's text. The libraries of each form are imported where they are needed: help needs none."""
    if suffix == ".md":
        from infinium_codex.view.markdown import turn_markdown

        return turn_markdown(session.turns[0])
    from infinium_codex.view.html.report import render_report

    return render_report([session])


def _redacted(ctx: CommandContext, what: str) -> tuple[SessionView, tuple[Finding, ...]]:
    """Return a session that has one turn, as others may see it. Raises CommandError."""
    catalog = Catalog.at(ctx.cwd, ctx.places, ctx.environ)
    session = find_turns(catalog, what)
    if len(session.turns) != 1:
        raise CommandError(
            f"'{what}' is a session of {plural(len(session.turns), 'turn')}.", "Name one turn; 'list' shows the keys."
        )
    options = catalog.options_of(session.project)
    if options.metadata_only:
        raise CommandError(
            "The settings of this project keep texts on this machine (redaction: metadata-only).",
            "Set another redaction mode with 'infinium-codex config set redaction on', or do not share the turn.",
        )
    redactor = Redactor(secrets=options.secrets, patterns=options.redact_patterns, allow=options.redact_allow)
    turn, found = shareable(session.turns[0], redactor, str(home_directory(ctx.environ)))
    shared = replace(session, turns=(turn,), project=turn.summary.project, transcript=None)
    return shared, found


def _listed(found: tuple[Finding, ...]) -> list[str]:
    if not found:
        return ["Nothing had to be removed."]
    width = max(len(one.kind) for one in found)
    times = (f"{one.kind:<{width}}  {one.where}{f', {one.count} times' if one.count > 1 else ''}" for one in found)
    return ["Removed from the texts:", *(f"  {line}" for line in times)]
