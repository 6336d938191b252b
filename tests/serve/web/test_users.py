"""Pages of a server that people log in to."""

from playwright.sync_api import expect

from serve.making import PASSWORD
from serve.web.browsing import login
from serve.web.conftest import OpenPage
from serve.web.serving import Running
from transxv2s.serve.auth import users

WRONG = "Name or password is wrong"


def test_who_logs_in_comes_back_to_the_page(people: Running, open_page: OpenPage, width: str) -> None:
    page = open_page(width, 401)
    login(page, f"{people.url}/worklist", "reviewer", "not the password")
    expect(page.get_by_role("alert").filter(has_text=WRONG)).to_be_visible()
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/worklist")
    expect(page.get_by_text("No case waits for an expert.")).to_be_visible()
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url("**/login")
    page.goto(f"{people.url}/worklist")
    page.wait_for_url("**/login?next=%2Fworklist")


def test_login_leads_to_no_other_site(people: Running, open_page: OpenPage) -> None:
    page = open_page("desktop", 401)
    login(page, f"{people.url}/login?next=https://example.org/", "uploader")
    page.wait_for_url(f"{people.url}/")
    for target in ("//example.org/", "/\\example.org", "javascript:alert(1)", "https:/example.org"):
        page.goto(f"{people.url}/login?next={target}")
        expect(page.get_by_role("link", name="Continue")).to_have_js_property("href", f"{people.url}/")
    for target in (
        "/.//example.org",
        "/x/..//example.org",
    ):  # paths of ours that look like another site's name
        page.goto(f"{people.url}/login?next={target}")
        expect(page.get_by_role("link", name="Continue")).to_have_js_property(
            "href", f"{people.url}//example.org"
        )
    page.goto(f"{people.url}/login?next=/account")
    expect(page.get_by_role("link", name="Continue")).to_have_js_property("href", f"{people.url}/account")


def test_uploaders_neither_see_the_worklist_nor_review(people: Running, open_page: OpenPage) -> None:
    page = open_page("desktop", 401, 403)
    login(page, f"{people.url}/", "uploader")
    expect(page.get_by_role("button", name="Examine")).to_be_visible()
    expect(page.get_by_role("link", name="Worklist")).to_be_hidden()
    page.goto(f"{people.url}/worklist")
    expect(page.get_by_role("alert")).to_contain_text("You may not do this")


def test_a_token_is_shown_once_and_can_be_revoked(people: Running, open_page: OpenPage) -> None:
    page = open_page("phone", 401)
    login(page, f"{people.url}/account", "uploader")
    page.get_by_label("Name of the new token").fill("archive")
    page.get_by_role("button", name="Make a token").click()
    expect(page.locator("#token-secret")).to_contain_text("transxv2s_")
    secret = page.locator("#token-secret").inner_text()
    assert page.request.get(
        f"{people.url}/v1/session", headers={"Authorization": f"Bearer {secret}", "Cookie": ""}
    ).ok
    page.reload()
    expect(page.get_by_role("rowheader", name="archive")).to_be_visible()
    assert secret not in page.content()
    page.get_by_role("button", name="Revoke archive").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("row", name="archive")).to_contain_text("revoked")


def test_admins_add_and_shut_out_users(people: Running, open_page: OpenPage) -> None:
    page = open_page("desktop", 401, 409)
    login(page, f"{people.url}/account", "admin")
    form = page.locator("#user-form")
    form.get_by_label("Name").fill("Rita")
    form.get_by_label("Password").fill(PASSWORD)
    form.get_by_label("Role").select_option(label="Reviewer")
    form.get_by_role("button", name="Add a user").click()
    row = page.get_by_role("row", name="rita")
    expect(row).to_contain_text("active")
    row.get_by_role("button", name="Disable rita").click()
    page.get_by_role("dialog").get_by_role("button", name="Disable").click()
    expect(row).to_contain_text("disabled")
    row.get_by_label("Role of rita").select_option(label="Uploader")
    expect(page.get_by_text("rita was changed.")).to_be_visible()
    page.get_by_label("Role of admin").select_option(label="Uploader")
    expect(page.locator("#users-problem")).to_contain_text("Admin is the only admin")
    expect(page.get_by_label("Role of admin")).to_have_value("admin")
    with people.state.database.reading() as session:
        rita = users.get(session, "rita")
    assert (rita.role, rita.disabled_at is None) == ("uploader", False)


def test_a_session_that_ends_takes_nothing_away(people: Running, open_page: OpenPage) -> None:
    page = open_page("desktop", 401)
    login(page, f"{people.url}/account", "uploader")
    expect(page.get_by_role("button", name="Make a token")).to_be_visible()
    page.context.clear_cookies()
    page.get_by_label("Name of the new token").fill("archive")
    page.get_by_role("button", name="Make a token").click()
    expect(page.get_by_role("link", name="Log in again in a new window")).to_be_visible()
    expect(page.get_by_label("Name of the new token")).to_have_value("archive")
