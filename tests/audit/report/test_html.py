from __future__ import annotations

import re
from html.parser import HTMLParser
from types import ModuleType

import pytest

from audit.report.html import content_security_policy, render_html
from audit.report.words import DOES_NOT_PROVE


class _Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(str(value))
            if name in {"href", "src"}:
                self.references.append(str(value))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture
def seen(sample: ModuleType) -> _Seen:
    seen = _Seen()
    seen.feed(render_html(sample.report()))
    return seen


def test_the_same_report_gives_the_same_bytes(sample: ModuleType) -> None:
    assert render_html(sample.report()).encode() == render_html(sample.report()).encode()


def test_the_page_loads_nothing_and_runs_nothing(seen: _Seen, sample: ModuleType) -> None:
    assert not {"script", "link", "img", "iframe", "object"} & set(seen.tags)
    assert all(reference.startswith("#") for reference in seen.references)
    assert "url(" not in render_html(sample.report())
    assert "@import" not in render_html(sample.report())


def test_every_reference_inside_the_page_has_its_place_and_no_id_occurs_twice(seen: _Seen) -> None:
    assert {reference.removeprefix("#") for reference in seen.references} <= set(seen.ids)
    assert len(seen.ids) == len(set(seen.ids))


def test_the_page_says_levels_digests_limits_time_and_tree_size(seen: _Seen, sample: ModuleType) -> None:
    words = " ".join(seen.words)
    for expected in (
        *DOES_NOT_PROVE,
        "verified",
        "claimed",
        "oms1-sha256:",
        "tree size 9",
        "As of 2026-03-01 10:07:00 UTC",
    ):
        assert expected in words
    assert sample.SNAPSHOT in words


def test_markup_in_a_record_is_text(sample: ModuleType) -> None:
    evil = '<script>alert(1)</script>"\x00&amp;'
    acts = [
        sample.deployment(feature_service=evil, server={"framework": evil}) if act.kind == "deployment" else act
        for act in sample.statements()
    ]
    page = render_html(sample.report(acts))
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    name = sample.deployment(evil)
    assert "<script" not in render_html(sample.report([name], evil))


def test_the_style_is_the_one_that_the_policy_allows(sample: ModuleType) -> None:
    import base64
    import hashlib

    page = render_html(sample.report())
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"'sha256-{digest}'" in content_security_policy()


def test_a_report_with_gaps_names_them_on_its_first_page(sample: ModuleType) -> None:
    page = render_html(sample.report([sample.deployment()]))
    assert page.index("no training record states the digest of these weights") < page.index("The chain, link by link")
