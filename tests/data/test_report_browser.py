"""A report in a real browser: drawn, read, pointed at and printed.

Where there is no Chromium or Chrome, they are skipped, and one line says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest
from playwright.sync_api import Browser, Dialog, Page, sync_playwright

from scarf_async.data import Report, report

from .browser import chromium
from .jobs import job_of, window

FIRST = "</script><script>alert(1)</script>"
NAMES = (FIRST, "__proto__", '"><img src=x onerror=alert(1)>', "constructor", "{{7*7}}", "\u202eevil", "a" * 300)
FIGURES = ["downloads", "versions", "origins", "packages", "connections", "countries"]

# A mark is seen if it has a size and a colour.
SEEN_MARKS = """figure => [...figure.querySelectorAll(".chart svg [role=graphics-symbol]")].filter(mark => {
  const box = mark.getBoundingClientRect(), style = getComputedStyle(mark);
  const colour = style.fill !== "none" && style.fill !== "rgba(0, 0, 0, 0)" ? style.fill : style.stroke;
  return (box.width > 0.5 || box.height > 0.5) && colour !== "none" && colour !== "rgba(0, 0, 0, 0)";
}).length"""
# A chart follows its container within a frame or two.
CHARTS_FIT = """async () => {
  const fits = svg => Math.abs(svg.clientWidth - svg.parentElement.clientWidth) < 8;
  while (![...document.querySelectorAll(".chart svg")].every(fits)) await new Promise(requestAnimationFrame);
}"""


def events(names: tuple[str, ...], days: int, count: int) -> str:
    """Return a query of events of so many days, the first name the first in each ranking."""
    listed = ", ".join("'" + name.replace("'", "''") + "'" for name in names)
    return f"""SELECT TIMESTAMP '2024-01-01' + to_seconds(i * {days} * 86400.0 / {count}) AS time,
        CASE WHEN i % 23 = 0 THEN 'p' END AS pixel, n AS package, n AS version, 'curl/8.5.0' AS user_agent,
        n AS platform, 'o' || i % 41 AS origin_id, n AS origin_country, n AS origin_company,
        n AS origin_connection_type
        FROM (SELECT i, [{listed}][1 + CAST(floor(pow(i % 97 / 97, 2) * {len(names)}) AS BIGINT)] AS n
              FROM range({count}) AS numbers(i))"""  # noqa: S608 # ours


PLAIN = ("web", "api", "cli", "docs")
SCENES = {
    "usual": (events(PLAIN, 90, 4000), [("2024-01-01", "2024-02-10"), ("2024-02-13", "2024-03-31")]),
    "hostile": (events(NAMES, 60, 3000), [("2024-01-01", "2024-03-01")]),
    "years": (events(PLAIN, 1826, 8000), [("2024-01-01", "2028-12-31")]),
    "day": (events(PLAIN, 1, 300), [("2024-01-01", "2024-01-02")]),
    "none": (events(PLAIN, 1, 0), [("2024-01-01", "2024-03-01")]),
}
OF_TESTS = {"test_it_is_drawn": [*SCENES], "test_names_are_shown_as_they_are_spelt": ["hostile"]}


@attrs.frozen
class Shown:
    """A report in a browser.

    Attributes:
        page: where it is open.
        report: what is shown.
        said: what the console said, and what was asked of the network.
    """

    page: Page
    report: Report
    said: list[str]

    def open(self, path: Path, **media: str) -> None:
        """Show it as a file, and wait until it is drawn."""
        self.report.save(path)
        self.page.emulate_media(**media)  # type: ignore[arg-type] # words that are literals there
        self.page.goto(path.as_uri())
        self.page.wait_for_selector("html[data-drawn]", state="attached")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The browser of this machine."""
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Report]:
    """Those that were made already."""
    return {}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Try each scene, or the usual one; skipped tests that have a mark would be told of one by one."""
    if "scene" in metafunc.fixturenames:
        metafunc.parametrize("scene", OF_TESTS.get(metafunc.function.__name__, ["usual"]))


@pytest.fixture
def shown(scene: str, browser: Browser, reports: dict[str, Report], tmp_path: Path) -> Iterator[Shown]:
    """A page for the report of a scene."""
    if scene not in reports:
        query, days = SCENES[scene]
        reports[scene] = report(job_of(tmp_path / "job", query, [window(*ends) for ends in days]))
    context = browser.new_context(viewport={"width": 1280, "height": 900}, offline=True)
    page = context.new_page()
    said: list[str] = []

    def dismissed(dialog: Dialog) -> None:
        said.append(dialog.message)
        dialog.dismiss()

    page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("dialog", dismissed)
    page.on("request", lambda asked: said.append(asked.url))
    yield Shown(page, reports[scene], said)
    context.close()


def test_it_is_drawn(shown: Shown, scene: str, tmp_path: Path, soak: bool) -> None:
    """Every chart has marks that are seen, a label and a table, at both widths, in light and dark, without a word.

    Nothing is wider than the page, the console is empty, and the file is all that was read.
    """
    path = tmp_path / "page.html"
    # Of what is usual each width in each colour; others need not be drawn as often.
    narrow, wide = ((390, 1280), (390, 1280)) if scene == "usual" or soak else ((390,), (1280,))
    for colours, ground, widths in (("light", "rgb(255, 255, 255)", narrow), ("dark", "rgb(18, 24, 29)", wide)):
        shown.open(path, color_scheme=colours)
        assert shown.page.evaluate("getComputedStyle(document.body).backgroundColor") == ground
        for width in widths:
            shown.page.set_viewport_size({"width": width, "height": 900})
            shown.page.evaluate(CHARTS_FIT)
            assert shown.page.evaluate("document.documentElement.scrollWidth") == width
            figures = shown.page.query_selector_all("figure")
            there = {"none": [], "day": ["downloads", *FIGURES[3:]]}.get(scene, FIGURES)
            assert [figure.get_attribute("id") for figure in figures] == there
            for figure in figures:
                assert figure.get_attribute("aria-label")
                assert figure.query_selector("table tbody tr")
                assert figure.evaluate(SEEN_MARKS) > 0, figure.get_attribute("id")
    assert shown.said == [path.as_uri()] * 2


def test_names_are_shown_as_they_are_spelt(shown: Shown, tmp_path: Path) -> None:
    """In the sentence's tables, in the charts and where a chart is pointed at; none is run."""
    shown.open(tmp_path / "page.html")
    first = shown.page.locator("#section-companies tbody tr").first.locator("td").first
    assert first.locator("bdi").text_content() == FIRST
    shown_names = shown.page.locator("#section-companies tbody bdi").all_text_contents()
    assert set(NAMES) <= set(shown_names)
    for chart in ("packages", "connections", "countries"):
        assert shown.page.locator(f"#{chart} svg text").first.text_content() == FIRST
    shown.page.locator("#packages svg [role=graphics-symbol]").first.hover()
    tooltip = shown.page.locator("#vg-tooltip-element.visible")
    tooltip.wait_for()
    assert FIRST in tooltip.inner_text()
    assert len(shown.said) == 1


def test_a_chart_answers_when_it_is_pointed_at(shown: Shown, tmp_path: Path) -> None:
    """It says which day, week or version that is, and how many; of days that are missing, that they are."""
    shown.open(tmp_path / "page.html")
    tooltip = shown.page.locator("#vg-tooltip-element.visible")
    for mark, words in (
        ("downloads bar", ["Day", "Downloads"]),
        ("origins bar", ["Week", "Returning", "New"]),
        ("versions point", ["Version", "Week", "Origins"]),
        ("countries bar", ["Name", "Downloads", "Share"]),
    ):
        shown.page.mouse.move(0, 0)
        figure, kind = mark.split()
        shown.page.locator(f"#{figure} svg [aria-roledescription={kind}]").last.hover(force=True)
        tooltip.wait_for()
        assert [word for word in words if word not in tooltip.inner_text()] == [], mark
    rows = shown.page.locator("#downloads tbody tr").all_text_contents()
    assert [row for row in rows if "not in the data" in row] == [
        f"{day} Feb 2024not in the data" for day in (10, 11, 12)
    ]
    drawn = shown.page.locator("#downloads svg [aria-label*='not in the data']").count()
    assert drawn == 3


def test_on_paper(shown: Shown, tmp_path: Path) -> None:
    """Black on white whatever the screen was; all tables are whole, and the printer's own events open them."""
    shown.open(tmp_path / "page.html", color_scheme="dark", media="print")
    look = shown.page.evaluate(
        "(({color, backgroundColor}) => [color, backgroundColor])(getComputedStyle(document.body))"
    )
    assert look == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]
    shown.page.evaluate("dispatchEvent(new Event('beforeprint'))")
    # Not every browser's style sheet can show what is in a closed one.
    assert shown.page.locator("details:not([open])").count() == 0
    hidden = "[...document.querySelectorAll('tbody tr')].filter(row => !row.checkVisibility()).length"
    assert shown.page.evaluate(hidden) == 0
    cut = (
        "[...document.querySelectorAll('.scroll')].filter(one => getComputedStyle(one).maxHeight !== 'none').length"
    )
    assert shown.page.evaluate(cut) == 0
    shown.page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert shown.page.locator("details[open]").count() == 0


def test_its_policy_holds(shown: Shown, tmp_path: Path) -> None:
    """Whatever got into the page could evaluate nothing, add no script and ask for nothing."""
    shown.open(tmp_path / "page.html")
    tried = """async () => {
      const found = [];
      // What the browser's driver runs itself may evaluate.
      await new Promise(done => setTimeout(() => {
        try { new Function("return 1")(); found.push("evaluated"); } catch (error) { found.push(error.name); }
        done();
      }));
      const script = document.createElement("script");
      script.textContent = "window.added = true";
      document.body.append(script);
      found.push(String(window.added));
      await fetch("https://scarf.example/").then(() => found.push("fetched"), () => found.push("not fetched"));
      return found;
    }"""
    assert shown.page.evaluate(tried) == ["EvalError", "undefined", "not fetched"]
    assert not any(line.startswith("https:") for line in shown.said)


def test_in_a_notebook(shown: Shown) -> None:
    """It shows itself in a frame without the notebook's origin, and is drawn there."""
    notebook = "https://notebook.example/"
    shown.page.route(
        notebook,
        lambda route: route.fulfill(body=shown.report._repr_html_(), content_type="text/html; charset=utf-8"),
    )
    shown.page.goto(notebook)
    frame = shown.page.frame_locator("iframe")
    frame.locator("html[data-drawn]").wait_for(state="attached")
    assert frame.locator("#downloads svg [role=graphics-symbol]").count() > 80
    assert shown.page.frames[1].evaluate("origin") == "null"
    assert shown.said == [notebook]
