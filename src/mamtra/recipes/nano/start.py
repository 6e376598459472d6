"""Begin a new nano with the weights of an earlier one, though its speech tokens mean other things.

What reads letters and what moves along the text is the same work with any tokens. So layers are
taken over as they are, and the tables of tokens are translated: both tokenizers listen to the same
speech, and each new token gets the mean of the old rows that it coincides with.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from mamtra.acoustic.mel import LogMel
from mamtra.acoustic.speech_tokenizer import SpeechTokenizer, SpeechTokenizerConfig
from mamtra.audio.clip import Audio
from mamtra.audio.log_mel import MelConfig, hz_to_mel, mel_to_hz
from mamtra.checkpoints.format import ModelFolder
from mamtra.corpus.synthetic.manifest import Corpus
from mamtra.corpus.synthetic.tokens import TokenSource
from mamtra.speech_lm.model import SpeechLM

START = "start.json"  # in a run's folder: what became of the earlier weights
UTTERANCES = 600  # that both tokenizers hear
SAME_SHARE = 0.98  # of two tokenizers' tokens; those of 3,400 and 6,000 steps share half
RARE = 0.5  # a token counts as having met every old one this often in all


def heard(
    folder: ModelFolder, corpus: Corpus, tokens: TokenSource, count: int
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """The new tokens of some training utterances, and the earlier tokenizer's."""
    mel = LogMel(folder.section("mel", MelConfig))
    tokenizer = SpeechTokenizer(folder.section("speech_tokenizer", SpeechTokenizerConfig)).eval()
    tokenizer.load_state_dict(load_file(folder.part_file("speech_tokenizer")))
    chosen = [u for u in corpus.choose("train") if u.id in tokens][:count]
    for utterance in chosen:
        clip = Audio(corpus.audio(utterance), corpus.rate_hz).at(mel.config.rate_hz)
        old = tokenizer.encode(mel(torch.from_numpy(clip.samples)[None]))[0]
        yield tokens.of(utterance.id), old.numpy().astype(np.int64)


def coincidence(
    folder: ModelFolder, corpus: Corpus, tokens: TokenSource, codes: int, old_codes: int
) -> Tensor:
    """Shares of the old tokens in each new one, from speech that both tokenizers hear.

    Returns:
        A row of shares for each new token.
    """
    counts = torch.full((codes, old_codes), RARE / old_codes)
    for new, old in heard(folder, corpus, tokens, UTTERANCES):
        both = min(len(new), len(old))
        places = (torch.from_numpy(new[:both]), torch.from_numpy(old[:both]))
        counts.index_put_(places, torch.ones(both), accumulate=True)
    return counts / counts.sum(1, keepdim=True)


def same_tokens(folder: ModelFolder, corpus: Corpus, tokens: TokenSource) -> bool:
    """Whether the earlier tokenizer names a few utterances as the tokens at hand do.

    A processor that rounds otherwise may change a token here and there.
    """
    pairs = [*heard(folder, corpus, tokens, 8)]
    if any(len(new) != len(old) for new, old in pairs):
        return False
    same = np.concatenate([new == old for new, old in pairs])
    return bool(same.mean() > SAME_SHARE)


def between_bins(rows: Tensor, old: MelConfig, new: MelConfig) -> Tensor:
    """Rows of the old mel bins at the frequencies of the new ones."""

    def middles(config: MelConfig) -> np.ndarray:
        ends = hz_to_mel(np.array([config.fmin_hz, config.fmax_hz]))
        return mel_to_hz(np.linspace(ends[0], ends[1], config.bins + 2))[1:-1]

    places = np.interp(middles(new), middles(old), np.arange(old.bins))
    low = torch.from_numpy(np.floor(places)).long()
    share = torch.from_numpy(places).float() - low
    high = (low + 1).clamp(max=old.bins - 1)
    share = share.view(-1, *[1] * (rows.ndim - 1))
    return rows[low] * (1 - share) + rows[high] * share


def start_from(
    model: nn.Module, old: dict[str, Tensor], tables: dict[str, Tensor]
) -> dict[str, list[str]]:
    """Give a model the old weights that fit, and the given ones for those that do not.

    Returns:
        Names of the weights that were ``taken``, ``translated`` and left ``new``.
    """
    told: dict[str, list[str]] = {"taken": [], "translated": [], "new": []}
    state = model.state_dict()
    for name, value in state.items():
        if name in tables:
            told["translated"].append(name)
            state[name] = tables[name].to(value)
        elif name in old and old[name].shape == value.shape:
            told["taken"].append(name)
            state[name] = old[name].to(value)
        else:
            told["new"].append(name)
    model.load_state_dict(state)
    return told


def translated(rows: Tensor, shares: Tensor) -> Tensor:
    """A table of tokens in the new tokens' order; rows beyond the codes are special and kept."""
    codes = shares.shape[1]
    return torch.cat([shares @ rows[:codes].float(), rows[codes:].float()])


def silence_new_layers(model: nn.Module, new: list[str]) -> None:
    """Let encoder layers that the earlier decoder lacked begin by adding nothing."""
    ends = ("o_proj.weight", "o_proj.bias", "narrow.weight", "narrow.bias")
    with torch.no_grad():
        for name in new:
            if "layers." in name and name.endswith(ends):
                model.get_parameter(name).zero_()


def start_language_model(
    model: SpeechLM, folder: Path, corpus: Corpus, tokens: TokenSource
) -> dict[str, list[str]]:
    """Begin with an earlier language model; returns what ``start_from`` does.

    Raises:
        ModelError: the folder is no model.
    """
    earlier = ModelFolder(folder)
    old = load_file(earlier.part_file("speech_lm"))
    codes = model.config.speech_vocabulary
    if same_tokens(earlier, corpus, tokens):
        return start_from(model, old, {})
    old_codes = earlier.section("speech_tokenizer", SpeechTokenizerConfig)
    shares = coincidence(earlier, corpus, tokens, codes, 3**old_codes.digits)
    names = ("speech_embedding.weight", "head.weight", "head.bias")
    return start_from(model, old, {name: translated(old[name], shares) for name in names})


def start_decoder(
    model: nn.Module, folder: Path, corpus: Corpus, tokens: TokenSource, mel: MelConfig
) -> dict[str, list[str]]:
    """Begin with an earlier decoder; returns what ``start_from`` does.

    Raises:
        ModelError: the folder is no model.
    """
    earlier = ModelFolder(folder)
    old = {
        f"{part}.{name}": value
        for part in ("decoder", "speaker")
        for name, value in load_file(earlier.part_file(part)).items()
    }
    tables: dict[str, Tensor] = {}
    before = earlier.section("mel", MelConfig)
    if before != mel:
        heads = ("decoder.mean_head.weight", "decoder.mean_head.bias")
        tables = {name: between_bins(old[name].float(), before, mel) for name in heads}
    if not same_tokens(earlier, corpus, tokens):
        old_codes = earlier.section("speech_tokenizer", SpeechTokenizerConfig)
        table = "decoder.encoder.embedding.weight"
        codes = model.state_dict()[table].shape[0]
        shares = coincidence(earlier, corpus, tokens, codes, 3**old_codes.digits)
        tables[table] = translated(old[table], shares)
    told = start_from(model, old, tables)
    silence_new_layers(model, told["new"])
    return told


def start_vocoder(model: nn.Module, folder: Path) -> dict[str, list[str]]:
    """Begin with an earlier vocoder; returns what ``start_from`` does.

    Raises:
        ModelError: the folder is no model.
    """
    return start_from(model, load_file(ModelFolder(folder).part_file("vocoder")), {})
