"""A report as one self-contained HTML page: no script, no network, the same bytes for the same report.

>>> from audit.report.html import render_html
>>> page = render_html(report)  # doctest: +SKIP
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from audit.report.facts import moment
from audit.report.markup import markup
from audit.report.picture import picture
from audit.report.report import Report
from audit.report.words import LEVELS

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).parent / "templates"


def render_html(report: Report) -> str:
    """The page. Everything that came from a record is escaped."""
    from markupsafe import Markup  # comes with jinja2

    return (
        _environment()
        .get_template("report.html.jinja")
        .render(
            report=report,
            levels={level.value: meaning for level, meaning in LEVELS.items()},
            policy=content_security_policy(),
            picture=Markup(markup(picture(report, linked=True))),  # noqa: S704 - built from elements, which escape
            style=Markup(_style()),  # noqa: S704 - our own style sheets, hashed in the policy
        )
    )


def content_security_policy() -> str:
    """What the page may load: its own inline style, known by its hash, and nothing else."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


@cache
def chain_style() -> str:
    """The style sheet of the picture, for a page that links to it."""
    return (_TEMPLATES / "chain.css").read_text(encoding="utf-8")


@cache
def _style() -> str:
    return chain_style() + (_TEMPLATES / "report.css").read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["moment"] = moment
    environment.filters["sentence"] = lambda text: f"{text[:1].upper()}{text[1:].rstrip('.')}."
    return environment
