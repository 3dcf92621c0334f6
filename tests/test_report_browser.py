"""The page in a real browser, headless Chromium: filter, search, keys, links, print, hostility."""

import base64
import shutil

import pytest
from report_world import case, line, malicious, mixed, run
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from conformance.report.page import write_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
DRIVER = shutil.which("chromedriver")
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1100,800",
)

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium (Debian: chromium)"),
    pytest.mark.skipif(DRIVER is None, reason="there is no chromedriver (Debian: chromium-driver)"),
    pytest.mark.xdist_group("chromium"),
]


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    options = Options()
    options.binary_location = CHROMIUM
    for argument in ARGUMENTS:
        options.add_argument(argument)
    options.add_argument(f"--user-data-dir={tmp_path_factory.mktemp('profile')}")
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    other = run(case("router/failed"), case("forwarders/one"), name="other")
    write_report([mixed()], folder / "one.html")
    write_report([mixed(), other], folder / "two.html")
    write_report([malicious()], folder / "evil.html")
    lines = [line("250-this is a line of usual length, as servers say them")] * 50
    write_report(
        [run(*(case(f"router/case{number}", transcript=lines) for number in range(600)))],
        folder / "many.html",
    )
    return folder


class Page:
    """What a reader does with the page, and what there is to see."""

    def __init__(self, browser, folder):
        self.browser = browser
        self.folder = folder

    def open(self, name="one.html", anchor=""):
        # A change of the fragment alone would not load the page anew.
        self.browser.get("about:blank")
        self.browser.get(f"{(self.folder / name).as_uri()}{anchor}")
        return self

    def script(self, code, *arguments):
        return self.browser.execute_script(code, *arguments)

    def until(self, condition):
        return WebDriverWait(self.browser, 10, poll_frequency=0.02).until(lambda _: condition())

    def shown(self):
        """Return the ids of the cases that can be seen."""
        return self.script(
            "return [...document.querySelectorAll('.case')]"
            ".filter((c) => c.checkVisibility({contentVisibilityAuto: false}))"
            ".map((c) => c.querySelector('summary code').textContent)"
        )

    def opened(self):
        return self.script("return [...document.querySelectorAll('.case[open]')].map((c) => c.id)")

    def focused(self):
        """Return the anchor of the case that has the focus, or the focused element's own id."""
        return self.script("const e = document.activeElement; return (e.closest('.case') || e).id")

    def press(self, *keys):
        webdriver.ActionChains(self.browser).send_keys(*keys).perform()

    def chip(self, outcome):
        return self.browser.find_element(
            By.XPATH, f"//input[@name='outcome'][@value='{outcome}']/ancestor::label"
        )

    def count(self):
        return self.browser.find_element(By.ID, "shown").text

    def is_visible(self, element_id):
        return self.browser.find_element(By.ID, element_id).is_displayed()


@pytest.fixture
def page(browser, pages):
    return Page(browser, pages)


ALL = [
    "forwarders/one",
    "router/failed",
    "router/fixed",
    "router/known",
    "router/table[a row]",
    "smtp/broken",
    "smtp/etrn",
]


def test_outcomes_can_be_hidden_and_shown(page):
    page.open()
    assert page.shown() == ALL
    assert page.count() == "7 of 7 cases"
    page.chip("passed").click()
    page.chip("not-applicable").click()
    page.until(lambda: page.count() == "4 of 7 cases")
    assert page.shown() == ["router/failed", "router/fixed", "router/known", "smtp/broken"]
    assert not page.is_visible("chapter-forwarders")
    page.chip("passed").click()
    page.until(lambda: page.count() == "6 of 7 cases")
    assert page.is_visible("chapter-forwarders")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("router/failed", ["router/failed"]),
        ("ROUTER row", ["router/table[a row]"]),
        ("a KNOWN bug", ["router/known"]),
        ("route-001", ALL),
        ("250 ok expected", ["router/failed"]),
        ("it is read so", ["router/table[a row]"]),
    ],
)
def test_search_looks_at_ids_titles_statements_and_reasons(page, words, found):
    page.open()
    page.press("/")
    page.press(words)
    page.until(lambda: page.count() == f"{len(found)} of 7 cases")
    assert page.shown() == found


def test_when_nothing_matches_all_can_be_had_again(page):
    page.open()
    page.press("/", "no such thing")
    page.until(lambda: page.is_visible("none"))
    assert page.shown() == []
    page.browser.find_element(By.ID, "reset").click()
    page.until(lambda: page.count() == "7 of 7 cases")
    assert not page.is_visible("none")


def test_the_keyboard_is_enough(page):
    page.open()
    page.press("j")
    assert page.focused() == "forwarders-one"
    page.press("j", "j")
    assert page.focused() == "router-fixed"
    page.press("k")
    assert page.focused() == "router-failed"
    page.press(Keys.ENTER)
    page.until(lambda: page.opened() == ["router-failed"])
    page.press(Keys.ENTER)
    page.until(lambda: page.opened() == [])
    page.press("k", "k", "k")
    assert page.focused() == "forwarders-one"
    page.press(*"jjjjjjjjj")
    assert page.focused() == "smtp-etrn"


def test_keys_pass_over_what_is_hidden(page):
    page.open()
    page.press("/")
    assert page.focused() == "search"
    page.press("smtp/", Keys.ENTER)
    page.until(lambda: page.focused() == "smtp-broken")
    page.press("j")
    assert page.focused() == "smtp-etrn"


def test_letters_typed_into_the_search_do_not_move(page):
    page.open()
    page.press("/", "jk/")
    page.until(lambda: page.count() == "0 of 7 cases")
    assert page.focused() == "search"


def test_escape_shows_all_again(page):
    page.open()
    page.chip("passed").click()
    page.press("/", "failed")
    page.until(lambda: page.shown() == ["router/failed"])
    page.press(Keys.ESCAPE)
    page.until(lambda: page.count() == "7 of 7 cases")
    assert page.focused() != "search"
    assert page.script("return document.getElementById('search').value") == ""


def test_keys_with_control_are_the_browsers(page):
    page.open()
    webdriver.ActionChains(page.browser).key_down(Keys.CONTROL).send_keys("j").key_up(
        Keys.CONTROL
    ).perform()
    assert page.focused() == ""


def test_a_link_opens_its_case(page):
    page.open(anchor="#router-failed")
    page.until(lambda: page.opened() == ["router-failed"])
    marked = page.browser.find_element(By.CSS_SELECTOR, "#router-failed .bad")
    assert marked.is_displayed()
    assert marked.text.endswith("← 250 ok")
    page.script("location.hash = '#smtp-etrn'")
    page.until(lambda: page.opened() == ["router-failed", "smtp-etrn"])


def test_a_link_to_a_hidden_case_shows_it(page):
    page.open()
    page.press("/", "smtp/broken")
    page.until(lambda: page.count() == "1 of 7 cases")
    page.script("location.hash = '#router-known'")
    page.until(lambda: page.opened() == ["router-known"])
    assert page.count() == "7 of 7 cases"


def test_an_opened_case_is_in_the_address(page):
    page.open()
    page.press("j", "j", Keys.ENTER)
    page.until(lambda: page.script("return location.hash") == "#router-failed")


def test_an_anchor_that_leads_nowhere_does_no_harm(page):
    page.open(anchor="#no-such-case")
    assert page.count() == "7 of 7 cases"


def test_a_cell_of_the_matrix_leads_to_its_chapter(page):
    page.open("many.html")
    page.browser.find_element(By.CSS_SELECTOR, ".matrix td a").click()
    page.until(
        lambda: page.script(
            "const b = document.getElementById('chapter-router').getBoundingClientRect();"
            "return b.top >= 0 && b.top < 200"
        )
    )


def test_the_world_is_folded_and_the_step_is_not(page):
    page.open(anchor="#router-failed")
    steps = page.script(
        "return [...document.querySelectorAll('#router-failed .step')].map((s) => s.open)"
    )
    assert steps == [False, True]


def test_targets_that_differ_can_be_singled_out(page):
    page.open("two.html")
    page.browser.find_element(By.XPATH, "//input[@id='differing']/ancestor::label").click()
    page.until(lambda: page.count() == "1 of 7 cases")
    assert page.shown() == ["router/failed"]
    page.press(Keys.ESCAPE)
    page.until(lambda: page.count() == "7 of 7 cases")


def test_what_a_server_said_is_only_text(page):
    page.open("evil.html")
    page.press("j", Keys.ENTER)
    page.until(lambda: len(page.opened()) == 1)
    assert page.browser.title.startswith("mailproof: toy<script>")
    assert page.script("return document.querySelectorAll('.case script, .case img').length") == 0
    wire = page.browser.find_element(By.CSS_SELECTOR, ".wire .bad")
    assert "← <script>document.title = 'taken over'</script>" in wire.text


def test_a_script_that_got_in_would_not_run(page):
    page.open()
    page.script(
        "const s = document.createElement('script'); s.textContent = 'document.title = 1';"
        "document.body.append(s)"
    )
    assert page.browser.title == "mailproof: reference"


def test_printing_opens_the_differences_and_drops_the_controls(page):
    page.open()
    printed = base64.b64decode(page.browser.print_page())
    assert printed.startswith(b"%PDF-")
    assert page.opened() == ["router-failed", "router-fixed", "router-known", "smtp-broken"]
    page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        assert not page.browser.find_element(By.CSS_SELECTOR, ".filters").is_displayed()
        assert page.browser.find_element(By.CSS_SELECTOR, "#router-failed .bad").is_displayed()
    finally:
        page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_have_contrast_in_both_schemes(page, scheme):
    feature = [{"name": "prefers-color-scheme", "value": scheme}]
    page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": feature})
    try:
        page.open(anchor="#router-failed")
        poor = page.script(CONTRAST)
    finally:
        page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert poor == []


#: Returns the elements with text of less than 4.5:1 against what stands behind them (WCAG AA).
CONTRAST = """
const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
const rgba = (css) => {
  canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = css; canvas.fillRect(0, 0, 1, 1);
  return [...canvas.getImageData(0, 0, 1, 1).data];
};
const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
  .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const behind = (element) => {
  const layers = [];
  for (let e = element; e; e = e.parentElement) {
    const colour = rgba(getComputedStyle(e).backgroundColor);
    layers.push(colour);
    if (colour[3] === 255) { break; }
  }
  return layers.reduceRight((below, [r, g, b, a]) =>
    [r, g, b].map((v, i) => v * a / 255 + below[i] * (1 - a / 255)), [255, 255, 255]);
};
return [...document.querySelectorAll('body *')]
  .filter((e) => e.checkVisibility() && e.matches(':not(.said):not(script)')
    && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()))
  .filter((e) => {
    const [a, b] = [light(rgba(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05) < 4.5;
  })
  .map((e) => e.className + ': ' + e.textContent.slice(0, 40));
"""


def test_a_narrow_screen_needs_no_scrolling_sideways(page):
    metrics = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": False}
    page.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        page.open("two.html", anchor="#router-failed")
        assert page.script("return document.documentElement.scrollWidth") <= 360
    finally:
        page.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_what_is_far_below_is_not_laid_out(page):
    page.open("many.html")
    visible = page.script(
        "return [...document.querySelectorAll('.case > summary')]"
        ".filter((s) => s.checkVisibility({contentVisibilityAuto: true})).length"
    )
    assert len(page.shown()) == 600
    assert visible < 200
    page.press("/", "case599")
    page.until(lambda: page.count() == "1 of 600 cases")


def test_nothing_is_said_on_the_console(page):
    page.browser.get_log("browser")  # what other tests caused is not meant
    page.open()
    page.press("j", Keys.ENTER)
    page.until(lambda: page.opened())
    assert page.browser.get_log("browser") == []
