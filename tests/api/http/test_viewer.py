"""The viewer and the report in a real browser (Chromium, driven by Playwright)."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import uvicorn

from api.http.application import create_application
from api.http.services import Services
from audit.report.html import render_html

pytestmark = pytest.mark.system

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium")
    assert path is not None, "Chromium is missing; install it with apt"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def address(services: Services) -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(create_application(services), port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(timeout=30)


def opened(browser: Any, url: str, **options: Any) -> tuple[Any, list[str]]:
    page = browser.new_page(**options)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: said.extend([] if request.url.startswith(url[:16]) else [request.url]))
    page.goto(url)
    return page, said


def test_one_finds_a_chain_from_the_list_and_opens_details_with_the_keyboard(browser: Any, address: str) -> None:
    page, said = opened(browser, address)
    page.click("text=survival")
    page.wait_for_selector("html.has-script")
    page.focus('[data-node="endpoint-1"] a')
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    assert page.evaluate("document.activeElement.textContent").startswith("Hardware: NVIDIA H100")
    assert page.locator("article:visible").count() == 1
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.closest('[data-node]').dataset.node") == "hardware-1"
    assert page.url.endswith("#node-hardware-1")
    assert said == []


def test_the_tab_key_reaches_every_card_in_reading_order(browser: Any, address: str, sample: ModuleType) -> None:
    page, _said = opened(browser, f"{address}/endpoints/survival")
    page.focus('[data-node="endpoint-1"] a')
    reached = []
    for _card in page.query_selector_all("[data-node]"):
        reached.append(page.evaluate("document.activeElement.closest('[data-node]')?.dataset.node"))
        page.keyboard.press("Tab")
    assert reached == [card.get_attribute("data-node") for card in page.query_selector_all("[data-node]")]
    assert {node.kind for node in sample.report().nodes} == {str(id_).rpartition("-")[0] for id_ in reached}


def test_without_script_everything_is_on_the_page(browser: Any, address: str, sample: ModuleType) -> None:
    page, said = opened(browser, f"{address}/endpoints/survival", java_script_enabled=False)
    assert page.locator("article:visible").count() == len(sample.report().nodes)
    page.click('[data-node="run-1"] a')
    assert page.url.endswith("#node-run-1")
    assert said == []


def test_a_phone_shows_the_page_without_scrolling_sideways(browser: Any, address: str) -> None:
    page, _said = opened(browser, f"{address}/endpoints/survival", viewport={"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground_in_light_and_dark(
    browser: Any, address: str, sample: ModuleType, tmp_path: Path, scheme: str
) -> None:
    (tmp_path / "report.html").write_text(render_html(sample.report()), encoding="utf-8")
    for url in (f"{address}/endpoints/survival", f"file://{tmp_path}/report.html"):
        page, said = opened(browser, url, color_scheme=scheme)
        ratios = page.evaluate(CONTRAST)
        assert min(ratios.values()) >= 4.5, ratios
        assert said == []


def test_the_report_prints_its_plain_page_on_one_sheet_of_a4(browser: Any, sample: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text(render_html(sample.report()), encoding="utf-8")
    page, _said = opened(browser, f"file://{tmp_path}/report.html", viewport={"width": 665, "height": 940})
    page.emulate_media(media="print")
    height = page.evaluate("document.querySelector('.first').getBoundingClientRect().height")
    assert height <= (297 - 33) / 25.4 * 96
    assert page.pdf(prefer_css_page_size=True).startswith(b"%PDF")


CONTRAST = """() => {
  const style = getComputedStyle(document.documentElement);
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const light = (name) => {
    canvas.fillStyle = style.getPropertyValue(name).trim();
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map((v) => {
      v /= 255;
      return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (one, two) => {
    const [high, low] = [light(one), light(two)].sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
  };
  const pairs = [["--accent", "--paper"]];
  for (const ink of ["--ink", "--soft"]) for (const ground of ["--paper", "--card"]) pairs.push([ink, ground]);
  for (const level of ["verified", "observed", "claimed", "gap"]) pairs.push([`--${level}`, `--${level}-wash`]);
  return Object.fromEntries(pairs.map(([a, b]) => [`${a} on ${b}`, ratio(a, b)]));
}"""
