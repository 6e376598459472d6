"""Whisper by faster-whisper (CTranslate2): the judge of release numbers.

Beam 5, temperature 0, no text carried from part to part; on a CPU the weights are computed in 8
bit. ``whisper`` writes words alone. ``whisper-timed`` writes when they are heard as well, as in the
evaluation of F5-TTS (its eval/utils_eval.py, which also falls back to higher temperatures and
computes in float16): small Whispers without times may stop before the last words of a clip.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from mamtra.errors import ModelError, require
from mamtra.evaluation.judges.judge import Identity, sound_at
from mamtra.evaluation.word_errors import EXTRA
from mamtra.files import file_sha256

PACKAGE = "faster-whisper"
RATE_HZ = 16_000
WEIGHTS = "model.bin"
BEAM = 5


def weights_folder(name: str) -> Path:
    """A folder with weights, or what was fetched before under a name; nothing is fetched.

    Raises:
        ModelError: it is neither.
        MissingExtraError: faster-whisper is not installed.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not (folder / WEIGHTS).is_file():
            raise ModelError(
                f"{name!r} holds no {WEIGHTS}; give the folder of a CTranslate2 Whisper, which "
                f"also holds config.json, tokenizer.json and vocabulary.txt"
            )
        return folder
    if name.startswith(("/", ".", "~")):
        raise ModelError(
            f"there is no folder {name!r}; give that of a CTranslate2 Whisper, or the name of one "
            f"that was fetched before, such as base"
        )
    utils = require("faster_whisper.utils", EXTRA)
    try:
        return Path(utils.download_model(name, local_files_only=True))
    except Exception as problem:  # the hub has many errors for "not here"
        repository = name if "/" in name else f"Systran/faster-whisper-{name}"
        raise ModelError(
            f"{name!r} is no folder, and no Whisper that was fetched before; give its folder, or "
            f"run: mamtra fetch {repository}"
        ) from problem


class Whisper:
    """A recogniser with Whisper's weights.

    Args:
        name: a folder of CTranslate2 weights, or a name such as ``base`` that was fetched before.
        language: of the speech.
        threads: of the processor.
        timed: write down times as well.

    Raises:
        ModelError: there are no such weights, or they are damaged.
        MissingExtraError: faster-whisper is not installed.
    """

    def __init__(
        self, name: str, language: str = "en", threads: int = 1, timed: bool = False
    ) -> None:
        package = require("faster_whisper", EXTRA)
        folder = weights_folder(name)
        self.language, self.timed = language, timed
        try:
            self.model = package.WhisperModel(
                str(folder),
                device="cpu",
                compute_type="int8",
                cpu_threads=threads,
                local_files_only=True,
            )
        except (RuntimeError, ValueError) as problem:
            raise ModelError(f"cannot open the Whisper in {name!r}: {problem}") from problem
        short = Path(name).name
        known = short if "whisper" in short else f"whisper {short}"
        self.identity = Identity(
            name=f"{known} (timed)" if timed else known,
            package=PACKAGE,
            version=package.__version__,
            weights=WEIGHTS,
            sha256=file_sha256(folder / WEIGHTS),
            settings={
                "language": language,
                "beam": BEAM,
                "temperature": 0,
                "compute_type": "int8",
                "device": "cpu",
                **({"timestamps": True} if timed else {}),
            },
        )

    def hear(self, samples: Float[np.ndarray, " samples"], rate_hz: int) -> str:
        """The words of one clip; an empty string if it hears none."""
        sound = sound_at(samples, rate_hz, RATE_HZ)
        parts, _ = self.model.transcribe(
            sound,
            language=self.language,
            beam_size=BEAM,
            temperature=0.0,
            without_timestamps=not self.timed,
            condition_on_previous_text=False,
        )
        return " ".join(part.text.strip() for part in parts).strip()
