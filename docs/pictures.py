"""Draw the terminal pictures of the README from a recorded session: `nox -s pictures`."""

import os
import sys
import tempfile
import time
from pathlib import Path

from infinium_codex.codex.agent import CODEX
from infinium_codex.session.whole import read_whole_session
from infinium_codex.view.from_transcript import view_session
from infinium_codex.view.model import Delivery, DeliveryState, TurnView
from infinium_codex.view.terminal import TurnDrawing
from infinium_codex.view.turn_list import TurnListDrawing
from infinium_trace import Price, PriceTable, TraceOptions
from msgspec.structs import replace
from rich.console import Console
from rich.text import Text

DOCS = Path(__file__).parent
RECORDINGS = DOCS.parent / "packages" / "infinium-codex" / "tests" / "recordings" / "0.169.0"
PRICES = PriceTable(as_of="2026-01-01", prices={("*", "gpt-5.5"): Price(prompt=5.0, cached=0.5, completion=30.0)})
WIDTH = 100
FORMAT = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>.{unique_id}-matrix {{ font-family: Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: {char_height}px;
line-height: {line_height}px; }} {styles}</style>
<defs>{lines}</defs>
<rect fill="#0c0c0c" width="{terminal_width}" height="{terminal_height}" x="{terminal_x}" y="{terminal_y}" rx="8"/>
<g transform="translate({terminal_x}, {terminal_y})">{backgrounds}<g class="{unique_id}-matrix">{matrix}</g></g>
</svg>
"""
"""Rich's own format has a font of another server."""


def main() -> None:
    """Write `docs/list.svg` and `docs/show.svg`."""
    os.environ["TZ"] = "UTC"
    time.tzset()
    options = TraceOptions(program="codex", version="0", prices=PRICES)
    turns: list[TurnView] = []
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("turn", "patches", "tests-commit", "subagent"):
            session = read_whole_session(CODEX, RECORDINGS / name / "transcript.jsonl", Path(scratch))
            identity = f"01a208dc-{len(name):04}-7000-8000-00000000000{len(turns)}"
            turns += reversed(view_session(session, identity, "/home/dev/project", options, {}).turns)
    sent = Delivery(state=DeliveryState.SENT, at_ms=turns[0].summary.ended_at_ms, trace_id="41f0c2")
    turns = [replace(turn, summary=replace(turn.summary, delivery=sent)) for turn in turns]
    listed = tuple(turn.summary for turn in turns)
    write("list", ["$ infinium-codex list", *TurnListDrawing(turns=listed).draw(WIDTH, colour=True)])
    write("show", ["$ infinium-codex show latest", *TurnDrawing(view=turns[0]).draw(WIDTH, colour=True)])


def write(name: str, lines: list[str]) -> None:
    """Write the lines, with their colours, as `docs/NAME.svg`."""
    with Path(os.devnull).open("w") as null:
        console = Console(record=True, width=WIDTH, file=null, force_terminal=True)
        for line in lines:
            console.print(Text.from_ansi(line))
        svg = console.export_svg(title="", code_format=FORMAT, unique_id=name)
    (DOCS / f"{name}.svg").write_text(svg, "utf-8")
    sys.stdout.write(f"docs/{name}.svg: {len(svg):,} bytes\n")


if __name__ == "__main__":
    main()
