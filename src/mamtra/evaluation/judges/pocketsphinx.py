"""pocketsphinx with its default English model: the judge that needs no further weights.

It works offline and hears the same sound the same way every time. It is no modern recogniser:
compare systems with it, and report Whisper's figures. Three forms:

    default   the English language model that comes with it
    unigram   only the words of the test sentences, as often as they occur there, in any order
    choice    one of the test sentences; tells coarse speech from noise while a voice still learns

Measured on 60 everyday sentences of flite's slt (word error rate, times faster than real time on
one busy core): default 6 %, 7; unigram 12 %, 19; choice 0 %, 60. Wider beams, noise removal, volume
and dither gained nothing, so the settings are those that it comes with. Silence at both ends does
help where a clip has none: 6.8 % became 5.0 %.
"""

import math
import tempfile
from collections import Counter
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from mamtra.errors import ConfigError, require
from mamtra.evaluation.judges.judge import Identity, sound_at
from mamtra.evaluation.line_set import fingerprint
from mamtra.evaluation.word_errors import EXTRA, plain_words

RATE_HZ = 16_000  # the rate its acoustic model was trained at
QUIET_SECONDS = 0.2  # silence put before and after each clip
FORMS = ("default", "unigram", "choice")
NAME = "test"  # of the grammar or word list inside the recogniser
NEVER_LOG10 = -99.0  # how ARPA files write a probability of zero


def known_words(decoder: Any, sentences: Sequence[str]) -> list[list[str]]:
    """The words of each sentence that the recogniser has in its dictionary."""
    return [
        [word for word in sentence.split() if decoder.lookup_word(word) is not None]
        for sentence in sentences
    ]


def unigram_file(sentences: Sequence[Sequence[str]]) -> str:
    """An ARPA file in which each word is as probable as it is frequent, whatever came before."""
    counts = Counter(word for sentence in sentences for word in sentence)
    total = sum(counts.values()) + len(sentences)
    rows = [(NEVER_LOG10, "<s>"), (math.log10(len(sentences) / total), "</s>")]
    rows += [(math.log10(count / total), word) for word, count in sorted(counts.items())]
    listed = "\n".join(f"{probability:.4f} {word}" for probability, word in rows)
    return f"\\data\\\nngram 1={len(rows)}\n\n\\1-grams:\n{listed}\n\n\\end\\\n"


class Pocketsphinx:
    """pocketsphinx in one of its forms; made once, then asked for any number of clips.

    Args:
        form: one of ``FORMS``.
        sentences: the test sentences; the default form works without.

    Attributes:
        unknown: words of the sentences that it cannot hear because its dictionary lacks them.

    Raises:
        ConfigError: the form is unknown, or needs sentences and has none.
        MissingExtraError: pocketsphinx is not installed.
    """

    def __init__(self, form: str = "default", sentences: Sequence[str] = ()) -> None:
        if form not in FORMS:
            raise ConfigError(f"unknown form {form!r} of the judge; known: {', '.join(FORMS)}")
        sphinx = require("pocketsphinx", EXTRA)
        spoken = [plain_words(sentence) for sentence in sentences]
        self.decoder = (
            sphinx.Decoder(loglevel="FATAL")
            if form == "default"
            else sphinx.Decoder(loglevel="FATAL", lm=None)
        )
        known = known_words(self.decoder, spoken)
        heard = {word for words in known for word in words}
        self.unknown = sorted({word for text in spoken for word in text.split()} - heard)
        if form != "default" and not heard:
            raise ConfigError(f"the judge's form {form!r} needs test sentences with known words")
        self.sentence_of: dict[str, str] = {}
        if form == "unigram":
            self.listen_for_words(sphinx, known)
        elif form == "choice":
            for words, text in zip(known, spoken, strict=True):
                self.sentence_of.setdefault(" ".join(words), text)
            self.sentence_of.pop("", None)
            choices = f"public <sentence> = {' | '.join(self.sentence_of)};"
            self.decoder.add_jsgf_string(NAME, f"#JSGF V1.0;\ngrammar {NAME};\n{choices}\n")
            self.decoder.activate_search(NAME)
        self.identity = Identity(
            name="pocketsphinx" if form == "default" else f"pocketsphinx {form}",
            package="pocketsphinx",
            version=metadata.version("pocketsphinx"),
            weights="en-us, in the package",
            settings={"form": form, "quiet_seconds": QUIET_SECONDS}
            | ({} if form == "default" else {"sentences": fingerprint(spoken)}),
        )

    def listen_for_words(self, sphinx: Any, sentences: Sequence[Sequence[str]]) -> None:
        """Hear any sequence of the sentences' own words."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "words.arpa"
            path.write_text(unigram_file(sentences))
            words = sphinx.NGramModel(self.decoder.config, self.decoder.logmath, str(path))
        self.decoder.add_lm(NAME, words)
        self.decoder.activate_search(NAME)

    def hear(self, samples: Float[np.ndarray, " samples"], rate_hz: int) -> str:
        """The words of one clip; an empty string if it hears none.

        The whole clip is given at once and its features begin anew, so what was heard before has
        no influence.
        """
        padded = np.pad(sound_at(samples, rate_hz, RATE_HZ), round(QUIET_SECONDS * RATE_HZ))
        clipped = np.clip(padded, -1, 1)
        self.decoder.reinit_feat()
        self.decoder.start_utt()
        self.decoder.process_raw((clipped * 32767).astype(np.int16).tobytes(), full_utt=True)
        self.decoder.end_utt()
        result = self.decoder.hyp()
        if result is None:
            return ""
        return self.sentence_of.get(result.hypstr) or plain_words(result.hypstr)
