"""The frame around every page of the viewer: head, navigation, main."""

from __future__ import annotations

from audit.report.markup import Child, element, page


def document(title: str, *main: Child, script: str | None = None, wide: bool = False) -> str:
    """A whole page. ``script`` is the path of an ES module; a page must be complete without it."""
    return page(
        element(
            "html",
            element(
                "head",
                element("meta", charset="utf-8"),
                element("meta", name="viewport", content="width=device-width, initial-scale=1"),
                element("meta", name="color-scheme", content="light dark"),
                element("title", f"{title} · Provender"),
                element("link", rel="stylesheet", href="/static/chain.css"),
                element("link", rel="stylesheet", href="/static/viewer.css"),
                element("link", rel="icon", href="/static/icon.svg", type="image/svg+xml"),
                element("script", type="module", src=script) if script else None,
            ),
            element(
                "body",
                element("a", "Skip to content", class_="skip", href="#main"),
                _banner(),
                element("main", *main, id="main", class_="wide" if wide else None),
            ),
            lang="en",
        )
    )


def _banner() -> Child:
    return element(
        "header",
        element("a", "Provender", class_="mark", href="/"),
        element(
            "nav",
            element("a", "Endpoints", href="/"),
            element("a", "Checkpoint", href="/api/v1/ledger/checkpoint"),
            element("a", "API", href="/docs"),
            aria_label="Main",
        ),
        class_="banner",
    )
