"""Measure the page of 10,000 steps in Chromium: size, time to open, frames while it scrolls."""

import statistics
import tempfile
import time
from pathlib import Path

import view_samples
from chromium import running
from infinium_codex.view.html.report import render_report

RUNS = 7
FRAMES = 200
_OPENED = """
const [page] = performance.getEntriesByType("navigation");
const [paint] = performance.getEntriesByName("first-contentful-paint");
return page.loadEventEnd && paint ? [page.loadEventEnd, paint.startTime] : null;
"""
_SCROLL = """
const [count, done] = arguments;
document.documentElement.style.setProperty("scroll-behavior", "auto");
const times = [];
let last = performance.now();
const step = (now) => {
  times.push(now - last);
  last = now;
  scrollBy(0, 400);
  if (times.length < count) requestAnimationFrame(step); else done(times.slice(1));
};
requestAnimationFrame(step);
"""


def main() -> None:
    """Print a line per figure."""
    with tempfile.TemporaryDirectory() as directory, running(Path(directory)) as chromium:
        page = Path(directory) / "huge.html"
        session = view_samples.huge()
        began = time.perf_counter()
        page.write_text(render_report([session]), "utf-8")
        print(f"rendered in        {time.perf_counter() - began:.2f} s")
        print(f"size               {page.stat().st_size:,} bytes")
        opened = []
        for _ in range(RUNS):
            chromium.open(page)
            chromium.wait(f"return (() => {{ {_OPENED} }})() !== null")
            opened.append(chromium.run(_OPENED))
        for name, values in zip(("loaded", "first text painted"), zip(*opened, strict=True), strict=True):
            print(f"{name:<18} median {statistics.median(values):.0f} ms, most {max(values):.0f} ms ({RUNS} runs)")
        for state in ("folded", "unfolded"):
            chromium.run("scrollTo(0, 0)")
            if state == "unfolded":
                chromium.find("#unfold").click()
            times = chromium.driver.execute_async_script(_SCROLL, FRAMES)
            print(f"scrolled {state:<9} median {statistics.median(times):.1f} ms a frame, most {max(times):.1f} ms")


if __name__ == "__main__":
    main()
