"""The pages without a browser: what a strict policy needs, and that all words stand in one place."""

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from transxv2s import NOTICE
from transxv2s.serve import web
from transxv2s.serve.web.assets import FOLDER, address
from transxv2s.serve.web.pages import TEXTS

PAGES = ("/", f"/cases/{'0' * 32}", "/worklist", "/login", "/account")
WORDS = json.loads(TEXTS.read_text(encoding="utf-8"))
TEMPLATES = sorted(TEXTS.with_name("templates").glob("*.j2"))
SCRIPTS = sorted(FOLDER.rglob("*.js"))


@pytest.fixture(scope="module")
def client() -> TestClient:
    app = FastAPI()
    app.include_router(web.router)
    web.mount_static(app)
    return TestClient(app)


class Tags(HTMLParser):
    """All tags of a page with their attributes, and the words between them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data.strip())


@pytest.mark.parametrize("path", PAGES)
def test_nothing_that_the_policy_forbids(client: TestClient, path: str) -> None:
    tags = Tags(client.get(path).text).tags
    for tag, attributes in tags:
        assert tag != "style"
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
        if tag == "script":
            assert "src" in attributes or attributes["type"] == "application/json"


@pytest.mark.parametrize("path", PAGES)
def test_everything_comes_from_this_server(client: TestClient, path: str) -> None:
    tags = Tags(client.get(path).text).tags
    links = [a[key] or "" for _, a in tags for key in ("src", "href") if key in a]
    for link in links:
        assert link.startswith(("/", "#"))
        if link.startswith("/static/"):
            assert client.get(link).status_code == 200


def test_scripts_and_sheets_name_no_other_server() -> None:
    for file in FOLDER.rglob("*"):
        if file.suffix in (".js", ".css"):
            content = re.sub(r"//\s.*|http://www\.w3\.org/2000/svg", "", file.read_text())
            assert "//" not in content, file.name


def test_scripts_import_files_that_are_there() -> None:
    for script in SCRIPTS:
        for target in re.findall(r'from "([^"]+)"', script.read_text()):
            assert (script.parent / target).is_file(), f"{script.name} imports {target}"


@pytest.mark.parametrize("path", PAGES)
def test_every_page_says_that_it_is_no_diagnosis(client: TestClient, path: str) -> None:
    html = client.get(path).text
    assert NOTICE in html
    assert "built-in method" not in html  # where a text is called like a method of its list


def test_files_are_kept_for_ever_under_an_address_of_their_own(client: TestClient) -> None:
    answer = client.get(f"{address()}/css/base.css")
    assert "immutable" in answer.headers["Cache-Control"]
    assert client.get("/static/css/base.css").status_code == 404


def _leaves(part: object, path: str = "") -> Iterator[str]:
    if isinstance(part, dict) and "other" not in part:
        for name, value in part.items():
            yield from _leaves(value, f"{path}.{name}".lstrip("."))
    else:
        yield path


def _used() -> str:
    return "\n".join(file.read_text() for file in (*TEMPLATES, *SCRIPTS))


def test_every_text_is_used_and_is_there() -> None:
    used = "\n".join(file.read_text() for file in (*TEMPLATES, *SCRIPTS))
    keys = set(_leaves(WORDS))
    computed = {key for key in keys if _is_computed(used, key.rpartition(".")[0])}
    named = {*re.findall(r"texts\.(\w+(?:\.\w+)?)", used), *re.findall(r'"([a-z]+\.[a-z_]+)"', used)}
    assert keys - computed - named == set()
    assert {key for key in named if key.partition(".")[0] in WORDS} - keys - {*WORDS} == set()


def _is_computed(used: str, part: str) -> bool:
    """Whether the names of a part come from data, such as the codes of roles."""
    return f"`{part}.${{" in used or f"texts.{part}[" in used


def test_no_words_but_those_in_the_list() -> None:
    for template in TEMPLATES:
        plain = re.sub(r"\{[{%#].*?[}%#]\}", "", template.read_text(), flags=re.DOTALL)
        words = [text for text in Tags(plain).words if re.search(r"[A-Za-z]{2}", text)]
        assert words == [], template.name
