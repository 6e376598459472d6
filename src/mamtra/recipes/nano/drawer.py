"""What the trained decoder draws of a corpus: the vocoder learns from these mel features, too."""

from pathlib import Path

import torch
from jaxtyping import Float
from safetensors.torch import load_file
from torch import Tensor, nn

from mamtra.acoustic.config import FRAMES_PER_TOKEN
from mamtra.acoustic.mel import LogMel
from mamtra.corpus.synthetic.manifest import Corpus, Utterance
from mamtra.corpus.synthetic.tokens import TokenSource
from mamtra.recipes.nano.decoder import DecoderRun, Voiced
from mamtra.recipes.nano.tokenizer import NANO_MEL

KEPT = 20_000  # utterances; a gigabyte at most
TOGETHER = 32  # utterances that are drawn in one pass


class Drawer:
    """Mel features as a trained decoder draws them from the tokens of a corpus.

    Args:
        weights: of a ``Voiced``.
        corpus: the spoken sentences.
        tokens: their speech tokens.
        run: what the decoder was trained with.
        device: where it draws.
    """

    def __init__(
        self,
        weights: Path,
        corpus: Corpus,
        tokens: TokenSource,
        run: DecoderRun | None = None,
        device: str = "cpu",
    ) -> None:
        self.corpus, self.tokens, self.device = corpus, tokens, device
        self.voiced = Voiced(run or DecoderRun())
        self.voiced.load_state_dict(load_file(weights))
        self.voiced.to(device).eval().requires_grad_(False)
        self.features = LogMel(NANO_MEL).to(device)
        self.speakers: dict[str, Tensor] = {}
        self.drawn: dict[str, Tensor] = {}

    def speaker(self, voice: str) -> Float[Tensor, "1 width"]:
        """The vector of a voice, from its longest validation utterance."""
        if voice not in self.speakers:
            utterances = self.corpus.choose("validation", voice) or self.corpus.choose(
                "train", voice
            )
            longest = max(utterances, key=lambda utterance: utterance.samples)
            samples = torch.from_numpy(self.corpus.audio(longest)).to(self.device)
            self.speakers[voice] = self.voiced.speaker(self.features(samples[None]))
        return self.speakers[voice]

    @torch.no_grad()
    def draw_all(self, utterances: list[Utterance]) -> None:
        """Draw utterances ahead of time, many at once, as suits a GPU; up to ``KEPT``."""
        config = self.voiced.decoder.config
        missing = [item for item in utterances[:KEPT] if item.id not in self.drawn]
        missing.sort(key=lambda item: item.samples)
        for start in range(0, len(missing), TOGETHER):
            group = missing[start : start + TOGETHER]
            ids = [torch.from_numpy(self.tokens.of(item.id)) for item in group]
            lengths = torch.tensor([len(row) for row in ids], device=self.device)
            mel = self.voiced.decoder.expect(
                nn.utils.rnn.pad_sequence(ids, batch_first=True).to(self.device),
                torch.cat([self.speaker(item.voice) for item in group]),
                lengths,
            )
            mel = (mel * config.mel_scale + config.mel_offset).half()
            for item, row, length in zip(group, mel, lengths.tolist(), strict=True):
                self.drawn[item.id] = row[:, : FRAMES_PER_TOKEN * length].clone()

    @torch.no_grad()
    def draw(self, utterance: Utterance) -> Float[Tensor, "bins frames"]:
        """The mel features of a whole utterance; the last ``KEPT`` are kept in 16 bit."""
        if utterance.id not in self.drawn:
            ids = torch.from_numpy(self.tokens.of(utterance.id))[None].to(self.device)
            mel = self.voiced.decoder(ids, self.speaker(utterance.voice))[0]
            while len(self.drawn) >= KEPT:
                self.drawn.pop(next(iter(self.drawn)))
            self.drawn[utterance.id] = mel.half()
        return self.drawn[utterance.id].float()
