"""No page has serious faults for users of assistive technology, and none has to be scrolled sideways."""

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Page, expect

from serve.web.browsing import draw, examine, login, open_maps
from serve.web.conftest import OpenPage
from serve.web.serving import Running

SERIOUS = ("serious", "critical")


def check(page: Page) -> None:
    found = Axe().run(page).response["violations"]
    faults = [(f["id"], [node["html"] for node in f["nodes"]]) for f in found if f["impact"] in SERIOUS]
    assert not faults, faults
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "wider than the screen"


@pytest.mark.parametrize(("width", "dark"), [("desktop", False), ("phone", False), ("phone", True)])
def test_pages_of_one_person(
    server: Running, open_page: OpenPage, width: str, dark: bool, tmp_path: Path
) -> None:
    page = open_page(width, dark=dark)
    page.goto(server.url)
    expect(page.locator("#limits")).to_contain_text("at most")
    page.locator("#images").set_input_files([draw(tmp_path / "a.png"), draw(tmp_path / "b.png", good=False)])
    page.get_by_label("Age in years").fill("old")
    page.get_by_role("button", name="Examine").click()
    check(page)

    examine(page, server.url, draw(tmp_path / "a.png"))
    open_maps(page)
    page.get_by_role("radio", name="HiResCAM").check()
    page.get_by_label("Show the nodes").check()
    expect(page.locator(".nodes circle")).not_to_have_count(0)
    expect(page.locator("img.heat")).to_be_visible()
    check(page)
    page.get_by_role("button", name="Delete this case").click()
    check(page)

    examine(page, server.url, tmp_path / "a.png", tmp_path / "b.png")
    page.get_by_role("button", name="Another diagnosis").click()
    check(page)
    page.goto(f"{server.url}/worklist")
    expect(page.locator("#cases > li")).to_have_count(1)
    check(page)
    page.locator("#cases a").click()
    page.get_by_role("button", name="Agree: ").click()
    expect(page.get_by_text("Choose first how sure you are.")).to_be_visible()
    check(page)
    page.get_by_role("radio", name="high").check()
    page.get_by_role("button", name="Agree: ").click()
    expect(page.locator("#review-done")).to_contain_text("Recorded")
    check(page)
    for path, text in (("/worklist", "No case waits"), ("/account", "one person"), ("/login", "No login")):
        page.goto(f"{server.url}{path}")
        expect(page.locator("main").get_by_text(text)).to_be_visible()
        check(page)


def test_pages_of_users(people: Running, open_page: OpenPage, width: str) -> None:
    page = open_page(width, 401, 404)
    login(page, f"{people.url}/account", "admin", "not the password")
    expect(page.get_by_role("alert").filter(has_text="wrong")).to_be_visible()
    check(page)
    login(page, f"{people.url}/account", "admin")
    page.get_by_label("Name of the new token").fill("archive")
    page.get_by_role("button", name="Make a token").click()
    expect(page.locator("#token-secret")).to_be_visible()
    check(page)
    page.goto(f"{people.url}/cases/{'0' * 32}")
    expect(page.get_by_role("alert")).to_be_visible()
    check(page)
