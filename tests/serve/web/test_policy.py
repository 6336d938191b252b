"""That these tests notice what the browser forbids, and what a page looks like on paper."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from serve.web.browsing import draw, examine, watched
from serve.web.conftest import OpenPage
from serve.web.serving import Running

POLICY = "Content Security Policy"


def provoke(browser: Browser, url: str, forbidden: str) -> None:
    with watched(browser, "desktop", (), dark=False) as page:
        page.goto(f"{url}/login")
        expect(page.locator("#signed-in")).to_be_visible()
        with page.expect_console_message():
            page.evaluate(forbidden)


@pytest.mark.parametrize(
    ("forbidden", "words"),
    [
        ("document.body.setAttribute('style', 'color: red')", POLICY),
        ("document.head.append(Object.assign(document.createElement('script'), { text: '0' }))", POLICY),
        ("fetch('https://example.org/').catch(() => null)", POLICY),
        ("console.error('anything')", "anything"),
    ],
    ids=["style", "script", "other site", "error"],
)
def test_what_is_forbidden_fails_a_test(
    server: Running, browser: Browser, forbidden: str, words: str
) -> None:
    with pytest.raises(AssertionError, match=words):
        provoke(browser, server.url, forbidden)


def test_on_paper_there_is_the_finding_and_no_control(
    server: Running, open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page()
    examine(page, server.url, draw(tmp_path / "bad.png", good=False))
    page.emulate_media(media="print")
    for shown in (".notice", "#decision", "#original img", "#probabilities table", "#facts"):
        expect(page.locator(shown)).to_be_visible()
    for hidden in ("#navigation", "#review-form", "#actions", "#methods"):
        expect(page.locator(hidden)).to_be_hidden()
