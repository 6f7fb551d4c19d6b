"""Where each node of a chain stands in its picture: pure arithmetic, no drawing.

The model's half runs down the left column, each with what stands beside it on the right; below, a lane
between the columns leads to everything that the retrieval read.

    endpoint ──── online values
       │
    weights ───── signature
       │
    run ───────── hardware
       │
    snapshot ──── retrieval
               ┌──┘
    definitions┼── entity rows
               │
    source ────┴── source
"""

from __future__ import annotations

from dataclasses import dataclass

from audit.report.report import Link, Node, Report

WIDTH = 760
"""Width of every picture, in its own units."""
CARD_WIDTH = 352
CARD_HEIGHT = 68
ROW = 88
MARGIN = 2
RIGHT = WIDTH - CARD_WIDTH - MARGIN
LANE = WIDTH / 2

_SPINE = ("endpoint", "weights", "run", "snapshot")
_BESIDE = {"online": "endpoint", "signature": "weights", "hardware": "run", "retrieval": "snapshot"}


@dataclass(frozen=True)
class Placed:
    """A node and the upper left corner of its card."""

    node: Node
    x: float
    y: float

    @property
    def middle(self) -> float:
        """Height of the card's middle."""
        return self.y + CARD_HEIGHT / 2

    @property
    def on_left(self) -> bool:
        """Whether it stands in the left column."""
        return self.x == MARGIN


@dataclass(frozen=True)
class Edge:
    """A link and the corners of its line, the first at the source's card."""

    link: Link
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Layout:
    """A picture before it is drawn."""

    placed: tuple[Placed, ...]
    edges: tuple[Edge, ...]
    height: float


def lay_out(report: Report) -> Layout:
    """The layout of a report's chain; the same report always gives the same one.

    What only the online values were made from is left to the details: it would cross the rest.
    """
    placed: list[Placed] = []
    row = 0
    for kind in _SPINE:
        beside = [node for node in report.nodes if _BESIDE.get(node.kind) == kind]
        middle = [node for node in report.nodes if node.kind == kind]
        for index in range(max(len(beside), len(middle))):
            placed += [Placed(node, MARGIN, _top(row)) for node in middle[index : index + 1]]
            placed += [Placed(node, RIGHT, _top(row)) for node in beside[index : index + 1]]
            row += 1
    links = [link for link in report.links if report.node(link.source).kind != "online"]
    reached = {link.target for link in links}
    rest = [node for node in report.nodes if node.kind not in (*_SPINE, *_BESIDE) and node.id in reached]
    for index, node in enumerate(rest):
        placed.append(Placed(node, RIGHT if index % 2 else MARGIN, _top(row + index // 2)))
    row += (len(rest) + 1) // 2
    where = {item.node.id: item for item in placed}
    edges = tuple(
        Edge(link, _line(where[link.source], where[link.target]))
        for link in links
        if link.source in where and link.target in where
    )
    return Layout(tuple(placed), edges, _top(row) - (ROW - CARD_HEIGHT) + 2 * MARGIN if row else 0)


def _top(row: int) -> float:
    return MARGIN + row * ROW


def _line(source: Placed, target: Placed) -> tuple[tuple[float, float], ...]:
    """Straight down, straight across, or out to the lane, along it, and in."""
    below = target.y - source.y
    if source.on_left and target.on_left and 0 < below <= ROW and target.node.kind in _SPINE:
        x = MARGIN + CARD_WIDTH / 2
        return (x, source.y + CARD_HEIGHT), (x, target.y)
    end = (target.x + CARD_WIDTH, target.middle) if target.on_left else (target.x, target.middle)
    start_x = source.x + CARD_WIDTH if source.on_left else source.x
    if below == 0:
        return (start_x, source.middle), end
    leave = source.y + CARD_HEIGHT - 14
    return (start_x, leave), (LANE, leave), (LANE, target.middle), end
