"""A handful of tones in LibriTTS's layout, good and bad: python mini_libritts.py FOLDER."""

import sys
from pathlib import Path

import numpy as np
import soundfile

RATE_HZ = 24_000


def tone(seconds: float, pitch_hz: float, rate_hz: int = RATE_HZ) -> np.ndarray:
    """A tone with a little noise."""
    time = np.arange(int(seconds * rate_hz)) / rate_hz
    noise = np.random.default_rng(int(pitch_hz)).normal(size=len(time))
    return (0.3 * np.sin(2 * np.pi * pitch_hz * time) + 0.01 * noise).astype(np.float32)


def put(folder: Path, name: str, samples: np.ndarray, text: str, rate_hz: int = RATE_HZ) -> Path:
    """One recording and its text."""
    subset, stem = name.split("/")
    speaker, chapter, *_ = stem.split("_")
    path = folder / subset / speaker / chapter / f"{stem}.wav"
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate_hz)
    path.with_suffix(".normalized.txt").write_text(text, encoding="utf-8")
    return path


def mini_libritts(folder: Path) -> Path:
    """Write the tree: six good recordings, eleven bad ones."""
    put(folder, "train-clean-100/1_10_0_0", tone(1.0, 100), "One.")
    put(folder, "train-clean-100/1_10_0_1", tone(0.8, 150), "Two, naïve — 你好.")
    put(folder, "train-other-500/2_20_0_0", tone(0.7, 200, 16_000), "Three.", 16_000)
    stereo = np.stack([tone(0.9, 250), tone(0.9, 300)], axis=1)
    put(folder, "train-clean-360/3_30_0_0", stereo, "Four.")
    put(folder, "dev-clean/4_40_0_0", tone(0.6, 350, 22_050), "Five.", 22_050)
    original = put(folder, "test-clean/5_50_0_0", tone(1.1, 400), "")
    original.with_suffix(".normalized.txt").unlink()
    original.with_suffix(".original.txt").write_text("Six.\n", encoding="utf-8")
    put(folder, "train-clean-100/1_11_0_0", tone(1.0, 110), "  \n")
    put(folder, "train-clean-100/1_11_0_1", tone(1.0, 120), "Broken.").write_bytes(b"no sound")
    put(folder, "train-clean-100/1_11_0_2", tone(0.05, 130), "Short.")
    put(folder, "train-clean-100/1_11_0_3", np.zeros(RATE_HZ, np.float32), "Silent.")
    put(folder, "train-clean-100/1_11_0_4", tone(4.0, 140), "Long.")
    mute = put(folder, "train-clean-100/1_11_0_5", tone(1.0, 160), "")
    mute.with_suffix(".normalized.txt").unlink()
    put(folder, "train-clean-100/1_11_0_6", tone(1.0, 170), "Nothing.").write_bytes(b"")
    put(folder, "train-clean-100/1_11_0_7", np.zeros(0, np.float32), "No samples.")
    loud = put(folder, "train-clean-100/1_11_0_8", tone(1.0, 180), "Infinite.")
    soundfile.write(loud, np.full(RATE_HZ, np.nan, np.float32), RATE_HZ, subtype="FLOAT")
    latin = put(folder, "train-clean-100/1_11_0_9", tone(1.0, 190), "")
    latin.with_suffix(".normalized.txt").write_bytes("Café.".encode("latin-1"))
    half = put(folder, "train-clean-100/1_11_0_10", tone(1.0, 210), "Half a download.")
    half.write_bytes(half.read_bytes()[:24_000])
    return folder


if __name__ == "__main__":
    print(mini_libritts(Path(sys.argv[1])))
