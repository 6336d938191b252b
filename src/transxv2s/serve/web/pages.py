"""The pages. They hold no data, so everybody may have them; what they show needs a role."""

import json
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from transxv2s import NOTICE
from transxv2s.explain.meaning import MEANING
from transxv2s.reports.page import environment
from transxv2s.serve.web.assets import address

TEXTS = Path(__file__).with_name("texts.json")  # every English text of the pages and their scripts
router = APIRouter(default_response_class=HTMLResponse, include_in_schema=False)


@router.get("/")
def send() -> str:
    """Images of a lesion are chosen and sent."""
    return page("send")


@router.get("/cases/{case_id}")
def case(case_id: str) -> str:
    """The finding of a case, its pictures, and its reviews."""
    return page("case")


@router.get("/worklist")
def worklist() -> str:
    """Cases that wait for an expert."""
    return page("worklist")


@router.get("/login")
def login() -> str:
    """Name and password."""
    return page("login")


@router.get("/account")
def account() -> str:
    """Tokens, and for admins the users."""
    return page("account")


@cache
def page(name: str) -> str:
    """The HTML of a page, the same for everybody."""
    template = environment("transxv2s.serve.web").get_template(f"{name}.html.j2")
    content = TEXTS.read_text(encoding="utf-8")
    return template.render(
        page=name,
        texts=json.loads(content, object_hook=_attributes),
        for_scripts=json.loads(content),
        notice=NOTICE,
        meaning=MEANING,
        static=address(),
    )


def _attributes(part: dict[str, Any]) -> SimpleNamespace:
    """Texts for a template, which takes `copy` and `keys` of a dictionary for its methods."""
    return SimpleNamespace(**part)
