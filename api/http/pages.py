"""The viewer's pages, complete without a script: the list of endpoints, and the chain of one."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response

from api.http.frame import document
from api.http.services import ServicesDep
from audit.report import EndpointSummary, Link, Node, Report
from audit.report.facts import moment, short
from audit.report.html import chain_style
from audit.report.markup import Child, Element, element
from audit.report.picture import picture, status

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)


@router.get("/")
def list_page(services: ServicesDep) -> str:
    """All endpoints, each a link to its chain."""
    endpoints = services.endpoints()
    return document(
        "Endpoints",
        element("h1", "Endpoints"),
        element("p", "What answers people, and what each of it was made from.", class_="lead"),
        _table(endpoints)
        if endpoints
        else element("p", "Nothing was deployed yet. ", element("code", "provender demo"), " builds a whole chain."),
    )


@router.get("/endpoints/{name}")
def chain_page(name: str, services: ServicesDep) -> str:
    """The picture of one endpoint's chain, its details, and the same as a list."""
    report = services.report(name)
    return document(
        report.endpoint,
        _heading(report),
        element(
            "div",
            element(
                "section", picture(report, linked=True), _keys(), class_="picture", aria_label="Picture of the chain"
            ),
            element(
                "section",
                element("h2", "Details", id="details"),
                element("p", "Choose a card in the picture to see what is recorded about it.", class_="hint"),
                *[_details(report, node) for node in report.nodes],
                class_="details",
                aria_labelledby="details",
            ),
            class_="board",
        ),
        _as_list(report),
        element(
            "section",
            element("h2", "What this does not prove", id="limits"),
            element("ul", *[element("li", limit) for limit in report.does_not_prove]),
            element(
                "p",
                f"As of {moment(report.as_of)}, tree size {report.tree_size:,}, ledger {report.origin}.",
                class_="soft",
            ),
            aria_labelledby="limits",
        ),
        script="/static/viewer.js",
        wide=True,
    )


@router.get("/static/chain.css")
def chain_css() -> Response:
    """The style sheet that the report and the viewer share."""
    return Response(chain_style(), media_type="text/css", headers={"Cache-Control": "no-cache"})


def _table(endpoints: Sequence[EndpointSummary]) -> Element:
    head = [element("th", title, scope="col") for title in ("Endpoint", "State", "Weights it loaded", "Recorded")]
    rows = [
        element(
            "tr",
            element("th", element("a", line.name, href=f"/endpoints/{_quoted(line.name)}"), scope="row"),
            element("td", line.state),
            element("td", element("code", short(line.weights) or "none", title=line.weights)),
            element("td", moment(line.when)),
        )
        for line in endpoints
    ]
    return element("table", element("thead", element("tr", *head)), element("tbody", *rows))


def _heading(report: Report) -> Element:
    name = _quoted(report.endpoint)
    return element(
        "div",
        element("h1", report.endpoint),
        element("p", report.headline, class_="lead"),
        element(
            "p",
            element("a", "Report", href=f"/api/v1/endpoints/{name}/report?format=html"),
            " · ",
            element("a", "Report as JSON", href=f"/api/v1/endpoints/{name}/report"),
            " · ",
            element("a", "Chain as JSON", href=f"/api/v1/endpoints/{name}/chain"),
            class_="actions",
        ),
        class_="heading",
    )


def _keys() -> Element:
    return element(
        "p",
        "Solid line: verified. Long dashes: observed. Short dashes: claimed. Dots: a gap.",
        element("span", " Arrow keys move between cards, Enter opens one, Escape goes back.", class_="scripted"),
        class_="soft",
    )


def _details(report: Report, node: Node) -> Element:
    link = report.link_to(node.id)
    return element(
        "article",
        element("h3", f"{node.title}: {node.name}", tabindex="-1", id=f"head-{node.id}"),
        element("p", node.summary) if node.summary else None,
        _how_known(node, link),
        element("dl", *[part for pair in _pairs(node) for part in pair], class_="facts"),
        id=f"node-{node.id}",
        aria_labelledby=f"head-{node.id}",
    )


def _how_known(node: Node, link: Link | None) -> Child:
    if link is None:
        return None
    word = status(node, link)
    return element("p", element("span", word, class_=f"level-word {word}"), f" {link.basis}.")


def _pairs(node: Node) -> list[tuple[Element, Element]]:
    pairs = [_pair("Digest", node.digest, code=True)] if node.digest else []
    pairs += [_pair(fact.label, fact.value, code=fact.code) for fact in node.facts]
    if node.when:
        pairs.append(_pair("Recorded", f"{moment(node.when)}{f', by {node.who}' if node.who else ''}", code=False))
    return pairs + [_pair("Record", record, code=True) for record in node.records]


def _pair(label: str, value: str, *, code: bool) -> tuple[Element, Element]:
    return element("dt", label), element("dd", value, class_="code" if code else None)


def _as_list(report: Report) -> Element:
    return element(
        "section",
        element("h2", "The chain as a list", id="list"),
        element("ol", *[_line(report, link) for link in report.links]),
        aria_labelledby="list",
    )


def _line(report: Report, link: Link) -> Element:
    source, target = report.node(link.source), report.node(link.target)
    word = link.level.value if link.level else "gap"
    return element(
        "li",
        element("a", f"{source.title} {source.name}", href=f"#node-{source.id}"),
        f" {link.relation} ",
        element("a", f"{target.title} {target.name}", href=f"#node-{target.id}"),
        " ",
        element("span", word, class_=f"level-word {word}"),
    )


def _quoted(name: str) -> str:
    return quote(name, safe="")
