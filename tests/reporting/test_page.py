"""The HTML report in a browser: figures answer, completions are filtered, nothing of them runs, nothing is fetched."""

import random
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
from reporting.toy_language import BASELINE, TRAINED, inputs_of, probe_spec, rows_of, study_report

from lang_persona.reporting import render_report, tabulate

FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
NASTY = "</script><script>window.stolen = 1</script><img src=x onerror='window.stolen = 1'>"
#: Seconds to load and milliseconds to filter that a reader does not wait for; 560 x 9 completions.
LOAD, FILTER = 2.0, 100.0
TIMED = """async ([name, value]) => {
  const field = document.querySelector(`.filters [name="${name}"]`);
  field.value = value;
  const before = performance.now();
  field.dispatchEvent(new Event(field.type === "search" ? "input" : "change"));
  await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
  return performance.now() - before;
}"""


@pytest.fixture(scope="session")
def chromium():
    """Debian's Chromium, headless."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="no playwright: install the extra `dev`")
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("no chromium on the path: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium):
    """Opens a page from disk; at the end it must have logged no error and asked for no other address."""
    said, opened = [], []

    def open_(path, **options):
        page = chromium.new_page(**{"viewport": {"width": 1200, "height": 900}, **options})
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: said.extend([request.url] * (request.url != path.as_uri())))
        page.goto(path.as_uri())
        opened.append(page)
        return page

    yield open_
    for page in opened:
        page.close()
    assert said == []


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The toy report; one completion is hostile, two judges differ on one, four answer unsafe requests."""
    generations, judgements = [], []
    for name, answers in {"baseline": BASELINE, "es_en": TRAINED}.items():
        made = rows_of(name, answers)
        generations += made[0]
        judgements += made[1]
    generations[0]["completion"] = NASTY
    judgements += [
        {**row, "judge": "second", "label": "other" if place == 7 else row["label"]}
        for place, row in enumerate(judgements)
    ]
    for row in generations[-4:]:
        row["variables"]["set"] = "bad"
    report = study_report()
    report["judges"]["refusal"] = ["offline_refusal"]
    report["probes"]["unsafe"] = probe_spec("refusal", harmless=False, set="bad", languages=["de"])
    return write(tmp_path_factory.mktemp("small"), inputs_of(report=report), generations, judgements)


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A report of 560 x 9 completions of some 250 words."""
    words = ["the", "house", "of", "a", "friend", "near", "the", "river", "was", "built", "when", "nobody", "lived"]
    draw = random.Random(0)
    generations, judgements = [], []
    for arm in range(9):
        answers = {code: [[code] * 40, [code] * 40] for code in ("en", "es", "fr", "it", "pt", "de", "zh")}
        made = rows_of(f"arm_{arm}", answers)
        for row in made[0]:
            row["completion"] = " ".join(draw.choices(words, k=250)) + f" row {row['item_id']} {row['sample']}"
        generations += made[0]
        judgements += made[1]
    return write(tmp_path_factory.mktemp("large"), inputs_of(), generations, judgements)


def write(folder: Path, inputs, generations, judgements):
    files = render_report(replace(inputs, completions=tabulate(generations, judgements)))
    (folder / "report.html").write_text(files["report.html"], encoding="utf-8")
    return folder / "report.html"


def count(page):
    return page.inner_text(".count")


def test_figures_answer_to_pointer_and_keyboard(open_page, small):
    page = open_page(small)
    assert not page.is_visible(".tip")
    page.hover("#hero .spot >> nth=4")
    assert page.inner_text(".tip").split("\n") == [
        "es_en, French",
        "5.0% (1/20, 95% interval [0.9, 23.6]) (Spanish directives, English replies)",
    ]
    page.mouse.move(0, 0)
    assert not page.is_visible(".tip")
    page.focus("#hero .spot")
    assert page.inner_text(".tip").startswith("baseline, English")
    for key, place in (
        ("ArrowRight", "baseline, French"),
        ("End", "es_en, German"),
        ("ArrowRight", "baseline, English"),
    ):
        page.keyboard.press(key)
        assert page.inner_text(".tip").startswith(place)
    page.keyboard.press("Escape")
    assert not page.is_visible(".tip")
    assert page.locator('#hero .spot[tabindex="0"]').count() == 1


def test_legend_hides_a_series_and_shows_it_again(open_page, small):
    page = open_page(small)
    bars = page.locator('#hero svg [data-series="es_en"]')
    button = page.get_by_role("button", name="es_en")
    assert not page.locator("#hero svg .legend").is_visible() and bars.first.is_visible()
    button.click()
    assert button.get_attribute("aria-pressed") == "false"
    assert not bars.first.is_visible() and not page.locator('#hero .spot[data-series="es_en"]').first.is_visible()
    assert page.locator('#hero svg [data-series="baseline"]').first.is_visible()
    button.click()
    assert bars.first.is_visible()


def test_completions_are_filtered_and_read(open_page, small):
    page = open_page(small)
    page.wait_for_selector(".browser.ready")
    assert count(page) == "120 of 120 completions"
    page.select_option('[name="condition"]', label="es_en (60)")
    page.select_option('[name="variables.language"]', label="French (40)")
    assert count(page) == "20 of 120 completions"
    page.select_option('[name="judge.first"]', label="French (21)")
    assert count(page) == "1 of 120 completions"
    assert page.inner_text(".detail .completion").startswith("fr word")
    assert "Speak in fr." in page.inner_text(".detail")
    page.click('button[type="reset"]')
    page.get_by_text("120 of 120 completions").wait_for()
    page.check('[name="differ"]')
    assert count(page) == "1 of 120 completions" and "other" in page.inner_text(".detail dl")
    page.uncheck('[name="differ"]')
    page.fill('[name="search"]', "DE WORD word word word word word word word word word")
    assert count(page) == "3 of 120 completions"


def test_the_list_is_walked_by_keys_and_holds_only_what_is_in_view(open_page, large):
    page = open_page(large)
    page.wait_for_selector(".browser.ready")
    page.focus(".list")
    page.keyboard.press("End")
    assert page.get_attribute(".list", "aria-activedescendant") == "completion-5039"
    assert page.get_attribute("#completion-5039", "aria-selected") == "true"
    assert "row zh.please 39" in page.inner_text(".detail .completion")
    page.keyboard.press("ArrowUp")
    assert "row zh.please 38" in page.inner_text(".detail .completion")
    assert page.locator(".list .row").count() < 40


def test_hostile_completions_are_text(open_page, small):
    page = open_page(small)
    page.wait_for_selector(".browser.ready")
    assert page.inner_text(".detail .completion") == NASTY
    assert page.evaluate("window.stolen") is None and page.locator("img").count() == 0


def test_a_script_that_is_not_the_reports_own_does_not_run(chromium, small, tmp_path):
    hostile = tmp_path / "report.html"
    text = small.read_text(encoding="utf-8")
    hostile.write_text(text.replace("<main>", "<main><script>window.stolen = 1</script>"), encoding="utf-8")
    page = chromium.new_page()
    page.goto(hostile.as_uri())
    assert page.evaluate("window.stolen") is None
    page.close()


def test_answers_to_unsafe_requests_are_folded_until_asked_for(open_page, small):
    page = open_page(small)
    page.wait_for_selector(".browser.ready")
    page.select_option('[name="variables.language"]', label="German (40)")
    page.select_option('[name="condition"]', label="es_en (60)")
    page.focus(".list")
    page.keyboard.press("End")
    assert not page.is_visible(".detail .completion")
    assert "folded away" in page.inner_text("#completion-19")
    page.check('[name="unsafe"]')
    page.focus(".list")
    page.keyboard.press("End")
    assert page.is_visible(".detail .completion") and "folded away" not in page.inner_text("#completion-19")


def test_thousands_of_completions_load_and_filter_without_a_wait(open_page, large):
    began = time.perf_counter()
    page = open_page(large)
    page.wait_for_selector(".browser.ready")
    loaded = time.perf_counter() - began
    assert count(page) == "5,040 of 5,040 completions"
    for name, value, left in (
        ("condition", "3", "560"),
        ("variables.language", "1", "80"),
        ("search", "row es.speak 1", "11"),
        ("condition", "", "99"),
    ):
        took = page.evaluate(TIMED, [name, value])
        assert count(page) == f"{left} of 5,040 completions"
        assert took < FILTER, f"{name}: {took:.0f} ms"
    assert loaded < LOAD


def test_phones_scroll_in_one_direction_only(open_page, small):
    page = open_page(small, viewport={"width": 360, "height": 740})
    page.wait_for_selector(".browser.ready")
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_the_page_is_whole_without_scripts(open_page, small):
    page = open_page(small, java_script_enabled=False)
    assert page.locator("#hero svg .legend").is_visible() and page.locator("#followed table").is_visible()
    assert "5.0% (1/20" in page.get_attribute("#hero .spot >> nth=4", "title")
    assert "JavaScript" in page.inner_text(".browser")
