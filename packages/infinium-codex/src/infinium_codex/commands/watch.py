"""`infinium-codex watch`: show the running session live."""

from typing import Annotated

import msgspec
from cyclopts import Parameter

from infinium_codex.console.parameters import AllProjects, AsJson, Context
from infinium_codex.support.result import Result
from infinium_codex.view.catalog import Catalog
from infinium_codex.view.live import LiveView, follow


def watch(
    *,
    once: Annotated[bool, Parameter(negative="", help="Print the present state and end.")] = False,
    all_projects: AllProjects = False,
    ctx: Context,
    json: AsJson = False,
) -> Result:
    """Show the newest session of this project while it runs: turn, steps, tokens, cost and queue. Ctrl-C ends it."""
    catalog = Catalog.at(ctx.cwd, ctx.places, ctx.environ, all_projects=all_projects)
    views = follow(catalog)
    if once or json or not ctx.to_terminal:
        first = next(views)
        views.close()
        return Result.drawn(first, msgspec.to_builtins(first))
    from rich.console import Console
    from rich.live import Live

    last: LiveView | None = None
    console = Console(highlight=False, emoji=False, markup=False)
    try:
        with Live(console=console, screen=True, auto_refresh=False) as screen:
            for last in views:
                screen.update(last, refresh=True)
    except KeyboardInterrupt:
        pass  # the way to end it
    finally:
        views.close()
    return Result.success(()) if last is None else Result.drawn(last, {})
