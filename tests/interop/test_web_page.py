"""The page of ``mamtra export nano --to web``: what its folder holds, and nano in a browser."""

import functools
import http.server
import os
import shutil
import tarfile
import threading
import wave
from array import array
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

pytest.importorskip("onnx")
from mamtra.checkpoints.format import ModelFolder
from mamtra.checkpoints.locate import built_in
from mamtra.errors import ConfigError, ModelError
from mamtra.interop.onnx.web import RUNTIME, export_web

PACKAGE = os.environ.get("MAMTRA_ORT_WEB", "")  # the file that npm pack onnxruntime-web gives
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture
def stand_in(tmp_path: Path) -> Path:
    """A package with files of onnxruntime-web's names."""
    folder = tmp_path / "package" / "dist"
    folder.mkdir(parents=True)
    for name in RUNTIME:
        (folder / name).write_text("nothing")
    archive = tmp_path / "ort.tgz"
    with tarfile.open(archive, "w:gz") as file:
        file.add(tmp_path / "package", "package")
    return archive


def test_the_folder_holds_the_page_the_model_and_the_runtime(
    tiny_model_folder: Path, stand_in: Path, tmp_path: Path
) -> None:
    site = export_web(ModelFolder(tiny_model_folder), tmp_path / "site", stand_in)
    names = {path.relative_to(site).as_posix() for path in site.rglob("*") if path.is_file()}
    assert {"index.html", "page.js", "model.js", "text.js", "ids.js", "rules.js"} <= names
    assert set(RUNTIME) <= names
    assert {"model/manifest.json", "model/decoder.onnx", "model/voices/low.safetensors"} <= names
    assert "`mamtra export --to web`" in (site / "model" / "README.md").read_text()
    told = "".join((site / name).read_text() for name in names if name.endswith((".js", ".html")))
    assert "https://" not in told.replace("http://www.w3.org", "")
    with pytest.raises(ModelError, match="not empty"):
        export_web(ModelFolder(tiny_model_folder), site, stand_in)


def test_voices_lie_there_in_the_type_that_the_page_reads(
    tiny_model_folder: Path, stand_in: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(tiny_model_folder, tmp_path / "model"))
    voice = folder / "voices" / "low.safetensors"
    held = load_file(voice)
    with safe_open(voice, "numpy") as file:
        notes = file.metadata()
    wide = held | {name: held[name].astype(np.float32) for name in ("speaker", "mel")}
    save_file(wide, folder / "voices" / "wide #1.safetensors", notes)
    site = export_web(ModelFolder(folder), tmp_path / "site", stand_in)
    found = load_file(site / "model" / "voices" / "wide #1.safetensors")
    assert found["speaker"].dtype == np.float16
    assert np.array_equal(found["speaker"], held["speaker"])
    assert "encodeURIComponent(voice)" in (site / "model.js").read_text()


def test_another_archive_and_another_kind_of_model_are_refused(
    tiny_model_folder: Path, tmp_path: Path
) -> None:
    folder = ModelFolder(tiny_model_folder)
    with pytest.raises(ModelError, match="npm pack onnxruntime-web"):
        export_web(folder, tmp_path / "site", tmp_path / "nothing.tgz")
    assert folder.config.decoder is not None
    folder.config.decoder["steps"] = 10
    with pytest.raises(ConfigError, match="whose decoder has no flow"):
        export_web(folder, tmp_path / "other", tmp_path / "nothing.tgz")


@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed")
@pytest.mark.skipif(not PACKAGE, reason="MAMTRA_ORT_WEB names no package of onnxruntime-web")
def test_nano_speaks_inside_the_page(tmp_path: Path) -> None:
    playwright = pytest.importorskip("playwright.sync_api")
    site = export_web(ModelFolder(built_in()["nano"]), tmp_path / "site", Path(PACKAGE))
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with playwright.sync_playwright() as driver:
            options = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
            browser = driver.chromium.launch(executable_path=CHROMIUM, args=options)
            page = browser.new_page()
            asked: list[str] = []
            page.on("request", lambda request: asked.append(request.url))
            address = f"http://127.0.0.1:{server.server_port}/"
            page.goto(address)
            page.wait_for_selector("#speak:enabled", timeout=180_000)
            page.click("#speak")
            page.wait_for_selector("#keep:not([hidden])", timeout=300_000)
            with page.expect_download() as download:
                page.click("#keep")
            download.value.save_as(tmp_path / "speech.wav")
            browser.close()
        server.shutdown()
    assert all(url.startswith((address, "blob:", "data:")) for url in asked)
    with wave.open(str(tmp_path / "speech.wav")) as file:
        seconds = file.getnframes() / file.getframerate()
        samples = array("h", file.readframes(file.getnframes()))
    assert 2.5 < seconds < 8
    assert max(map(abs, samples)) > 0.1 * 2**15
