"""The report in Chromium: it asks for nothing, runs nothing of its texts, and can be read, searched and printed."""

import os
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import view_samples
from chromium import Chromium
from selenium.webdriver.common.keys import Keys

pytestmark = pytest.mark.browser
Pages = Callable[[str], Path]
UNFOLD = "for (const one of document.querySelectorAll('details')) one.open = true"
PICTURES = Path(os.environ["INFINIUM_PICTURES"]) if os.environ.get("INFINIUM_PICTURES") else None
"""Where pictures are kept: `nox -s browser -- --pictures` writes the references anew."""
KEPT = {
    ("real", 1440, "light"): ("report", 1000),
    ("real", 390, "dark"): ("report-narrow", 1400),
    ("delegating", 1440, "dark"): ("report-subagents", 1100),
}
"""The pictures that are kept: name and height."""


@pytest.mark.parametrize("name", ["real", "hostile", "delegating"])
def test_a_page_asks_for_itself_alone_and_runs_nothing_of_its_texts(chromium: Chromium, page: Pages, name: str) -> None:
    path = page(name)
    chromium.open(path)
    chromium.run(UNFOLD)
    chromium.run("document.querySelectorAll('.turn').forEach(turn => turn.scrollIntoView())")
    chromium.picture(1440, 4000)
    assert chromium.requests() == [path.as_uri()]
    assert chromium.console() == []
    assert chromium.run("return window.pwned") is None
    foreign = "iframe, img, link, base, object, embed, form, video, audio, [style], [onload], [onerror], [onmouseover]"
    assert chromium.run("return document.querySelectorAll(arguments[0]).length", foreign) == 0
    assert chromium.run("return document.scripts.length + document.querySelectorAll('style').length") == 2
    outside = "return [...document.querySelectorAll('[href]')].filter(one => !one.getAttribute('href').startsWith('#'))"
    assert chromium.run(outside) == []


def test_a_hostile_text_stays_inside_its_turn(chromium: Chromium, page: Pages) -> None:
    chromium.open(page("hostile"))
    assert chromium.run("return document.querySelectorAll('main > .turn').length") == len(view_samples.HOSTILE)
    shown = chromium.run("return [...document.querySelectorAll('.you .text')].map(one => one.textContent)")
    assert shown[:3] == list(view_samples.HOSTILE[:3])


def test_the_policy_refuses_what_an_injected_element_would_do(
    chromium: Chromium, page: Pages, tmp_path: Path, server: "Server"
) -> None:
    """The second line of defence, if a text ever got out of its place."""
    injected = (
        f"<script>window.pwned = 1</script><img src='{server.url}/x.png' onerror='window.pwned = 2'>"
        f"<link rel='stylesheet' href='{server.url}/x.css'><iframe src='{server.url}/'></iframe>"
        f"<style>main {{ display: none }}</style><p style='background: url({server.url}/y.png)'>x</p>"
    )
    path = tmp_path / "injected.html"
    path.write_text(page("small").read_text("utf-8").replace("</main>", f"{injected}</main>"), "utf-8")
    chromium.open(path)
    assert chromium.run("return window.pwned") is None
    assert chromium.run("return getComputedStyle(document.querySelector('main')).display") == "block"
    assert len([line for line in chromium.console() if "Content Security Policy" in line]) >= 5
    assert server.paths == []


def test_a_browser_asks_a_server_for_the_page_alone(chromium: Chromium, page: Pages, server: "Server") -> None:
    """Not even for an icon."""
    server.page = page("real").read_bytes()
    chromium.driver.get(f"{server.url}/report.html")
    assert "ISO week dates" in chromium.find("#t2").text
    assert server.paths == ["/report.html"]


class Server:
    """A server on loopback that notes what it is asked for."""

    def __init__(self) -> None:
        self.page, self.paths = b"", list[str]()
        noted = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                noted.paths.append(self.path)
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(noted.page)))
                self.end_headers()
                self.wfile.write(noted.page)

            def log_message(self, *arguments: object) -> None:
                """Say nothing."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()
    thread = Thread(target=found.http.serve_forever)
    thread.start()
    yield found
    found.http.shutdown()
    thread.join()
    found.http.server_close()


def test_search_keeps_what_matches_and_opens_the_folds_around_it(chromium: Chromium, page: Pages) -> None:
    chromium.open(page("real"))
    turns = "return [...document.querySelectorAll('.turn')].filter(turn => !turn.hidden).map(turn => turn.id)"
    before = chromium.run(turns)
    chromium.find("body").send_keys("/")
    search = chromium.driver.switch_to.active_element
    assert search.get_attribute("id") == "search"
    search.send_keys("collect-only")
    chromium.wait("return document.querySelector('#found').textContent.startsWith('1 part in 1 request')")
    assert chromium.run(turns) == ["t2"]
    [row] = chromium.run("return [...document.querySelectorAll('.steps > li')].filter(row => row.checkVisibility())")
    assert "collect-only" in row.text
    assert chromium.run("return CSS.highlights.get('found').size") > 0
    search.send_keys(Keys.ENTER)
    chromium.wait("return document.querySelector('#found').textContent === '1 of 1'")
    search.send_keys(Keys.ESCAPE)
    assert chromium.run(turns) == before
    assert chromium.run("return document.querySelectorAll('.group[open]').length") == 0
    search.send_keys("nowhere in this page")
    chromium.wait("return document.querySelector('#found').textContent === 'Nothing found.'")


def test_folds_open_and_close_by_mouse_keyboard_and_for_all(chromium: Chromium, page: Pages) -> None:
    chromium.open(page("real"))
    group = chromium.find("#t2 .group")
    summary = chromium.find("#t2 .group > summary")
    summary.click()
    assert group.get_attribute("open")
    summary.send_keys(Keys.ENTER)
    assert not group.get_attribute("open")
    folded = "return document.querySelectorAll('.turn details:not([open])').length"
    chromium.find("#unfold").click()
    assert chromium.run(folded) == 0
    chromium.find("#fold").click()
    assert chromium.run("return document.querySelectorAll('.turn details[open]').length") == 0


def test_j_and_k_walk_through_the_requests(chromium: Chromium, page: Pages) -> None:
    chromium.open(page("real"))
    chromium.run("document.documentElement.style.setProperty('scroll-behavior', 'auto')")
    seen = []
    for key in "jjk":
        chromium.driver.switch_to.active_element.send_keys(key)
        seen.append(chromium.driver.switch_to.active_element.get_attribute("id"))
    assert seen == ["t1", "t2", "t1"]


def test_a_link_leads_to_its_step_and_opens_it(chromium: Chromium, page: Pages) -> None:
    chromium.open(page("real"))
    chromium.find(".list a[href^='#t3s']").click()
    chromium.wait("return location.hash.startsWith('#t3s')")
    target = chromium.run("return document.querySelector(location.hash)")
    chromium.wait("return document.querySelector(location.hash).checkVisibility()")
    assert "pip install" in target.text
    assert "Could not find a version" in target.text
    current = chromium.find(".index a[aria-current]")
    assert current.get_attribute("hash") == "#t3"


def test_a_page_is_readable_and_its_links_work_without_javascript(chromium: Chromium, page: Pages) -> None:
    chromium.cdp("Emulation.setScriptExecutionDisabled", value=True)
    try:
        chromium.open(page("real"))
        assert not chromium.find(".controls").is_displayed()
        assert "ISO week dates now parse" in chromium.find("#t2").text
        chromium.find("#t2 .group > summary").click()
        chromium.find("#t2 .steps > li.failed summary").click()
        assert "1 failed, 43 passed" in chromium.find("#t2 .steps > li.failed pre").text
        chromium.find(".index a[href='#t4']").click()
        assert chromium.driver.current_url.endswith("#t4")
    finally:
        chromium.cdp("Emulation.setScriptExecutionDisabled", value=False)


def test_print_shows_what_is_folded_and_hides_the_controls(chromium: Chromium, page: Pages) -> None:
    chromium.open(page("real"))
    steps = "return document.querySelector('#t2 .group > .steps').checkVisibility()"
    assert not chromium.run(steps)
    chromium.cdp("Emulation.setEmulatedMedia", media="print")
    assert chromium.run(steps)
    assert chromium.run("return document.querySelector('#t2 .file pre').checkVisibility()")
    assert not chromium.find(".controls").is_displayed()
    printed = chromium.cdp("Page.printToPDF", transferMode="ReturnAsBase64")["data"]
    assert printed.startswith("JVBERi0")  # %PDF-
    assert len(printed) > 40_000


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
@pytest.mark.parametrize("name", ["empty", "small", "real", "hostile", "delegating"])
def test_a_page_fits_its_window_and_its_texts_have_contrast(
    chromium: Chromium, page: Pages, name: str, width: int, scheme: str
) -> None:
    chromium.open(page(name), width=width, scheme=scheme)
    if PICTURES and (kept := KEPT.get((name, width, scheme))):
        (PICTURES / f"{kept[0]}.png").write_bytes(chromium.picture(width, kept[1]))
    chromium.run(UNFOLD)
    chromium.picture(width, 2_400)
    assert chromium.run("return document.documentElement.scrollWidth") <= width
    assert chromium.run(FAINT_TEXTS) == []


FAINT_TEXTS = """
const parts = (color) => color.match(/[\\d.]+/g).map(Number);
const linear = (value) => (value /= 255) <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
const light = ([red, green, blue]) => 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
const behind = (element) => {
  for (; element; element = element.parentElement) {
    const found = parts(getComputedStyle(element).backgroundColor);
    if (found.length < 4 || found[3] === 1) return found;
  }
  return [255, 255, 255];
};
const faint = new Set();
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
for (let count = 0; count < 3000 && walker.nextNode(); count++) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || !element.checkVisibility()) continue;
  if (element.closest("script, style, .skip, svg")) continue;
  const [one, other] = [light(parts(getComputedStyle(element).color)), light(behind(element))].sort((a, b) => b - a);
  const ratio = (one + 0.05) / (other + 0.05);
  if (ratio < 4.5) faint.add(`${element.tagName}.${element.className} ${ratio.toFixed(1)}`);
}
return [...faint];
"""
"""The elements whose text has less contrast to its background than WCAG's level AA asks for."""


def test_a_page_of_10_000_steps_lays_out_what_is_in_view_and_scrolls_to_its_end(
    chromium: Chromium, page: Pages
) -> None:
    chromium.open(page("huge"))
    assert chromium.run("return document.querySelectorAll('.steps > li').length") == 10_000
    chromium.find("#unfold").click()
    rendered = chromium.run(
        "const skipped = [...document.querySelectorAll('.turn')].filter(turn => "
        "!turn.firstElementChild.checkVisibility({contentVisibilityAuto: true})); return skipped.length"
    )
    assert rendered > 15
    chromium.run("document.querySelector('#fold').click(); location.hash = '#t25'")
    chromium.wait("return document.querySelector('#t25').getBoundingClientRect().top < innerHeight")
    chromium.wait("return document.querySelector('#t25 > header').checkVisibility({contentVisibilityAuto: true})")
