"""The finished nano: trained parts become model folders, with voices, guard and graphs."""

import gzip
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

from safetensors.torch import load_file
from torch import nn

from mamtra.acoustic.phone_recogniser import PhoneRecogniser
from mamtra.audio.clip import Audio
from mamtra.checkpoints.checksums import write_checksums
from mamtra.checkpoints.format import ModelConfig, ModelFolder, write_config
from mamtra.checkpoints.modules import save_part
from mamtra.corpus.synthetic.manifest import Corpus
from mamtra.corpus.synthetic.spoken import MAIN_VOICE
from mamtra.corpus.synthetic.tokens import TokenTable
from mamtra.errors import CorpusError
from mamtra.generation.guard import GuardConfig
from mamtra.generation.sampling import SamplingConfig
from mamtra.recipes.nano.decoder import DecoderRun, Voiced
from mamtra.recipes.nano.detail import give_detail, measure_detail, sharpen
from mamtra.recipes.nano.drawer import Drawer
from mamtra.recipes.nano.proofreader import ProofreaderRun
from mamtra.recipes.nano.stages import PRONUNCIATIONS, Workshop
from mamtra.recipes.nano.student import SHIPPED, STUDENTS, untrained
from mamtra.recipes.nano.tokenizer import NANO_MEL, TokenizerRun
from mamtra.recipes.nano.tokens import trained_tokenizer
from mamtra.recipes.nano.vocoder import NANO_VOCODER, trained_vocoder
from mamtra.speech_lm.model import SpeechLM, SpeechLMConfig
from mamtra.synthesis.text_reader import TextConfig
from mamtra.text.pronunciations import PACKED, read_pronunciations
from mamtra.text.tokenizer import NanoTokenizer
from mamtra.voice.load import open_voice_encoder
from mamtra.voice.voice import make_voice

Module = TypeVar("Module", bound=nn.Module)

PROMPT_SECONDS = (3.5, 5.0)  # length of the recording a voice is made from
LM_FILE = "speech_lm.safetensors"
SILENT_SHARE = 0.02  # a token that opens or closes so many utterances is silence
EMPHASIS = 1.1  # of the decoder's features around their mean, beyond what recordings have
SHARPNESS = 1.2  # of the spectrum's ripples; 1.5 costs sound (docs/log.md)
SAMPLING = SamplingConfig(temperature=0.5, repetition_share=0.4)
LICENCE = "Apache-2.0 (hibari and Kokoro-82M)"
PIECE_CHARACTERS = 120  # longest text that is spoken at once; in longer ones words get lost


def silent_tokens(tokens: TokenTable, names: list[str]) -> tuple[int, ...]:
    """The tokens that open or close utterances: what silence sounds like."""
    edges = [int(token) for name in names for token in tokens.of(name)[[0, -1]]]
    counts = Counter(edges)
    return tuple(sorted(t for t, count in counts.items() if count > SILENT_SHARE * len(edges)))


def guard_for(tokens: TokenTable, corpus: Corpus, tokenizer: NanoTokenizer) -> GuardConfig:
    """Bounds of speech per text id, from the corpus: never beyond what it holds, with a margin."""
    utterances = [u for u in corpus.choose("train", MAIN_VOICE) if u.id in tokens]
    ratios = [len(tokens.of(u.id)) / (len(tokenizer.encode(u.text)) + 2) for u in utterances]
    return GuardConfig(
        min_per_text_token=round(0.8 * min(ratios), 2),
        max_per_text_token=round(2.0 * max(ratios), 2),
        spare_tokens=20,
        silence_tokens=20,
        silent_ids=silent_tokens(tokens, [u.id for u in utterances]),
    )


def fill(module: Module, weights: Path) -> Module:
    """Load trained weights, strictly."""
    module.load_state_dict(load_file(weights))
    return module.eval()


def save_voices(folder: Path, corpus: Corpus) -> None:
    """Make a voice of each speaker of the corpus, from a held-out utterance.

    Kokoro's ``am_michael`` (American, male) is called michael here.
    """
    encoder = open_voice_encoder(ModelFolder(folder))
    shortest, longest = (round(seconds * corpus.rate_hz) for seconds in PROMPT_SECONDS)
    for name in corpus.voices:
        suitable = [
            utterance
            for utterance in corpus.choose("validation", name)
            if shortest <= utterance.samples <= longest
        ]
        if not suitable:
            raise CorpusError(f"no validation utterance of voice {name!r} is of a suitable length")
        chosen, short = suitable[0], name.rpartition("_")[2]
        told = corpus.sources.get(name, {})
        voice = make_voice(
            encoder,
            Audio(corpus.audio(chosen), corpus.rate_hz),
            short,
            text=chosen.text,
            source=" ".join(filter(None, (told.get("package"), told.get("version"), name))),
            licence=LICENCE,
        )
        voice.save(folder / "voices" / f"{short}.safetensors")


def save_beside(whole: Path, suffix: str, config: SpeechLMConfig, weights: Path) -> None:
    """Write a model that has another language model, and every other part of a whole one.

    Args:
        whole: folder of the model whose parts it shares; it is written beside it.
        suffix: what its name has more.
        config: of the language model.
        weights: that were trained.
    """
    from mamtra.interop.onnx.export import OnnxExport, export_onnx  # needs onnx

    folder, rest = whole.with_name(f"{whole.name}-{suffix}"), f"../{whole.name}"
    write_config(folder, ModelConfig(name=folder.name, parts_from=rest, speech_lm=asdict(config)))
    save_part(fill(SpeechLM(config), weights), folder / LM_FILE)
    export_onnx(ModelFolder(folder), OnnxExport())
    write_checksums(folder)


def assemble(workshop: Workshop, folder: Path) -> None:
    """Write the finished model's folder and, beside it, its teacher and further students.

    Those of ``STUDENTS`` that were trained; their names end as their stages do.

    Args:
        folder: the student's folder; it gets every part and the voices. Its name is the model's.
    """
    from mamtra.interop.onnx.export import OnnxExport, export_onnx  # needs onnx

    corpus, tokens = Corpus.open(workshop.corpus), TokenTable.open(workshop.tokens)
    run, decoder_run, proofreader = SHIPPED, DecoderRun(), ProofreaderRun().config
    tokenizer = NanoTokenizer(read_pronunciations(workshop.folder / PRONUNCIATIONS))
    guard, teacher = guard_for(tokens, corpus, tokenizer), run.teacher.config
    student = untrained(run).config
    words = PRONUNCIATIONS + PACKED
    config = ModelConfig(
        name=folder.name,
        voice=MAIN_VOICE,
        text=asdict(TextConfig(piece_characters=PIECE_CHARACTERS, pronunciations=words)),
        mel=asdict(NANO_MEL),
        sampling=asdict(SAMPLING),
        guard=asdict(guard),
        speech_lm=asdict(student),
        speech_tokenizer=asdict(TokenizerRun().config),
        speaker=asdict(decoder_run.speaker),
        decoder=asdict(decoder_run.decoder),
        vocoder=asdict(NANO_VOCODER),
        proofreader=asdict(proofreader),
    )
    write_config(folder, config)
    written = (workshop.folder / PRONUNCIATIONS).read_bytes()
    (folder / words).write_bytes(gzip.compress(written, mtime=0))
    voiced = fill(Voiced(decoder_run), workshop.decoder)
    drawer = Drawer(workshop.decoder, corpus, tokens, decoder_run)
    give_detail(voiced.decoder, measure_detail(corpus, drawer), EMPHASIS)
    sharpen(voiced.decoder, SHARPNESS)
    save_part(voiced.decoder, folder / "decoder.safetensors")
    save_part(voiced.speaker, folder / "speaker.safetensors")
    speech_tokenizer = trained_tokenizer(workshop.tokenizer)
    save_part(speech_tokenizer, folder / "speech_tokenizer.safetensors")
    save_part(trained_vocoder(workshop.weights("vocoder")), folder / "vocoder.safetensors")
    recogniser = fill(PhoneRecogniser(proofreader), workshop.weights("proofreader"))
    save_part(recogniser, folder / "proofreader.safetensors")
    save_part(fill(SpeechLM(student), workshop.weights("student")), folder / LM_FILE)
    save_voices(folder, corpus)
    # what speaks reads graphs, nano's in 8 bit (docs/engine.md)
    export_onnx(ModelFolder(folder), OnnxExport(bits=8))
    write_checksums(folder)
    save_beside(folder, "teacher", teacher, workshop.weights("teacher"))
    for stage, run in STUDENTS.items():
        if workshop.weights(stage).exists():
            suffix = stage.removeprefix("student-")
            save_beside(folder, suffix, untrained(run).config, workshop.weights(stage))
