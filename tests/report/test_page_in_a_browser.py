"""The page, opened from disk in a real browser."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests.report.browser import browser, opened
from tests.report.made import RULES, told
from trilemma.report.page import render

WIDTHS = (390, 820, 1280)
SCORES = {"sr": "sybil_resistance", "cn": "neutrality", "q": "quality_attacked"}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as found:
        yield found


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("page") / "report.html"
    file.write_text(render(told()), encoding="utf-8")
    return file


@pytest.fixture
def page(chromium: Browser, path: Path) -> Iterator[Page]:
    with opened(chromium, path) as found:
        yield found


def rows() -> dict[str, Any]:
    return {row["label"]: row for row in told()["mechanisms"]}


def numbers(page: Page, selector: str, *names: str) -> list[tuple[Any, ...]]:
    """Return data attributes of elements, as text or numbers."""
    found = page.eval_on_selector_all(
        selector, "(all, names) => all.map((it) => names.map((name) => it.dataset[name]))", names
    )
    return [tuple(map(_number, it)) for it in found]


def _number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return text


# --- what is drawn -------------------------------------------------------------------------------


def test_every_figure_has_a_drawing_with_marks(page: Page) -> None:
    figures = page.eval_on_selector_all(
        "figure",
        "all => all.map((it) => [it.dataset.name, ...[...it.querySelectorAll('svg')].map("
        "(svg) => svg.getBBox().width * svg.getBBox().height)])",
    )
    names = {name for name, *_ in figures}
    assert names == {"trade-off", "cut-off", "attacks-free", "attacks-verified", "concentration"}
    assert all(sizes and min(sizes) > 0 for _, *sizes in figures)


def test_dots_stand_where_their_scores_say(page: Page) -> None:
    start = [point["price"] for point in next(iter(rows().values()))["by_price"]].index(0.0)
    dots_are_at(page, start)


def dots_are_at(page: Page, place: int) -> None:
    """Check data, position and size of every dot of the trade-off plane."""
    frame = page.eval_on_selector("#plane svg", "it => ({...it.dataset})")
    left, top, width, height = (float(frame[it]) for it in ("left", "top", "width", "height"))
    dots = page.eval_on_selector_all(
        "#plane .mark",
        "all => all.map((it) => { const dot = it.querySelector('circle'); return [it.dataset.label,"
        " {...dot.dataset}, ...['cx', 'cy', 'r'].map((name) => +dot.getAttribute(name))]; })",
    )
    assert [label for label, *_ in dots] == list(rows())
    for label, data, cx, cy, r in dots:
        here = rows()[label]["by_price"][place]
        found = {short: here[score]["value"] for short, score in SCORES.items()}
        assert {short: float(value) for short, value in data.items()} == found
        assert cx == pytest.approx(left + width * found["cn"], abs=0.01)
        assert cy == pytest.approx(top + height * (1 - found["sr"]), abs=0.01)
        assert r == pytest.approx(4 + 8 * found["q"] ** 0.5, abs=0.01)


def test_cut_off_curves_carry_the_numbers_of_both_sides(page: Page) -> None:
    marks = numbers(page, "#cutoff .point", "b", "cut")
    known = [
        (float(b), float(cut))
        for row in rows().values()
        for side in ("verified", "free")
        for b, cut in row[side]["cutoff"]
    ]
    assert marks == known


@pytest.mark.parametrize("side", ["free", "verified"])
def test_the_attack_matrix_carries_its_numbers_and_frames_the_worst(page: Page, side: str) -> None:
    figure = f"figure[data-name=attacks-{side}]"
    cells = numbers(page, f"{figure} .cell", "aim", "attack", "harm")
    known = [
        (aim, it["attack"], float(it["harm"]))
        for row in rows().values()
        for aim in ("pay", "twin")
        for it in row[side]["by_attack"]
        if it["aim"] == aim
    ]
    assert cells == known
    worst = numbers(page, f"{figure} .cell.worst", "harm")
    harmed = [
        max(it["harm"] for it in row[side]["by_attack"] if it["aim"] == aim)
        for row in rows().values()
        for aim in ("pay", "twin")
    ]
    assert [it for (it,) in worst] == [it for it in harmed if it > 0]


def test_bars_of_concentration_are_as_long_as_their_numbers(page: Page) -> None:
    bars = page.eval_on_selector_all(
        "#concentration .bar",
        "all => all.map((it) => [it.dataset.hhi, it.querySelector('rect').getAttribute('width')]"
        ".map(Number))",
    )
    counts = [told()["stake_concentration"], *(row["concentration"] for row in rows().values())]
    assert [hhi for hhi, _ in bars] == [it["hhi"] for it in counts]
    lengths = [width * hhi for hhi, width in bars]
    assert lengths == pytest.approx([lengths[0]] * len(lengths), rel=1e-3)


# --- what a reader does --------------------------------------------------------------------------


def test_the_slider_moves_points_to_the_numbers_in_the_data(page: Page) -> None:
    prices = [point["price"] for point in next(iter(rows().values()))["by_price"]]
    slider = page.locator("#price")
    slider.focus()
    for place in (1, 2):  # by keyboard
        slider.press("ArrowRight")
        assert page.inner_text("#price-said") == f"{prices[place]:g}"
        dots_are_at(page, place)
    slider.press("End")
    dots_are_at(page, len(prices) - 1)


def test_sorting_sorts_by_number_and_back(page: Page) -> None:
    head = page.locator("#rows thead tr:last-child th").nth(3)  # CN, identities verified
    values = [row["verified"]["neutrality"]["value"] for row in rows().values()]

    def shown() -> list[float]:
        return [value for (value,) in numbers(page, "#rows tbody tr td:nth-child(4)", "value")]

    assert shown() == values
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert shown() == sorted(values, reverse=True)
    head.locator("button").press("Enter")
    assert shown() == sorted(values)


def test_demands_grey_out_what_fails_them_everywhere(page: Page) -> None:
    slider = page.locator("#demands input[data-score=neutrality]")
    slider.fill("0.5")
    passing = [label for label, row in rows().items() if row["free"]["neutrality"]["value"] >= 0.5]
    failing = [label for label in rows() if label not in passing]
    assert failing
    assert page.inner_text("#passing") == f"{len(passing)} of {len(rows())} mechanisms pass."
    greyed = page.eval_on_selector_all(".fails", "all => all.map((it) => it.dataset.label)")
    assert set(greyed) == set(failing)
    said = page.eval_on_selector_all(
        "#rows tbody tr", "all => all.map((it) => it.querySelector('.failing').textContent)"
    )
    assert said == ["fails CN" if label in failing else "" for label in rows()]
    slider.fill("0")
    assert page.locator(".fails").count() == 0


def test_a_framed_cell_leads_to_its_witness_stage_by_stage(page: Page) -> None:
    link = page.locator("figure[data-name=attacks-free] a").first
    link.focus()
    page.keyboard.press("Enter")
    name = str(link.get_attribute("href")).removeprefix("#")
    opened_ = page.locator(f"details[id='{name}']")
    assert opened_.get_attribute("open") is not None
    witness = next(it for it in told()["witnesses"] if it["name"] == name)
    cells = opened_.locator("tbody tr").all_inner_texts()
    assert len(cells) == len(witness["stages"])
    assert [line.split("\t")[0] for line in cells] == [stage for stage, *_ in witness["stages"]]
    assert page.evaluate("document.activeElement.parentElement.id") == name


def test_tooltips_come_by_keyboard_and_go_with_escape(page: Page) -> None:
    page.locator("#plane .mark").first.focus()
    label, row = next(iter(rows().items()))
    tip = page.inner_text("#tip")
    assert tip.startswith(f"{label}: SR ")
    assert f"{row['by_price'][0]['sybil_resistance']['value']:.3f}" in tip
    page.keyboard.press("Escape")
    assert not page.is_visible("#tip")
    page.locator("#cutoff .point.free").first.hover()
    assert page.is_visible("#tip")


def test_the_keyboard_reaches_everything_that_does_something(page: Page) -> None:
    does = "button, select, input, summary, a[href], [tabindex='0']"
    page.evaluate(
        "does => { document.activeElement.blur(); window.reachable = "
        "[...document.querySelectorAll(does)].filter((it) => it.checkVisibility()); }",
        does,
    )
    count = page.evaluate("window.reachable.length")
    reached = set()
    for _ in range(count + 1):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("window.reachable.indexOf(document.activeElement)"))
    assert reached - {-1} == set(range(count))


# --- downloads -----------------------------------------------------------------------------------


def downloaded(page: Page, selector: str) -> tuple[str, str]:
    with page.expect_download() as waiting:
        page.locator(selector).click()
    return waiting.value.suggested_filename, Path(waiting.value.path()).read_text()


def test_the_numbers_are_downloaded_as_json_and_as_rows(page: Page) -> None:
    name, text = downloaded(page, "#json")
    assert name == "trilemma.json"
    assert json.loads(text) == json.loads(json.dumps(told()))
    name, text = downloaded(page, "#csv")
    found = list(csv.DictReader(text.splitlines()))
    assert [(it["mechanism"], it["identities"]) for it in found] == [
        (label, count) for label in rows() for count in ("1", "4")
    ]
    first = rows()[found[1]["mechanism"]]["free"]
    assert float(found[1]["neutrality"]) == first["neutrality"]["value"]
    assert float(found[1]["minimum"]) == first["minimum"]


def test_every_figure_is_downloaded_as_an_svg_that_stands_alone(page: Page) -> None:
    for button in page.locator("figure button").all():
        with page.expect_download() as waiting:
            button.click()
        text = Path(waiting.value.path()).read_text()
        root = ElementTree.fromstring(text)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert "var(" not in text
        marks = [
            it for it in root.iter() if it.tag.rpartition("}")[2] in ("circle", "rect", "path")
        ]
        assert marks
        assert all(it.get("fill") for it in marks)


# --- for everybody -------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_fault_in_labels_and_contrast(
    chromium: Browser, path: Path, scheme: str
) -> None:
    with opened(chromium, path, color_scheme=scheme) as page:
        first = ".numbers, .witness:nth-of-type(1)"  # the other witnesses are like it
        page.eval_on_selector_all(first, "all => all.forEach((it) => { it.open = true; })")
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider_than_the_screen(chromium: Browser, path: Path, width: int) -> None:
    with opened(chromium, path, viewport={"width": width, "height": 800}) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", WIDTHS)
def test_names_of_dots_cover_neither_each_other_nor_a_dot(
    chromium: Browser, path: Path, width: int
) -> None:
    with opened(chromium, path, viewport={"width": width, "height": 800}) as page:
        for place in ("Home", "End"):
            page.locator("#price").press(place)
            boxes = page.eval_on_selector_all(
                "#plane .name, #plane circle",
                "all => all.map((it) => { const b = it.getBBox(); "
                "return [b.x, b.y + b.height * .15, b.x + b.width, b.y + b.height * .85]; })",
            )
            dots, names = boxes[::2], boxes[1::2]
            for n, name in enumerate(names):
                assert not any(overlap(name, other) for other in (*names[:n], *dots))


def overlap(one: list[float], other: list[float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def test_without_scripts_the_page_still_tells_everything(chromium: Browser, path: Path) -> None:
    with opened(chromium, path, java_script_enabled=False) as page:
        assert page.locator("#rows tbody tr").count() == len(RULES)
        assert page.locator("#plane circle").count() == len(RULES)
        assert page.locator("details.witness").count() == len(told()["witnesses"])


def test_print_leaves_out_what_only_a_screen_can_do(chromium: Browser, path: Path) -> None:
    with opened(chromium, path) as page:
        page.emulate_media(media="print")
        for selector in ("nav", "#demands", "#price", "figure button", "#csv"):
            assert not page.is_visible(selector)
        assert page.is_visible("#rows")
        assert page.is_visible("figure[data-name=trade-off] svg")
        pages = page.pdf().count(b"/Type /Page\n")
        assert 2 <= pages <= 12


def test_what_plug_ins_and_files_say_stays_text(chromium: Browser, tmp_path: Path) -> None:
    script = "</script><script>document.title='run'</script><img src=x onerror=alert(1)>"
    told_ = json.loads(json.dumps(told()).replace('"uniform"', json.dumps(script)))
    told_["world"]["stake"] = told_["command"] = told_["warnings"][0] = script
    told_["witnesses"][0]["play"] = script
    path = tmp_path / "hostile.html"
    path.write_text(render(told_), encoding="utf-8")
    with opened(chromium, path) as page:
        assert page.title().endswith("compared — trilemma")
        assert page.locator("img").count() == 0
        assert page.locator("script").count() == 2
        assert script in page.locator("#rows code").all_inner_texts()


def test_the_property_matrix_is_on_the_page_if_there_is_one(
    chromium: Browser, tmp_path: Path
) -> None:
    held = {"verdict": "holds", "judged": 40, "told": None}
    broken = {"verdict": "violated", "judged": 3, "told": ["stake 1 1", "paid 2"]}
    found = {
        "mechanisms": [
            {"label": "uniform", "properties": [{"check": "shapes", "kind": "law", **held}]},
            {
                "label": "quadratic",
                "properties": [
                    {"check": "shapes", "kind": "law", **held},
                    {"check": "no_veto_below(0.5)", "kind": "claim", **broken},
                ],
            },
        ]
    }
    path = tmp_path / "report.html"
    path.write_text(render(told(), found), encoding="utf-8")
    with opened(chromium, path) as page:
        heads = page.locator("#properties thead th").all_inner_texts()
        assert heads == ["property", "uniform", "quadratic"]
        lines = page.locator("#properties tbody tr").all_inner_texts()
        assert lines == [
            "shapes\tholds (40)\tholds (40)",
            "no_veto_below\t\tviolated at 0.5 (3)",
        ]
        page.locator("#properties summary").click()
        assert page.inner_text("#properties pre") == "stake 1 1\npaid 2"
