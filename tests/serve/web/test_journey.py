"""From the upload to the export, as a clinician goes."""

import csv
import io
import zipfile
from pathlib import Path

from playwright.sync_api import Page, expect

from serve.making import finding, make
from serve.web.browsing import draw, examine, open_maps
from serve.web.conftest import SIDE, OpenPage
from serve.web.serving import Running

MEANING = "A heat map shows what moved the network, not why the lesion is what it is."
NOTICE = "This is not a diagnosis"


def show_heat_map(page: Page, method: str) -> None:
    open_maps(page)
    page.get_by_role("radio", name=method).check()
    expect(page.locator("img.heat")).to_be_visible()
    assert page.locator("img.heat").evaluate("image => image.decode().then(() => image.naturalWidth)") == SIDE


def test_from_upload_to_export(server: Running, open_page: OpenPage, width: str, tmp_path: Path) -> None:
    page = open_page(width)
    page.goto(server.url)
    expect(page.locator("#keep")).to_contain_text("its images are kept for 7 more days at most")
    page.locator("#images").set_input_files([draw(tmp_path / "Miller.png", good=False)])
    expect(page.get_by_text("1 image of one lesion")).to_be_visible()
    page.get_by_label("Age in years").fill("64")
    page.get_by_label("Sex").select_option(label="Female")
    page.get_by_label("Site").select_option(label="Lower extremity")
    page.get_by_role("button", name="Examine").click()

    page.wait_for_url("**/cases/*")
    expect(page.get_by_role("heading", name="An expert must look", exact=True)).to_be_visible()
    expect(page.get_by_text(NOTICE)).to_be_in_viewport()
    expect(page.locator("#facts")).to_contain_text("64 years, female")
    expect(page.locator("#facts")).to_contain_text("images within 7 days of a review")
    assert "Miller" not in page.content()
    case = page.url.rsplit("/", 1)[-1]

    show_heat_map(page, "HiResCAM")
    expect(page.get_by_text(MEANING)).to_be_visible()
    page.get_by_label("Opacity").fill("30")
    assert page.locator("img.heat").evaluate("image => getComputedStyle(image).opacity") == "0.3"
    page.get_by_label("For the class").select_option(label="vascular lesion")
    expect(page.get_by_text("HiResCAM for vascular lesion is shown.")).to_be_visible()
    page.get_by_label("Show the nodes").check()
    expect(page.locator(".nodes circle")).not_to_have_count(0)

    page.get_by_role("radio", name="high").check()
    page.get_by_label("Comment").fill("Blue veil.")
    page.get_by_role("button", name="Another diagnosis").click()
    page.get_by_role("radio", name="Melanoma").check()
    page.get_by_role("button", name="Record the diagnosis").click()
    expect(page.locator("#review-done")).to_contain_text("Recorded: melanoma. No other case waits.")
    expect(page.get_by_role("heading", name="Reviewed: melanoma")).to_be_visible()
    expect(page.locator("#history")).to_contain_text("Blue veil.")
    expect(page.locator("#facts")).to_contain_text("Images until ")

    page.get_by_role("link", name="To the worklist").click()
    expect(page.get_by_text("No case waits for an expert.")).to_be_visible()
    with page.expect_download() as download:
        page.get_by_role("button", name="Export reviewed cases").click()
    archive = zipfile.ZipFile(download.value.path())
    [row] = csv.DictReader(io.TextIOWrapper(archive.open("reviewed.csv")))
    assert (row["label"], row["lesion"], row["age"], row["confidence"]) == ("MEL", case, "64", "high")
    assert archive.read(row["image"]).startswith(b"\x89PNG")


def test_an_answer_says_what_and_how_sure(server: Running, open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page("phone")
    examine(page, server.url, draw(tmp_path / "a.png"))
    decision = page.locator("#decision")
    expect(decision).to_contain_text("Answer: ")
    expect(decision).to_contain_text("The system found no reason of its own to doubt this answer.")
    rows = page.locator("#probabilities tbody tr")
    expect(rows).to_have_count(8)
    shares = [int(text.strip("<> %\N{NO-BREAK SPACE}")) for text in rows.locator(".value").all_inner_texts()]
    assert shares == sorted(shares, reverse=True)
    assert abs(sum(shares) - 100) <= 4  # each is rounded
    for name in ("melanoma", "basal cell carcinoma", "squamous cell carcinoma"):
        expect(rows.filter(has_text=name)).to_contain_text("malignant")
    expect(page.get_by_text("No expert has to look at this case.")).to_be_visible()
    expect(page.locator("#facts")).to_contain_text("The images are not kept.")


def test_several_images_of_one_lesion_are_one_case(
    server: Running, open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page()
    examine(page, server.url, draw(tmp_path / "a.png"), draw(tmp_path / "b.png", good=False))
    expect(page.get_by_role("heading", name="An expert must look", exact=True)).to_be_visible()
    expect(page.locator("#decision")).to_contain_text("Mean over 2 images.")
    expect(page.locator("#probabilities")).to_contain_text("Nothing was found that speaks against")
    page.get_by_role("button", name="Image 2").click()
    expect(page.locator("#probabilities")).not_to_contain_text("Nothing was found")
    expect(page.get_by_alt_text("Dermoscopic image 2")).to_be_visible()
    show_heat_map(page, "EigenCAM")
    expect(page.get_by_text("This method gives the same map for every class.")).to_be_visible()
    page.get_by_role("button", name="Image 1").click()
    expect(page.locator("img.heat")).to_be_visible()


FETCHES = """
  const request = window.fetch;
  window.asked = [];
  window.fetch = (path, options) => {
    window.asked.push(path);
    return request(path, options);
  };
"""


def test_who_walks_past_a_heat_map_does_not_ask_for_it(
    server: Running, open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page()
    page.add_init_script(FETCHES)
    examine(page, server.url, draw(tmp_path / "a.png"))
    page.locator("#methods input").evaluate_all("radios => radios.forEach((radio) => radio.click())")
    expect(page.locator("img.heat")).to_be_visible()
    last = page.locator("#methods input").last.get_attribute("value")
    [asked] = [path for path in page.evaluate("window.asked") if "/heat-maps/" in path]
    assert f"/heat-maps/{last}.png" in asked


def test_agreeing_takes_two_clicks_and_leads_to_the_next_case(
    server: Running, open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page()
    bad = draw(tmp_path / "bad.png", good=False)
    first, second = (examine(page, server.url, bad) for _ in range(2))
    page.goto(f"{server.url}/worklist")
    expect(page.get_by_text("2 cases wait")).to_be_visible()
    expect(page.locator("#cases img")).to_have_count(2)
    expect(page.locator("#cases li.waiting-case").first).to_contain_text("kept until ")
    page.locator("#cases a").first.click()
    page.wait_for_url(f"**/cases/{first}")
    page.get_by_role("radio", name="medium").check()
    page.get_by_role("button", name="Agree: ").click()
    expect(page.locator("#history")).to_contain_text("agrees with the network")
    expect(page.locator("#history")).to_contain_text("Confidence medium. local")
    page.get_by_role("link", name="Next case").click()
    page.wait_for_url(f"**/cases/{second}")


def test_no_confidence_is_recorded_that_nobody_chose(
    server: Running, open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page()
    case = examine(page, server.url, draw(tmp_path / "bad.png", good=False))
    missing = page.get_by_role("alert").filter(has_text="Choose first how sure you are.")
    page.get_by_role("button", name="Agree: ").click()
    expect(missing).to_be_visible()
    expect(page.get_by_role("radio", name="low")).to_be_focused()
    page.keyboard.press("Space")
    expect(missing).to_have_count(0)
    page.get_by_role("button", name="Agree: ").click()
    expect(page.locator("#history")).to_contain_text("Confidence low.")
    page.get_by_role("button", name="Agree: ").click()  # a second opinion needs a choice of its own
    expect(missing).to_be_visible()
    assert len(page.request.get(f"{server.url}/v1/findings/{case}").json()["reviews"]) == 1


def test_opinions_are_added_and_the_last_one_counts(
    server: Running, open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page()
    examine(page, server.url, draw(tmp_path / "bad.png", good=False))
    page.get_by_role("radio", name="medium").check()
    page.get_by_role("button", name="Agree: ").click()
    expect(page.locator("#history li")).to_have_count(1)
    page.get_by_role("radio", name="high").check()
    page.get_by_role("button", name="Another diagnosis").click()
    page.get_by_role("button", name="Record the diagnosis").click()
    expect(page.get_by_text("Choose a diagnosis first.")).to_be_visible()
    page.get_by_role("radio", name="None of the others").check()
    page.get_by_role("button", name="Record the diagnosis").click()
    entries = page.locator("#history li")
    expect(entries).to_have_count(2)
    expect(entries.last).to_contain_text("None of the others, corrects the network this one counts")
    expect(entries.first).not_to_contain_text("this one counts")


def test_a_case_can_be_taken_along_and_deleted(server: Running, open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page("desktop", 404)
    case = examine(page, server.url, draw(tmp_path / "a.png"))
    with page.expect_download() as download:
        page.get_by_role("button", name="FHIR report").click()
    assert '"Bundle"' in Path(download.value.path()).read_text()
    page.get_by_role("button", name="Delete this case").click()
    expect(page.get_by_role("button", name="Keep it")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="Delete this case")).to_be_focused()
    page.get_by_role("button", name="Delete this case").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_text("This case was deleted.")).to_be_visible()
    page.goto(f"{server.url}/cases/{case}")
    expect(page.get_by_role("alert")).to_contain_text("This case has been deleted")


def test_the_worklist_goes_on_where_its_first_page_ends(server: Running, open_page: OpenPage) -> None:
    state = server.state
    chances = [n / 20 for n in range(21)]
    cases = [make(state.database, state.store, state.settings, finding({"MEL": p})) for p in chances]
    page = open_page()
    page.goto(f"{server.url}/worklist")
    links = page.locator("#cases a")
    expect(links).to_have_count(20)
    expect(page.get_by_text("21 cases wait")).to_be_visible()
    page.get_by_role("button", name="Show more cases").click()
    expect(links).to_have_count(21)
    expect(links.last).to_be_focused()
    expect(page.get_by_role("button", name="Show more cases")).to_be_hidden()
    order = [link.get_attribute("href") for link in links.all()]
    assert order == [f"/cases/{case.id}" for case in reversed(cases)]


def test_images_can_be_dropped_anywhere(server: Running, open_page: OpenPage) -> None:
    page = open_page()
    page.goto(server.url)
    dropped = page.evaluate_handle(
        """() => {
          const data = new DataTransfer();
          data.items.add(new File(["not empty"], "dropped.png", { type: "image/png" }));
          return data;
        }"""
    )
    page.dispatch_event("body", "dragenter", {"dataTransfer": dropped})
    expect(page.locator("#drop.over")).to_be_visible()
    page.dispatch_event("body", "drop", {"dataTransfer": dropped})
    expect(page.locator("#drop.over")).to_have_count(0)
    expect(page.get_by_role("button", name="Remove dropped.png")).to_be_visible()


RECORD = """
  const send = XMLHttpRequest.prototype.send;
  XMLHttpRequest.prototype.send = function (data) {
    window.sent = [...data.entries()].map(([name, value]) => [name, value.name ?? value]);
    send.call(this, data);
  };
"""


PROGRESS = """
  XMLHttpRequest.prototype.send = function () {
    const words = document.getElementById("sending-words");
    window.said = [];
    new MutationObserver((changes) => {
      for (const { addedNodes } of changes) window.said.push(...[...addedNodes].map((node) => node.data));
    }).observe(words, { childList: true });
    for (let loaded = 0; loaded <= 100; loaded += 1) this.upload.onprogress({ loaded, total: 100 });
    this.upload.onload();
  };
"""


def test_screen_readers_are_told_of_quarters_only(
    server: Running, open_page: OpenPage, tmp_path: Path
) -> None:
    page = open_page()
    page.add_init_script(PROGRESS)
    page.goto(server.url)
    page.locator("#images").set_input_files([draw(tmp_path / "a.png")])
    page.get_by_role("button", name="Examine").click()
    expect(page.get_by_role("status").filter(has_text="The network is looking")).to_be_visible()
    told = [words.replace("\N{NO-BREAK SPACE}", " ") for words in page.evaluate("window.said")]
    quarters = [f"Sending … {percent} %" for percent in (25, 50, 75, 100)]
    assert told == [*quarters, "Sent. The network is looking …"]


def test_no_file_name_is_sent(server: Running, open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page()
    page.add_init_script(RECORD)
    page.route("**/v1/findings", lambda route: None)  # never answered
    page.goto(server.url)
    page.locator("#images").set_input_files([draw(tmp_path / "Miller.png")])
    page.get_by_label("Age in years").fill("64")
    with page.expect_request("**/v1/findings"):
        page.get_by_role("button", name="Examine").click()
    expect(page.get_by_role("button", name="Cancel")).to_be_visible()
    assert page.evaluate("window.sent") == [["images", "image 1"], ["age", "64"]]
    page.unroute_all(behavior="ignoreErrors")
