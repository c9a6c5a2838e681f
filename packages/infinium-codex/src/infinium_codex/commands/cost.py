"""`infinium-codex cost`: add up tokens and cost of this project's turns."""

from typing import Annotated

import msgspec
from cyclopts import Parameter

from infinium_codex.console.parameters import AllProjects, AsJson, Context, Since
from infinium_codex.support.result import Result
from infinium_codex.view.catalog import Catalog
from infinium_codex.view.cost import CostDrawing, CostGroup, add_up


def cost(
    *,
    by: Annotated[CostGroup, Parameter(show_default=True, help="What a line stands for.")] = CostGroup.DAY,
    since: Since = 0.0,
    all_projects: AllProjects = False,
    ctx: Context,
    json: AsJson = False,
) -> Result:
    """Show tokens and cost by day, session, model or project. Costs are estimates by the models' list prices."""
    catalog = Catalog.at(ctx.cwd, ctx.places, ctx.environ, all_projects=all_projects)
    turns = list(catalog.summaries(since=since))
    lines = add_up(turns, by)
    unpriced = {model for turn in turns if turn.model_calls and turn.cost_usd is None for model in turn.models}
    notes = [] if lines else ["No turn with a model call was found."]
    if unpriced:
        notes.append(
            f"No price for {', '.join(sorted(unpriced))}: their turns are not in the cost. README tells how to add one."
        )
    data = {
        "project": None if catalog.project is None else str(catalog.project.root),
        "by": by.value,
        "lines": [msgspec.to_builtins(line) for line in lines],
        "unpriced_models": sorted(unpriced),
    }
    return Result.drawn(CostDrawing(lines=lines, group=by, notes=tuple(notes)), data)
