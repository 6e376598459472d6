"""How nano is made, from an empty folder to a model: the stages, and where each leaves its result.

    corpus -> pronunciations, tokenizer -> voices -> tokens -> decoder, teacher
    decoder -> vocoder; teacher -> student; all of them -> model folders

Every stage goes on where it was killed, and is skipped when its result is there.
"""

import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeVar

from safetensors.torch import load_file
from torch import nn

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
from mamtra.recipes.nano.decoder import DecoderRun, Drawer, Voiced, train_decoder
from mamtra.recipes.nano.pronunciations import write_pronunciations
from mamtra.recipes.nano.speech_lm import SpeechLMRun, train_teacher
from mamtra.recipes.nano.student import SHIPPED, StudentRun, train_student
from mamtra.recipes.nano.tokenizer import NANO_MEL, TokenizerRun, train_tokenizer
from mamtra.recipes.nano.tokens import extract_tokens, trained_tokenizer
from mamtra.recipes.nano.vocoder import (
    NANO_VOCODER,
    VocoderRun,
    train_vocoder,
    trained_vocoder,
)
from mamtra.recipes.nano.voices import VoicesRun, teach_voices
from mamtra.speech_lm.model import SpeechLM
from mamtra.synthesis.text_reader import TextConfig
from mamtra.text.pronunciations import read_pronunciations
from mamtra.text.tokenizer import NanoTokenizer
from mamtra.training.workers import launch
from mamtra.transfer.student import student_config
from mamtra.voice.load import open_voice_encoder
from mamtra.voice.voice import make_voice

PROMPT_SECONDS = (3.5, 5.0)  # length of the recording a voice is made from
VOICES = "voices"
LM_FILE = "speech_lm.safetensors"
PRONUNCIATIONS = "pronunciations.txt"
Run = TypeVar("Run", TokenizerRun, VocoderRun, DecoderRun, SpeechLMRun, StudentRun, VoicesRun)
STARTS = ("attention", "xavier", "random")
COMPARED_STEPS = 80  # of each start, when the two are compared
SILENT_SHARE = 0.02  # a token that opens or closes so many utterances is silence
SAMPLING = SamplingConfig(temperature=0.5, repetition_share=0.4)
LICENCE = "Apache-2.0 (hibari and Kokoro-82M)"
PIECE_CHARACTERS = 120  # longest text that is spoken at once; in longer ones words get lost


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """The folder in which nano is made.

    Attributes:
        workers: training processes of the language models.
        start: folder of an earlier model that decoder and teacher begin with.
        steps: of the stage that is run, where its recipe's number is not wanted.
    """

    folder: Path
    workers: int = 2
    start: Path | None = None
    steps: int | None = None

    @property
    def corpus(self) -> Path:
        """The spoken sentences."""
        return self.folder / "corpus"

    @property
    def tokens(self) -> Path:
        """The speech tokens of the corpus."""
        return self.folder / "tokens.safetensors"

    def weights(self, stage: str) -> Path:
        """The result of a training stage."""
        return self.folder / stage / "model.safetensors"

    @property
    def tokenizer(self) -> Path:
        """The tokenizer that knows the most voices."""
        taught = self.weights(VOICES)
        return taught if taught.exists() else self.weights("tokenizer")

    def lasting(self, run: Run) -> Run:
        """A run with the wanted number of steps."""
        if self.steps is None:
            return run
        return replace(run, settings=replace(run.settings, steps=self.steps))


def make_pronunciations(workshop: Workshop) -> None:
    """Write down how words are pronounced."""
    write_pronunciations(Corpus.open(workshop.corpus), workshop.folder / PRONUNCIATIONS)


def make_tokenizer(workshop: Workshop) -> None:
    """Train the speech tokenizer."""
    run = workshop.lasting(TokenizerRun())
    train_tokenizer(Corpus.open(workshop.corpus), workshop.folder / "tokenizer", run)


def make_voices(workshop: Workshop) -> None:
    """Teach the tokenizer the further voices of the corpus, if there are any."""
    corpus = Corpus.open(workshop.corpus)
    if set(corpus.voices) != {MAIN_VOICE}:
        run, folder = workshop.lasting(VoicesRun()), workshop.folder / VOICES
        teach_voices(corpus, workshop.weights("tokenizer"), folder, run)


def make_tokens(workshop: Workshop) -> None:
    """Write the speech tokens of the corpus."""
    extract_tokens(Corpus.open(workshop.corpus), workshop.tokenizer, workshop.tokens)


def make_vocoder(workshop: Workshop) -> None:
    """Train the vocoder, on what the decoder draws as well where it is there."""
    run, corpus = workshop.lasting(VocoderRun()), Corpus.open(workshop.corpus)
    weights = workshop.weights("decoder")
    drawer = None
    if weights.exists():
        drawer = Drawer(weights, corpus, TokenTable.open(workshop.tokens))
    train_vocoder(corpus, workshop.folder / "vocoder", run, drawer)


def make_decoder(workshop: Workshop) -> None:
    """Train the decoder and the speaker encoder."""
    tokens = TokenTable.open(workshop.tokens)
    run, folder = workshop.lasting(DecoderRun()), workshop.folder / "decoder"
    train_decoder(Corpus.open(workshop.corpus), tokens, folder, run, workshop.start)


def make_teacher(workshop: Workshop) -> None:
    """Train the all-attention speech language model."""
    given = (workshop.corpus, workshop.tokens, workshop.folder / "teacher")
    run = workshop.lasting(SpeechLMRun())
    launch(workshop.workers, train_teacher, *given, run, workshop.start)


def make_student(workshop: Workshop) -> None:
    """Distil the hybrid from the teacher; in one process, as the shipped student was."""
    train_student(
        workshop.corpus,
        workshop.tokens,
        workshop.weights("teacher"),
        workshop.folder / "student",
        workshop.lasting(SHIPPED),
    )


def compare_starts(workshop: Workshop) -> None:
    """Train the paper's student for a while from the teacher's weights and from random ones.

    Same teacher, batches, steps and learning rate; ``mamtra evaluate curves`` draws the two logs.
    """
    run = StudentRun()
    brief = replace(run.settings, steps=COMPARED_STEPS, evaluate_every=COMPARED_STEPS // 8)
    for start in STARTS:
        launch(
            workshop.workers,
            train_student,
            workshop.corpus,
            workshop.tokens,
            workshop.weights("teacher"),
            workshop.folder / f"start-{start}",
            replace(run, start=start, settings=brief),
        )


STAGES: dict[str, tuple[Callable[[Workshop], None], str]] = {
    "pronunciations": (make_pronunciations, PRONUNCIATIONS),
    "tokenizer": (make_tokenizer, "tokenizer/model.safetensors"),
    VOICES: (make_voices, f"{VOICES}/model.safetensors"),
    "tokens": (make_tokens, "tokens.safetensors"),
    "decoder": (make_decoder, "decoder/model.safetensors"),
    "vocoder": (make_vocoder, "vocoder/model.safetensors"),
    "teacher": (make_teacher, "teacher/model.safetensors"),
    "student": (make_student, "student/model.safetensors"),
    "starts": (compare_starts, "start-random/model.safetensors"),
}


def run_stage(workshop: Workshop, stage: str) -> bool:
    """Run one stage unless its result is there; says whether it ran."""
    make, result = STAGES[stage]
    if (workshop.folder / result).exists():
        return False
    make(workshop)
    return True


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


def part(whole: nn.Module, name: str) -> nn.Module:
    """A part of a trained module, by attribute."""
    found = getattr(whole, name)
    assert isinstance(found, nn.Module)
    return found


def fill(module: nn.Module, weights: Path) -> nn.Module:
    """Load trained weights, strictly."""
    module.load_state_dict(load_file(weights))
    return module.eval()


def source_of(corpus: Corpus, voice: str) -> str:
    """Whose speech a voice learned from, in words."""
    told = corpus.sources.get(voice, {})
    return " ".join(filter(None, (told.get("package"), told.get("version"), voice)))


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
        voice = make_voice(
            encoder,
            Audio(corpus.audio(chosen), corpus.rate_hz),
            short,
            text=chosen.text,
            source=source_of(corpus, name),
            licence=LICENCE,
        )
        voice.save(folder / "voices" / f"{short}.safetensors")


def assemble(workshop: Workshop, folder: Path, name: str = "nano") -> None:
    """Write the finished model's folder, and the teacher's beside it as ``NAME-teacher``.

    Args:
        folder: the student's folder; it gets every part and the voices.
    """
    corpus, tokens = Corpus.open(workshop.corpus), TokenTable.open(workshop.tokens)
    run, decoder_run = SHIPPED, DecoderRun()
    tokenizer = NanoTokenizer(read_pronunciations(workshop.folder / PRONUNCIATIONS))
    guard, teacher = guard_for(tokens, corpus, tokenizer), run.teacher.config
    student = student_config(teacher, run.layout, [run.mamba, run.deltanet])
    config = ModelConfig(
        name=name,
        voice=MAIN_VOICE,
        text=asdict(TextConfig(piece_characters=PIECE_CHARACTERS, pronunciations=PRONUNCIATIONS)),
        mel=asdict(NANO_MEL),
        sampling=asdict(SAMPLING),
        guard=asdict(guard),
        speech_lm=asdict(student),
        speech_tokenizer=asdict(TokenizerRun().config),
        speaker=asdict(decoder_run.speaker),
        decoder=asdict(decoder_run.decoder),
        vocoder=asdict(NANO_VOCODER),
    )
    write_config(folder, config)
    shutil.copyfile(workshop.folder / PRONUNCIATIONS, folder / PRONUNCIATIONS)
    voiced = fill(Voiced(decoder_run), workshop.weights("decoder"))
    save_part(part(voiced, "decoder"), folder / "decoder.safetensors")
    save_part(part(voiced, "speaker"), folder / "speaker.safetensors")
    speech_tokenizer = trained_tokenizer(workshop.tokenizer)
    save_part(speech_tokenizer, folder / "speech_tokenizer.safetensors")
    save_part(trained_vocoder(workshop.weights("vocoder")), folder / "vocoder.safetensors")
    save_part(fill(SpeechLM(student), workshop.weights("student")), folder / LM_FILE)
    save_voices(folder, corpus)
    beside = folder.with_name(f"{folder.name}-teacher")
    rest = f"../{folder.name}"
    write_config(
        beside,
        ModelConfig(name=f"{name}-teacher", parts_from=rest, speech_lm=asdict(teacher)),
    )
    save_part(fill(SpeechLM(teacher), workshop.weights("teacher")), beside / LM_FILE)
    # what speaks reads graphs; in 8 bit the student does (docs/engine.md)
    from mamtra.interop.onnx.export import OnnxExport, export_onnx  # needs onnx

    export_onnx(ModelFolder(folder), OnnxExport(bits=8))
    export_onnx(ModelFolder(beside), OnnxExport())
    for finished in (folder, beside):
        write_checksums(finished)
