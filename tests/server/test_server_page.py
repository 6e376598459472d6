"""The page in a real browser: it speaks, stops, shows errors, works under a prefix and offline."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mamtra.checkpoints.format import ModelFolder
from mamtra.checkpoints.locate import built_in

pytest.importorskip("starlette")
playwright = pytest.importorskip("playwright.sync_api")
RUNTIME = os.environ.get("MAMTRA_ORT_WEB", "")  # the file that npm pack onnxruntime-web gives
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
if CHROMIUM is None:
    pytest.skip("no chromium on this machine", allow_module_level=True)

FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--disable-quic",
         "--no-first-run", "--disable-background-networking", "--disable-component-update",
         "--disable-sync", "--autoplay-policy=no-user-gesture-required"]  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    """Headless chromium."""
    with playwright.sync_playwright() as driver:
        made = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield made
        made.close()


@pytest.fixture
def page(browser) -> Iterator[object]:
    """A page that collects what goes wrong in it, and reaches nothing but the server."""
    made = browser.new_page(viewport={"width": 1100, "height": 1400})
    made.problems = []
    made.asked = []
    made.on("pageerror", lambda problem: made.problems.append(str(problem)))
    made.on("request", lambda request: made.asked.append(request.url))
    yield made
    made.close()


def open_page(page, running, prefix: str = "/") -> None:
    page.goto(f"http://127.0.0.1:{running.port}{prefix}")
    playwright.expect(page.locator("#voice option")).not_to_have_count(0, timeout=20_000)


def wait_for_status(page, text: str) -> None:
    playwright.expect(page.locator("#status")).to_have_text(text, timeout=120_000)


def test_a_sentence_is_spoken_and_drawn(page, running) -> None:
    open_page(page, running)
    assert page.input_value("#voice") == running.service.synthesizer.voices[0]
    page.fill("#text", "Good morning. It is warm today.")
    page.click("#speak")
    wait_for_status(page, "Done")
    assert page.locator("#tokens canvas").count() >= 1
    assert float(page.inner_text("#seconds").split()[0]) > 0.5
    drawn = """() => { const c = document.getElementById('wave'), x = c.getContext('2d');
        return x.getImageData(0, 0, c.width, c.height).data.some((v) => v > 0); }"""
    assert page.evaluate(drawn)
    assert page.is_enabled("#download")
    assert page.problems == []
    assert all(
        f":{running.port}/" in url or url.startswith(("data:", "blob:")) for url in page.asked
    )
    if folder := os.environ.get("MAMTRA_PICTURES"):
        page.screenshot(path=str(Path(folder) / "page.png"), full_page=True)


def test_what_is_left_out_of_the_text_is_told(page, running) -> None:
    open_page(page, running)
    page.fill("#text", "Good morning 🚀.")
    page.click("#speak")
    wait_for_status(page, "Done")
    assert page.inner_text("#notes") == "left out, there are no words for: '🚀'"
    page.fill("#text", "Good morning.")
    page.click("#speak")
    wait_for_status(page, "Done")
    assert page.inner_text("#notes") == ""


def test_a_downloaded_file_says_that_its_speech_is_artificial(page, running, tmp_path) -> None:
    soundfile = pytest.importorskip("soundfile")
    open_page(page, running)
    page.fill("#text", "Good morning.")
    page.click("#speak")
    wait_for_status(page, "Done")
    with page.expect_download() as download:
        page.click("#download")
    download.value.save_as(tmp_path / "speech.wav")
    with soundfile.SoundFile(tmp_path / "speech.wav") as file:
        assert "trainedAlgorithmicMedia" in file.comment
        assert file.samplerate == 24_000
        assert len(file.read()) > 12_000


def test_the_page_keeps_no_file_but_the_last_one(page, running) -> None:
    page.add_init_script(
        """window.kept = new Set();
        const make = URL.createObjectURL, drop = URL.revokeObjectURL;
        URL.createObjectURL = (blob) => { const url = make(blob); kept.add(url); return url; };
        URL.revokeObjectURL = (url) => { kept.delete(url); drop(url); };"""
    )
    open_page(page, running)
    page.fill("#text", "Good morning.")
    page.click("#speak")
    wait_for_status(page, "Done")
    for _ in range(3):
        with page.expect_download() as download:
            page.click("#download")
        download.value.path()
    assert page.evaluate("kept.size") == 1


def test_a_chapter_is_spoken_without_a_gap_and_with_progress(page, running) -> None:
    open_page(page, running)
    page.fill("#text", "One more sentence of a chapter is read aloud.\n\n" * 6)
    page.click("#speak")
    wait_for_status(page, "Done")
    assert page.locator("#tokens canvas").count() == 6
    assert page.evaluate("document.getElementById('progress').value") == 1
    made, took = (float(page.inner_text(name).split()[0]) for name in ("#seconds", "#took"))
    # a browser that other work keeps from running may fall behind what it plays
    assert page.inner_text("#gaps") == "0" or took > made / 4
    assert page.problems == []


def test_a_voice_is_made_from_a_recording_with_consent(page, running, tmp_path) -> None:
    np, soundfile = pytest.importorskip("numpy"), pytest.importorskip("soundfile")
    time = np.arange(4 * 16_000) / 16_000
    soundfile.write(tmp_path / "voice.wav", 0.3 * np.sin(700 * time), 16_000)
    open_page(page, running)
    page.set_input_files("#recording", str(tmp_path / "voice.wav"))
    page.fill("#name", "guest")
    page.click("#upload button")
    assert page.inner_text("#upload-status") == ""  # not without the box
    page.check("#consent")
    page.click("#upload button")
    playwright.expect(page.locator("#upload-status")).to_have_text(
        "The voice is ready.", timeout=60_000
    )
    assert page.input_value("#voice") == "guest"
    told = page.locator("#voices tr", has_text="guest").inner_text()
    assert "agreed" in told
    running.ask("DELETE", "/v1/audio/voices/guest")


def test_without_the_web_runtime_the_switch_says_how_to_get_it(page, running) -> None:
    open_page(page, running)
    assert page.is_disabled("#here")
    assert "mamtra export nano --to web" in page.inner_text("#here-note")


@pytest.mark.slow
@pytest.mark.skipif(not RUNTIME, reason="MAMTRA_ORT_WEB names no package of onnxruntime-web")
@pytest.mark.skipif("nano" not in built_in(), reason="nano is not in this checkout")
def test_server_and_browser_speak_side_by_side(page, start_server, tmp_path) -> None:
    web = pytest.importorskip("mamtra.interop.onnx.web")
    folder = built_in()["nano"]
    site = web.export_web(ModelFolder(folder), tmp_path / "site", Path(RUNTIME))
    running = start_server(folder, browser=site)
    open_page(page, running)
    page.fill("#text", "Good morning 🚀. It is warm today.")
    page.check("#here")
    page.click("#speak")
    playwright.expect(page.locator("#status")).to_have_text("Done", timeout=240_000)
    assert float(page.inner_text("#seconds").split()[0]) > 1
    assert running.service.slots.numbers == 0
    left_out = "left out, there are no words for: '🚀'"
    assert page.inner_text("#notes") == left_out
    page.check("#compare")
    page.click("#speak")
    playwright.expect(page.locator("#rows tr")).to_have_count(2, timeout=240_000)
    names = page.locator("#rows tr td:first-child").all_inner_texts()
    assert names == ["nano", "this browser"]
    wait_for_status(page, "Done")
    assert page.inner_text("#notes") == left_out
    if pictures := os.environ.get("MAMTRA_PICTURES"):
        page.screenshot(path=str(Path(pictures) / "page-browser.png"), full_page=True)
    assert page.problems == []
    assert all(f":{running.port}/" in url or url[:5] in ("data:", "blob:") for url in page.asked)


def test_stop_frees_the_servers_slot(page, running) -> None:
    open_page(page, running)
    page.fill("#text", "This goes on and on without an end. " * 60)
    page.click("#speak")
    running.wait_for(lambda: bool(running.service.speaking))
    page.click("#stop")
    wait_for_status(page, "Stopped")
    running.wait_for(lambda: running.service.idle)
    assert page.problems == []


def test_the_servers_message_is_shown(page, running) -> None:
    open_page(page, running)
    page.fill("#text", "?!")
    page.click("#speak")
    page.wait_for_selector("#status.problem")
    assert "speak" in page.inner_text("#status")


def test_it_works_under_a_prefix_that_a_proxy_adds(page, start_server) -> None:
    running = start_server(root_path="/tts")
    open_page(page, running, "/tts/")
    page.fill("#text", "Good morning.")
    page.click("#speak")
    wait_for_status(page, "Done")


def test_every_control_has_a_name_and_the_keyboard_reaches_it(page, running) -> None:
    open_page(page, running)
    nameless = """() => [...document.querySelectorAll('button, input, select, textarea, canvas')]
        .filter((e) => e.offsetParent && !e.closest('[aria-hidden]'))
        .filter((e) => !(e.labels?.length || e.textContent.trim() || e.ariaLabel))
        .map((e) => e.outerHTML)"""
    assert page.evaluate(nameless) == []
    page.focus("#text")
    for _ in range(6):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") in ("BUTTON", "INPUT", "SELECT")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1400])
def test_narrow_and_wide_light_and_dark_it_fits(browser, running, scheme, width) -> None:
    page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
    open_page(page, running)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.close()


def test_a_server_that_goes_away_is_told(page, start_server) -> None:
    running = start_server()
    open_page(page, running)
    running.server.should_exit = True
    running.thread.join(30)
    page.click("#speak")
    page.wait_for_selector("#status.problem")
    assert "cannot be reached" in page.inner_text("#status")
