"""The pages of an evaluation and of blind tests in a real browser, from a folder."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from mamtra.audio.clip import Audio, write
from mamtra.cli.evaluate import app

playwright = pytest.importorskip("playwright.sync_api")
pytest.importorskip("pocketsphinx")
pytest.importorskip("matplotlib")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
if CHROMIUM is None:
    pytest.skip("no chromium on this machine", allow_module_level=True)

FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-first-run",
         "--disable-background-networking", "--disable-component-update"]  # fmt: skip
LINES = ["Hello there.", "Good morning.", "See you soon.", "It was late."]


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    """Headless chromium."""
    with playwright.sync_playwright() as driver:
        made = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield made
        made.close()


@pytest.fixture
def page(browser) -> Iterator[object]:
    """A page that notes what goes wrong in it, and what it asks for."""
    made = browser.new_page()
    made.problems, made.asked = [], []
    made.on("pageerror", lambda problem: made.problems.append(str(problem)))
    made.on("requestfailed", lambda request: made.problems.append(request.url))
    made.on("request", lambda request: made.asked.append(request.url))
    yield made
    assert made.problems == []
    assert all(url.startswith(("file:", "blob:", "data:")) for url in made.asked)
    made.close()


@pytest.fixture
def recordings(tmp_path: Path) -> list[str]:
    """Two folders of recordings of the same lines, and the lines."""
    draw = np.random.default_rng(0)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        for number in range(1, len(LINES) + 1):
            samples = draw.normal(0, 0.1, 8000).astype(np.float32)
            path = tmp_path / name / f"{number}.wav"
            write(path, Audio(samples=samples, rate_hz=16_000))
    (tmp_path / "lines.txt").write_text("\n".join(LINES) + "\n")
    wavs = ["--wavs", str(tmp_path / "one"), "--wavs", str(tmp_path / "two")]
    return [*wavs, "--sentences", str(tmp_path / "lines.txt"), "-o", str(tmp_path / "out")]


def run(*arguments: str) -> None:
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 0


def loaded(page, path: Path) -> None:
    page.goto(path.as_uri())
    page.wait_for_load_state("load")


def test_the_page_of_an_evaluation_shows_its_spectrograms_and_finds_its_sounds(
    page, recordings: list[str], tmp_path: Path
) -> None:
    run("intelligibility", *recordings, "--judge", "pocketsphinx:choice", "--page")
    loaded(page, tmp_path / "out" / "page" / "index.html")
    assert page.locator("audio").count() == page.locator("img").count() == 2 * len(LINES)
    for number in range(2 * len(LINES)):
        picture = page.locator("img").nth(number)
        picture.scroll_into_view_if_needed()
        page.wait_for_function(
            "e => e.complete && e.naturalWidth > 9", arg=picture.element_handle()
        )
    seconds = """e => new Promise(told => {
        e.addEventListener('loadedmetadata', () => told(e.duration)); e.load(); })"""
    assert page.locator("audio").first.evaluate(seconds) == pytest.approx(0.5, abs=0.01)


def test_the_page_of_a_table_of_systems_tells_what_failed_and_begins_with_the_largest_difference(
    page, recordings: list[str], tmp_path: Path
) -> None:
    (tmp_path / "two" / "3.wav").unlink()
    lines = recordings.index("--sentences")
    recordings[lines] = "--set"
    run("seed-tts", *recordings, "--judge", "pocketsphinx:choice", "--baseline", "one", "--page")
    loaded(page, tmp_path / "out" / "page" / "index.html")
    assert page.locator("audio").count() == page.locator("img").count() == 2 * len(LINES) - 1
    assert page.locator("td", has_text="missing").count() == 1
    assert page.locator("th", has_text="over baseline").count() == 1
    apart = [
        abs(line.locator("tr").nth(0).locator("del, ins").count()
            - line.locator("tr").nth(1).locator("del, ins").count())
        for line in page.locator("div.line").all()
    ]  # fmt: skip
    assert len(apart) == len(LINES)
    assert apart[0] == max(apart)
    page.set_viewport_size({"width": 320, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth") == 320


@pytest.mark.parametrize(("form", "mark", "told"), [("ab", "0", "CMOS"), ("mos", "4", "MOS")])
def test_a_form_gives_its_answers_back_as_a_file(
    page, recordings: list[str], tmp_path: Path, form: str, mark: str, told: str
) -> None:
    run("blind", *recordings, "--form", form, "--count", "3")
    loaded(page, tmp_path / "out" / "page" / "index.html")
    page.fill("#name", "Anna B.")
    page.click("button")
    questions = page.locator("fieldset").count()
    assert page.inner_text("#left") == f"{questions} have no answer yet"
    items = json.loads((tmp_path / "out" / "key.json").read_text())["items"]
    for number, item in enumerate(items):
        value = "1" if item["kind"] == "anchor" else mark
        page.check(f'input[name="{number}"][value="{value}"]')
    page.reload()  # what was answered is still there
    page.fill("#name", "Anna B.")
    with page.expect_download() as waiting:
        page.click("button")
    answers = tmp_path / waiting.value.suggested_filename
    assert answers.name == "answers-Anna_B_.json"
    waiting.value.save_as(answers)
    key = str(tmp_path / "out" / "key.json")
    done = CliRunner().invoke(app, ["listening", str(answers), "--key", key])
    assert done.exit_code == 0
    assert told in done.stdout
    assert "1 listeners" in done.stdout
