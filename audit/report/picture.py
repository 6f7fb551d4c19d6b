"""The chain as one SVG picture, the same in the report, in print and in the viewer.

Colours and lines come from ``templates/chain.css`` (light, dark, print), so that the picture needs no style
of its own and passes a strict content security policy. A level is never told by colour alone: it is a word
on each card and a pattern of each line.
"""

from __future__ import annotations

from collections.abc import Sequence

from audit.report.facts import short
from audit.report.layout import CARD_HEIGHT, CARD_WIDTH, WIDTH, Edge, Placed, lay_out
from audit.report.markup import Element, element
from audit.report.report import Link, Node, Report, State

_NAME_LETTERS = 36
_SMALL_LETTERS = 46
_PILL_WIDTH = {"claimed": 62, "observed": 68, "verified": 62, "gap": 40, "erased": 56}


def picture(report: Report, *, linked: bool = False) -> Element:
    """The ``svg`` element of a report's chain. ``linked`` makes each card a link to ``#node-<id>``."""
    layout = lay_out(report)
    return element(
        "svg",
        element("title", f"What the endpoint {report.endpoint} was made from"),
        element("desc", _description(report)),
        *[_edge(edge) for edge in layout.edges],
        *[_card(placed, report.link_to(placed.node.id), linked=linked) for placed in layout.placed],
        xmlns="http://www.w3.org/2000/svg",
        class_="chain",
        viewBox=f"0 0 {WIDTH} {layout.height:g}",
        width=WIDTH,
        height=layout.height,
        role="group" if linked else "img",
        aria_label=f"Chain of the endpoint {report.endpoint}",
    )


def status(node: Node, link: Link | None) -> str:
    """The one word for a card: its gap, or the level of the link that leads to it; empty for the endpoint itself."""
    if node.state is not State.KNOWN:
        return node.state.value
    if link is None:
        return ""
    return link.level.value if link.level else "gap"


def _description(report: Report) -> str:
    steps = [
        f"{report.node(link.source).title} to {report.node(link.target).title}: {link.level or 'gap'}"
        for link in report.links
    ]
    return "; ".join(steps)


def _edge(edge: Edge) -> Element:
    """The last stretch bears the level; the lane before it is shared by several links and bears none."""
    *before, last, tip = edge.points
    level = edge.link.level.value if edge.link.level else "gap"
    return element(
        "g",
        element("path", d=_path((*before, last)), class_="trunk") if before else None,
        element("path", d=_path((last, tip)), class_="line"),
        element("path", d=_arrow(last, tip), class_="tip"),
        class_=f"edge {level}",
        aria_hidden="true",
    )


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + " L".join(f"{x:g} {y:g}" for x, y in points)


def _arrow(before: tuple[float, float], tip: tuple[float, float]) -> str:
    (x, y), size = tip, 4.5
    if before[0] == x:
        return f"M{x - size:g} {y - 7:g} L{x:g} {y:g} L{x + size:g} {y - 7:g}"
    back = x - 7 if before[0] < x else x + 7
    return f"M{back:g} {y - size:g} L{x:g} {y:g} L{back:g} {y + size:g}"


def _card(placed: Placed, link: Link | None, *, linked: bool) -> Element:
    node, word = placed.node, status(placed.node, link)
    children = [
        element("rect", class_="face", width=CARD_WIDTH, height=CARD_HEIGHT, rx=6),
        element("text", node.title, class_="kind", x=14, y=20),
        element("text", _cut(node.name, _NAME_LETTERS), class_="name", x=14, y=40),
        element(
            "text",
            _cut(short(node.digest) or node.summary, _SMALL_LETTERS),
            class_="small" if not node.digest else "small code",
            x=14,
            y=57,
        ),
        *_pill(word),
    ]
    inside = element("a", *children, href=f"#node-{node.id}", aria_label=_spoken(node, word)) if linked else None
    return element(
        "g",
        *([inside] if inside is not None else children),
        class_=f"card {node.kind} {word}".rstrip(),
        transform=f"translate({placed.x:g} {placed.y:g})",
        data_node=node.id if linked else None,
    )


def _pill(word: str) -> list[Element]:
    if not word:
        return []
    width = _PILL_WIDTH[word]
    left = CARD_WIDTH - width - 10
    return [
        element("rect", class_="pill", x=left, y=9, width=width, height=16, rx=8),
        element("text", word, class_="level", x=left + width / 2, y=20.5, text_anchor="middle"),
    ]


def _spoken(node: Node, word: str) -> str:
    return f"{node.title}: {node.name}" + (f", {word}" if word else "")


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"
