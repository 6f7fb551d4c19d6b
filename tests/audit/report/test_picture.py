from __future__ import annotations

from dataclasses import replace
from types import ModuleType
from xml.etree import ElementTree as ET

from audit.report.layout import CARD_HEIGHT, CARD_WIDTH, lay_out
from audit.report.markup import element, markup
from audit.report.picture import picture


def test_the_picture_is_well_formed_and_names_every_main_node(sample: ModuleType) -> None:
    report = sample.report()
    text = ET.tostring(picture(report), encoding="unicode")
    ET.fromstring(text)
    for node in report.nodes:
        assert node.title in text


def test_no_two_cards_overlap_and_none_leaves_the_picture(sample: ModuleType) -> None:
    layout = lay_out(sample.report())
    corners = [(placed.x, placed.y) for placed in layout.placed]
    assert len(corners) == len(set(corners))
    for x, y in corners:
        assert all(abs(x - a) >= CARD_WIDTH or abs(y - b) >= CARD_HEIGHT for a, b in corners if (a, b) != (x, y))
        assert y + CARD_HEIGHT <= layout.height


def test_many_sources_each_get_a_card_and_a_line(sample: ModuleType) -> None:
    sources = [sample.source(f"source_{number:02}") for number in range(23)]
    acts = [sample.retrieval(sources=sources) if act.kind == "retrieval" else act for act in sample.statements()]
    layout = lay_out(sample.report(acts))
    assert sum(placed.node.kind == "source" for placed in layout.placed) == 23
    assert len(layout.edges) >= 23


def test_a_gap_is_a_word_and_a_class_not_only_a_colour(sample: ModuleType) -> None:
    text = markup(picture(sample.report([sample.deployment()])))
    assert ">gap</text>" in text
    assert 'class="edge gap"' in text


def test_long_names_are_cut_and_control_characters_replaced(sample: ModuleType) -> None:
    report = sample.report()
    nodes = tuple(replace(node, name="x" * 400 + "\x07") for node in report.nodes)
    assert "x" * 60 not in markup(picture(replace(report, nodes=nodes)))
    assert markup(element("p", "a\x07b")) == "<p>a\N{REPLACEMENT CHARACTER}b</p>"
