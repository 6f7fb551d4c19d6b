"""Elements of HTML and SVG as values, so that text is escaped by construction and output is always the same bytes."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import TypeAlias
from xml.etree import ElementTree as ET

Element: TypeAlias = ET.Element
Child: TypeAlias = "Element | str | None"


_VOID = frozenset({"meta", "link", "br", "col", "hr", "img", "input"})


def element(tag: str, *children: Child, **attributes: str | float | None) -> Element:
    """An element. ``class_`` drops its underscore, other underscores become hyphens; None leaves an attribute out."""
    made = ET.Element(
        tag,
        {
            name.rstrip("_").replace("_", "-"): _written(value)
            for name, value in attributes.items()
            if value is not None
        },
    )
    last: Element | None = None
    for child in children:
        if child is None:
            continue
        if isinstance(child, str):
            last = _add_text(made, last, child)
        else:
            made.append(child)
            last = child
    return made


def markup(root: Element) -> str:
    """HTML text of ``root``: void elements without an end tag, everything else escaped and closed."""
    return "".join(_pieces(root))


def _pieces(node: Element) -> Iterator[str]:
    # Not ElementTree's own writer: it leaves "<" in attributes and text in <script> and <style> as they are.
    attributes = "".join(f' {name}="{escape(value)}"' for name, value in node.items())
    yield f"<{node.tag}{attributes}>"
    if node.tag not in _VOID:
        yield escape(node.text or "", quote=False)
        for child in node:
            yield from _pieces(child)
            yield escape(child.tail or "", quote=False)
        yield f"</{node.tag}>"


def page(root: Element) -> str:
    """A whole document: doctype and ``root``."""
    return f"<!doctype html>\n{markup(root)}\n"


def _add_text(parent: Element, after: Element | None, text: str) -> Element | None:
    clean = _printable(text)
    if after is None:
        parent.text = (parent.text or "") + clean
    else:
        after.tail = (after.tail or "") + clean
    return after


def _written(value: str | float) -> str:
    return _printable(value) if isinstance(value, str) else f"{value:g}"


def _printable(text: str) -> str:
    """``text`` without control characters and lone surrogates, which no document may hold."""
    return (
        "".join(letter if letter >= " " or letter in "\n\t" else "\N{REPLACEMENT CHARACTER}" for letter in text)
        .encode("utf-8", "replace")
        .decode("utf-8")
    )
