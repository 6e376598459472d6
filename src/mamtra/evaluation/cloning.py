"""Whether a voice made from a recording sounds like its speaker, more than like others.

Every speaker gives one recording. A voice is made from each, says the same lines, and a judge of
similarity compares the result with every recording. A model that clones is nearest to the right
one; one that does not finds it by chance, one time in the number of speakers.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from mamtra.audio.clip import Audio
from mamtra.errors import CorpusError
from mamtra.evaluation.judges.judge import Similarity
from mamtra.runtime.protocols import VoiceEncoder
from mamtra.synthesis.synthesizer import Synthesizer
from mamtra.voice.voice import make_voice

LEAST_SPEAKERS = 2


def compared(
    synthesizer: Synthesizer,
    encoder: VoiceEncoder,
    recordings: Mapping[str, Audio],
    lines: Sequence[str],
    judge: Similarity,
    seed: int,
) -> Float[np.ndarray, "speakers speakers"]:
    """How alike what is said in each speaker's voice (rows) is to each recording (columns).

    Raises:
        CorpusError: fewer than two speakers.
        VoiceError: a recording is too short, too long or silent.
    """
    if len(recordings) < LEAST_SPEAKERS:
        raise CorpusError(
            f"too few recordings to tell speakers apart: {len(recordings)}; give two at least, ten "
            "if possible, one sound file of each speaker"
        )
    rows = []
    for name, recording in recordings.items():
        voice = make_voice(encoder, recording, name)
        said = [synthesizer.say(line, voice=voice, seed=seed) for line in lines]
        sound, rate_hz = np.concatenate([speech.samples for speech in said]), said[0].rate
        rows.append(
            [
                judge.likeness(sound, rate_hz, other.samples, other.rate_hz)
                for other in recordings.values()
            ]
        )
    return np.array(rows)


def summed(names: Sequence[str], table: Float[np.ndarray, "speakers speakers"]) -> dict[str, Any]:
    """What a table of likeness comes to.

    Args:
        names: of the speakers.
        table: what was said (rows) against recordings (columns).

    Returns:
        ``own`` and ``others``: mean likeness to the right recording and to the wrong ones;
        ``nearest``: share of voices that are nearest to the right one, where ``chance`` is what
        guessing reaches; ``likeness``: the table itself.
    """
    count = len(names)
    own = np.diagonal(table)
    others = table[~np.eye(count, dtype=bool)]
    return {
        "speakers": list(names),
        "own": round(float(own.mean()), 3),
        "others": round(float(others.mean()), 3),
        "nearest": round(float((table.argmax(1) == np.arange(count)).mean()), 3),
        "chance": round(1 / count, 3),
        "likeness": table.round(3).tolist(),
    }
