"""What the tests of the pages do with a browser."""

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect

from serve.making import PASSWORD

ARGUMENTS = [
    *(["--no-sandbox"] if os.geteuid() == 0 else []),  # which Chromium's does not work for
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDTHS = ("desktop", "phone")
SCREENS: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": {"width": 1280, "height": 900}},
    "phone": {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True},
}
FAILED = re.compile(r"Failed to load resource: (?:.* status of (\d+)|net::)")
UNREACHABLE = 0  # stands for a status where there is no answer
SECONDS = 30  # in which whatever a test waits for has come, also on a busy machine
expect.set_options(timeout=1000 * SECONDS)


@contextmanager
def watched(browser: Browser, width: str, expected: Sequence[int], dark: bool) -> Iterator[Page]:
    """A page of a width.

    Raises:
        AssertionError: At the end, if the console told of an error, but for answers of an expected status.
    """
    context = browser.new_context(**SCREENS[width], color_scheme="dark" if dark else "light")
    context.set_default_timeout(1000 * SECONDS)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.extend(_error(message, expected)))
    yield page
    context.close()
    assert not errors, errors


def _error(message: ConsoleMessage, expected: Sequence[int]) -> list[str]:
    if message.type not in ("error", "warning"):
        return []
    failed = FAILED.match(message.text)
    return [] if failed and int(failed[1] or UNREACHABLE) in expected else [message.text]


def draw(path: Path, *, good: bool = True, seed: int = 0) -> Path:
    """A brown spot on noisy skin, which is answered; or nothing but grey, which an expert must look at."""
    random = np.random.default_rng(seed)
    picture = random.normal((140, 165, 215), 8, (240, 320, 3)).clip(0, 255).astype(np.uint8)
    cv2.ellipse(picture, (160, 120), (68, 48), float(random.integers(180)), 0, 360, (45, 70, 110), -1)
    shown = cv2.GaussianBlur(picture, (0, 0), 1.2) if good else np.full_like(picture, 128)
    cv2.imwrite(str(path), shown)
    return path


def examine(page: Page, url: str, *images: Path) -> str:
    """Sends images of one lesion; gives the id of the case, whose page is open then."""
    page.goto(url)
    page.locator("#images").set_input_files(list(images))
    page.get_by_role("button", name="Examine").click()
    page.wait_for_url("**/cases/*")
    expect(page.locator("#decision")).to_be_visible()
    return page.url.rsplit("/", 1)[-1]


def login(page: Page, url: str, name: str, password: str = PASSWORD) -> None:
    """Is sent to the login by a page, and logs in."""
    page.goto(url)
    page.wait_for_url(re.compile("/login"))
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password", exact=True).fill(password)
    page.get_by_role("button", name="Log in").click()


def reached(page: Page, target: Locator, steps: int = 60) -> Locator:
    """Goes to something by the tab key alone."""
    for _ in range(steps):
        page.keyboard.press("Tab")
        if target.evaluate("element => element === document.activeElement"):
            return target
    raise AssertionError(f"the tab key does not lead to {target}")


def open_maps(page: Page) -> None:
    """Opens the heat maps, which are closed on a phone."""
    if not page.locator("#maps").evaluate("details => details.open"):
        page.get_by_text("Where the network looked").click()
