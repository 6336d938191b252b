"""Filling the templates."""

from typing import Any

import jinja2

from transxv2s import NOTICE


def percent(probability: float) -> str:
    """A probability for people: ``87 %``, unbroken, but never a false ``0 %`` or ``100 %``."""
    if 0 < probability < 0.01:
        return "<\N{NO-BREAK SPACE}1\N{NO-BREAK SPACE}%"
    if 0.99 < probability < 1:
        return ">\N{NO-BREAK SPACE}99\N{NO-BREAK SPACE}%"
    return f"{100 * probability:.0f}\N{NO-BREAK SPACE}%"


def score_text(value: float | None, digits: int = 3) -> str:
    """A score for people: three digits, or a dash where there was nothing to measure."""
    return "–" if value is None else f"{value:.{digits}f}"


def interval_text(interval: dict[str, float | None] | None, digits: int = 3) -> str:
    """A score and its interval, if it has one: ``0.512 (0.470 to 0.552)``."""
    value, low, high = (score_text((interval or {}).get(end), digits) for end in ("value", "low", "high"))
    return value if low == high == "–" else f"{value} ({low} to {high})"


def fill(template: str, **values: Any) -> str:
    """An HTML document from a template of this package; everything filled in is escaped."""
    templates = environment("transxv2s")
    templates.filters |= {
        "percent": percent,
        "score": score_text,
        "interval": interval_text,
    }
    return templates.get_template(template).render(notice=NOTICE, **values)


def environment(package: str) -> jinja2.Environment:
    """Templates in the folder `templates` of a package; what is filled in is escaped and must be there."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader(package),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
