"""Debian's Chromium without a window, on one page at a time, which says what the page asked for."""

import base64
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.wait import WebDriverWait

WAIT_SECONDS = 30
_ARGUMENTS = ("--headless", "--hide-scrollbars", "--enable-unsafe-swiftshader", "--allow-file-access-from-files")
_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


class Chromium:
    """A running Chromium."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, page: Path, *, width: int = 1440, height: int = 900, scheme: str = "light", hash: str = "") -> None:
        """Open a file in a window of this size."""
        self.resize(width, height)
        wanted = {
            "prefers-color-scheme": scheme,
            "prefers-reduced-motion": "reduce",
        }  # a click does not wait for motion
        media = [{"name": name, "value": value} for name, value in wanted.items()]
        self.cdp("Emulation.setEmulatedMedia", media="", features=media)
        self.driver.get("about:blank")
        self.requests(), self.console()  # what was before
        self.driver.get(page.as_uri() + hash)

    def resize(self, width: int, height: int) -> None:
        """Give the window a size, in pixels."""
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def cdp(self, command: str, **arguments: object) -> dict[str, Any]:
        """Send a command of the DevTools protocol."""
        found: dict[str, Any] = self.driver.execute_cdp_cmd(command, arguments)
        return found

    def run(self, script: str, *arguments: object) -> Any:
        """Run a script in the page and return what it returns."""
        return self.driver.execute_script(script, *arguments)

    def find(self, selector: str) -> WebElement:
        """The first element of a selector."""
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def wait(self, script: str) -> None:
        """Wait until a script returns true."""
        WebDriverWait(self.driver, WAIT_SECONDS, poll_frequency=0.02).until(lambda _: self.run(script))

    def requests(self) -> list[str]:
        """The addresses that were asked for since the last time."""
        messages = (json.loads(entry["message"])["message"] for entry in self._log("performance"))
        return [one["params"]["request"]["url"] for one in messages if one["method"] == "Network.requestWillBeSent"]

    def console(self) -> list[str]:
        """What the console said since the last time; a request that the page's policy refuses is said there."""
        return [entry["message"] for entry in self._log("browser")]

    def _log(self, name: str) -> list[dict[str, Any]]:
        return list(self.driver.get_log(name))  # type: ignore[no-untyped-call]

    def picture(self, width: int, height: int) -> bytes:
        """A picture of the page from its top, as PNG."""
        self.resize(width, height)
        self.driver.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
        return base64.b64decode(self.cdp("Page.captureScreenshot", format="png")["data"])


@contextmanager
def running(downloads: Path) -> Iterator[Chromium]:
    """Start Chromium, or skip where it is missing."""
    program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    driver_program = shutil.which("chromedriver")
    if program is None or driver_program is None:
        pytest.skip("Chromium and its driver are not installed (Debian: chromium, chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in (
        "--headless",
        "--hide-scrollbars",
        "--enable-unsafe-swiftshader",
        "--allow-file-access-from-files",
    ):
        options.add_argument(argument)
    if os.geteuid() == 0:
        options.add_argument("--no-sandbox")  # Chromium has none for root
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(driver_program))
    try:
        driver.set_script_timeout(WAIT_SECONDS)
        driver.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(downloads)})
        yield Chromium(driver)
    finally:
        driver.quit()
