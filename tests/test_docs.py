"""What README and docs/ say exists does: commands and options, routes, settings, make targets, links, pages.

Commands are read from inline code and from shell blocks, where a line starts with ``provender``,
``.venv/bin/provender`` or ``make``, after an optional ``$``; routes from any ``GET /path``; settings from YAML blocks
with a ``governance:`` mapping.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
import yaml

if TYPE_CHECKING:
    from fastapi import FastAPI

ROOT = Path(__file__).resolve().parent.parent
INDEX = ROOT / "docs" / "README.md"
PAGES = sorted(
    [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / "feature_repo").rglob("*.md"),
    ]
)
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
ROUTE = re.compile(r"\b(GET|POST|PUT|PATCH|DELETE|HEAD) (/[^\s`\"'|)?]*)")
SHELL = {"", "bash", "console", "sh", "shell", "text"}

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


@dataclass(frozen=True)
class Block:
    """A fenced block: its language and what is in it."""

    language: str
    text: str


def blocks(page: Path) -> list[Block]:
    return [Block(language=language, text=text) for language, text in FENCE.findall(page.read_text())]


def prose(page: Path) -> str:
    return FENCE.sub("", page.read_text())


def typed(page: Path, program: str) -> Iterator[list[str]]:
    """The words after ``program`` wherever the page shows it being typed."""
    shown = [line for block in blocks(page) if block.language in SHELL for line in block.text.splitlines()]
    shown += [line for line in prose(page).splitlines() if line.startswith("    ")]
    for text in [*shown, *INLINE.findall(prose(page))]:
        for part in re.split(r" (?:&&|[|;>]) ", re.sub(r"[\[\]…]|\.\.\.", " ", text)):  # [optional] words count too
            line = part.strip().removeprefix("$ ").removeprefix(".venv/bin/")
            if line == program or line.startswith(f"{program} "):
                yield shlex.split(line, comments=True)[1:]


@each_page
def test_every_command_and_option_named_exists(page: Path) -> None:
    unknown = [
        f"provender {' '.join(words)}: {what}" for words in typed(page, "provender") if (what := unknown_in(words))
    ]
    assert not unknown


def unknown_in(words: list[str]) -> str:
    """The first word that names no command or option of ``provender``; empty when all do. ``a|b`` names both."""
    from typer.main import get_command

    from api.cli.main import app

    commands: list[Any] = [get_command(app)]
    rest = iter(words)
    for word in rest:
        if word.startswith("-"):
            option = [entry for command in commands if (entry := option_of(command, word.partition("=")[0]))]
            if len(option) < len(commands) and word != "--help":
                return word
            if option and not option[0].is_flag and "=" not in word:
                next(rest, None)
        elif all(hasattr(command, "commands") for command in commands):
            if missing := [
                name for name in word.split("|") if any(name not in command.commands for command in commands)
            ]:
                return missing[0]
            commands = [command.commands[name] for command in commands for name in word.split("|")]
    return ""


def option_of(command: Any, name: str) -> Any:
    return next((entry for entry in command.params if name in (*entry.opts, *entry.secondary_opts)), None)


@each_page
def test_every_make_target_named_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {word for words in typed(page, "make") for word in words if "=" not in word and not word.startswith("-")}
    assert named <= targets


@each_page
def test_every_setting_named_exists(page: Path) -> None:
    from api.settings import Governance

    settings = {field.name for field in fields(Governance)}
    named = {name for block in blocks(page) if block.language in {"yaml", "yml"} for name in governed(block.text)}
    named |= set(re.findall(r"`governance: (\w+):?", prose(page)))
    assert named <= settings


def governed(text: str) -> set[str]:
    documents = [document for document in yaml.safe_load_all(text) if isinstance(document, dict)]
    return {
        name
        for document in documents
        if isinstance(document.get("governance"), dict)
        for name in document["governance"]
    }


@each_page
def test_every_route_named_exists(page: Path) -> None:
    named = set(ROUTE.findall(page.read_text()))
    assert not {f"{method} {path}" for method, path in named if not served(method, path)}


def served(method: str, path: str) -> bool:
    """Whether our server has a route for it; ``{name}`` in a path stands for itself."""
    from starlette.routing import Match

    asked = {"type": "http", "method": method, "path": path, "root_path": "", "headers": []}
    return any(route.matches(asked)[0] is Match.FULL for route in application().routes)


@cache
def application() -> FastAPI:
    from api.http.application import create_application
    from api.http.services import Services

    return create_application(cast("Services", None))  # no route is called, so no service is


@each_page
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    broken = [
        target
        for target, place, anchor in links(page)
        if not place.exists() or (anchor and anchor not in anchors(place))
    ]
    assert not broken


def links(page: Path) -> Iterator[tuple[str, Path, str]]:
    """Each relative link of a page: as written, where it leads, and the anchor there."""
    for link, image in LINK.findall(prose(page)):
        target = link or image
        if not re.match(r"[a-z]+:", target):
            path, _, anchor = target.partition("#")
            yield target, (page.parent / path).resolve() if path else page, anchor


def anchors(page: Path) -> set[str]:
    """The anchors that headings get: lower case, punctuation gone, blanks as hyphens."""
    headings = re.findall(r"^#+ +(.+?) *$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_page_is_reached_from_the_index() -> None:
    reached, waiting = set[Path](), [INDEX]
    while waiting:
        page = waiting.pop()
        if page not in reached and page.suffix == ".md":
            reached.add(page)
            waiting += [place for _, place, _ in links(page) if place.exists()]
    lost = {page.relative_to(ROOT).as_posix() for page in (ROOT / "docs").rglob("*.md") if page not in reached}
    assert lost == set()
