"""Speech from hibari-tts, a natural American voice that runs a hundred times faster than real time.

Its network says how long each sound lasts and what its pitch is, so the corpus has exact phone
times and pitch for nothing. It is a tool of the recipe only: nothing that speaks needs it.
Package: hibari-tts (Apache-2.0), distilled by its author from Kokoro-82M's voice af_heart.
"""

import zlib
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from mamtra.corpus.synthetic.aligned import RATE_HZ, VOWELS, spoken
from mamtra.corpus.synthetic.spoken import Speaking, Spoken
from mamtra.errors import CorpusError, MissingExtraError
from mamtra.files import file_sha256

VOICES = ("heart",)
DURATIONS = "/Clip_output_0"  # inside the network: units of 25 ms that each symbol lasts
UNIT_MS = 25
LEAST, UNCHANGED = "least_durations", "durations_of_the_network"
VOICED_ABOVE_HZ = 60.0
INSTALL = "hibari speaks this corpus and is not installed; run: pip install hibari-tts onnx"


@cache
def reader() -> Any:
    """Hibari itself; its reader of English serves Kokoro as well.

    Raises:
        MissingExtraError: hibari is not installed.
    """
    try:
        from hibari import Hibari as Package
    except ImportError as missing:
        raise MissingExtraError(INSTALL) from missing
    return Package(threads=1)


def session_with(path: Path, output: str, least: bool = False) -> Any:
    """A one-thread session of a network that gives one more of its inner values.

    Args:
        path: of the network.
        output: the inner value's name.
        least: the network gets an input ``LEAST`` of that value's shape, below which it does not
            fall.

    Raises:
        MissingExtraError: onnx or onnxruntime is not installed.
    """
    try:
        import onnx
        import onnxruntime
    except ImportError as missing:
        raise MissingExtraError(INSTALL) from missing
    model = onnx.load(path)
    graph, kind = model.graph, onnx.TensorProto.FLOAT
    if least:
        place = next(n for n, node in enumerate(graph.node) if output in node.output)
        graph.node[place].output[:] = [UNCHANGED]
        larger = onnx.helper.make_node("Max", [UNCHANGED, LEAST], [output])
        graph.node.insert(place + 1, larger)
        graph.input.append(onnx.helper.make_tensor_value_info(LEAST, kind, None))
    graph.output.append(onnx.helper.make_tensor_value_info(output, kind, None))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def spoken_symbols(text: str) -> str:
    """A text in the alphabet that hibari and Kokoro read.

    Raises:
        CorpusError: there is nothing to say.
    """
    known = reader().vocab
    symbols = "".join(c for c in " ".join(reader().phonemize(text)) if c in known)
    if not symbols:
        raise CorpusError(f"nothing to say in {text!r}")
    return symbols


class Hibari(Speaking):
    """The voice "heart".

    Args:
        voice: one of ``VOICES``.
        shortest_vowel_ms: vowels last at least so long. By itself hibari gives those of small words
            (``a``, ``at``) 25 ms, in which they may not be heard.

    Raises:
        CorpusError: the voice is unknown.
        MissingExtraError: hibari is not installed.
    """

    rate_hz = RATE_HZ

    def __init__(self, voice: str = "heart", shortest_vowel_ms: int = UNIT_MS) -> None:
        if voice not in VOICES:
            raise CorpusError(f"unknown hibari voice {voice!r}; known: {', '.join(VOICES)}")
        self.path = Path(reader().model_path)
        self.shortest_vowel_ms = shortest_vowel_ms
        self.session = session_with(self.path, DURATIONS, least=True)

    def say(self, text: str) -> Spoken | None:
        """Speak one sentence at 24 kHz; the text is the seed of its noise."""
        from hibari import dsp

        symbols = spoken_symbols(text)
        ids = np.asarray([reader().ids(symbols)], np.int64)
        least = [self.shortest_vowel_ms / UNIT_MS if c in VOWELS else 1.0 for c in symbols]
        given = {
            "ids": ids,
            "speed": np.ones(1, np.float32),
            LEAST: np.array([1.0, *least, 1.0], np.float32),  # silence at both ends
        }
        *values, durations = self.session.run(None, given)
        parts = [value[0] for value in values]
        noise = np.random.default_rng(zlib.crc32(text.encode()))
        samples = dsp.synth(*parts, noise)  # pyright: ignore[reportCallIssue]
        pitch = np.where(parts[-1] > VOICED_ABOVE_HZ, parts[-1], 0.0)
        return spoken(text, symbols, durations.ravel().astype(int).tolist(), samples, pitch)

    def identity(self) -> dict[str, str]:
        """Package, version and checksum, for the corpus's manifest."""
        return {
            "package": "hibari-tts",
            "version": metadata.version("hibari-tts"),
            "licence": "Apache-2.0",
            "sha256": file_sha256(self.path),
            "shortest_vowel_ms": str(self.shortest_vowel_ms),
        }
