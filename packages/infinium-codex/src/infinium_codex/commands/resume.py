"""`infinium-codex resume`: start recording in this project again."""

from infinium_codex.commands.pause import set_paused
from infinium_codex.console.parameters import AsJson, Context
from infinium_codex.support.result import Result


def resume(*, ctx: Context, json: AsJson = False) -> Result:
    """Start recording again, from the next event on."""
    return set_paused(ctx, paused=False)
