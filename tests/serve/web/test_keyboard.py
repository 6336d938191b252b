"""Everything without a mouse."""

from pathlib import Path

from playwright.sync_api import expect

from serve.web.browsing import draw, examine, reached
from serve.web.conftest import OpenPage
from serve.web.serving import Running


def test_from_upload_to_the_next_case(server: Running, open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page()
    bad = draw(tmp_path / "bad.png", good=False)
    waiting = examine(page, server.url, bad)
    page.goto(server.url)
    expect(page.locator("#limits")).to_contain_text("at most")
    with page.expect_file_chooser() as chooser:  # asks to be told, before the key is pressed
        reached(page, page.locator("#images"))
        page.keyboard.press("Enter")
    chooser.value.set_files(bad)
    reached(page, page.get_by_role("button", name="Examine"))
    page.keyboard.press("Enter")
    page.wait_for_url("**/cases/*")

    reached(page, page.get_by_role("radio", name="None", exact=True))
    page.keyboard.press("ArrowRight")
    expect(page.locator("img.heat")).to_be_visible()
    reached(page, page.get_by_label("Show the nodes"))
    page.keyboard.press("Space")
    expect(page.locator(".nodes circle")).not_to_have_count(0)
    reached(page, page.get_by_role("radio", name="low"))
    for _ in ("medium", "high"):
        page.keyboard.press("ArrowRight")
    reached(page, page.get_by_role("button", name="Agree: "))
    page.keyboard.press("Enter")
    expect(page.locator("#history")).to_contain_text("Confidence high.")
    expect(page.locator("#review-done")).to_be_focused()
    reached(page, page.get_by_role("link", name="Next case"), steps=1)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/cases/{waiting}")


def test_arrows_walk_through_the_worklist(server: Running, open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page()
    bad = draw(tmp_path / "bad.png", good=False)
    ids = [examine(page, server.url, bad) for _ in range(3)]
    page.goto(f"{server.url}/worklist")
    links = page.locator("#cases a")
    expect(links).to_have_count(3)
    reached(page, links.first)
    for key, place in (("ArrowDown", 1), ("End", 2), ("ArrowDown", 2), ("ArrowUp", 1), ("Home", 0)):
        page.keyboard.press(key)
        expect(links.nth(place)).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/cases/{ids[1]}")


def test_the_first_tab_leads_past_the_navigation(server: Running, open_page: OpenPage) -> None:
    page = open_page()
    page.goto(server.url)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
