"""How nano is made, from an empty folder to a model: the stages, and where each leaves its result.

    corpus -> pronunciations, tokenizer -> voices -> tokens
    tokens -> decoder, teacher, proofreader, listener
    decoder, listener -> articulation -> vocoder; teacher -> student, further students
    all of them -> model folders

Every stage goes on where it was killed, and is skipped when its result is there.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

from mamtra.corpus.synthetic.manifest import Corpus
from mamtra.corpus.synthetic.spoken import MAIN_VOICE
from mamtra.corpus.synthetic.tokens import TokenTable
from mamtra.errors import TrainingError
from mamtra.recipes.nano.articulation import ArticulationRun, train_articulation
from mamtra.recipes.nano.decoder import DecoderRun, train_decoder
from mamtra.recipes.nano.drawer import Drawer
from mamtra.recipes.nano.listener import ListenerRun, train_listener
from mamtra.recipes.nano.pronunciations import write_pronunciations
from mamtra.recipes.nano.proofreader import ProofreaderRun, train_proofreader
from mamtra.recipes.nano.speech_lm import SpeechLMRun, train_teacher
from mamtra.recipes.nano.student import SHIPPED, STUDENTS, StudentRun, train_student
from mamtra.recipes.nano.tokenizer import TokenizerRun, train_tokenizer
from mamtra.recipes.nano.tokens import extract_tokens
from mamtra.recipes.nano.vocoder import VocoderRun, train_vocoder
from mamtra.recipes.nano.voices import VoicesRun, teach_voices
from mamtra.training.workers import launch

VOICES = "voices"
PRONUNCIATIONS = "pronunciations.txt"
Run = TypeVar(
    "Run",
    TokenizerRun,
    VocoderRun,
    DecoderRun,
    SpeechLMRun,
    StudentRun,
    VoicesRun,
    ProofreaderRun,
    ListenerRun,
    ArticulationRun,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """The folder in which nano is made.

    Attributes:
        workers: training processes of the language models.
        start: folder of an earlier model that decoder, vocoder and language models begin with.
        steps: of the stage that is run, where its recipe's number is not wanted.
        device: where decoder, vocoder and language models are trained.
        larger: batches of these hold so many times what the recipe says, as suits a GPU.
    """

    folder: Path
    workers: int = 2
    start: Path | None = None
    steps: int | None = None
    device: str = "cpu"
    larger: int = 1

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

    @property
    def decoder(self) -> Path:
        """The decoder that is understood best."""
        taught = self.weights("articulation")
        return taught if taught.exists() else self.weights("decoder")

    def lasting(self, run: Run) -> Run:
        """A run with the wanted number of steps."""
        if self.steps is None:
            return run
        return replace(run, settings=replace(run.settings, steps=self.steps))

    def language_model(self, run: SpeechLMRun) -> SpeechLMRun:
        """A run for the device; compiling layers for a GPU would outlast what it saves."""
        places = run.batch_places * self.larger
        return replace(run, batch_places=places, compiled=run.compiled and self.device == "cpu")


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


def make_proofreader(workshop: Workshop) -> None:
    """Train what proofreads speech tokens."""
    corpus, tokens = Corpus.open(workshop.corpus), TokenTable.open(workshop.tokens)
    run, folder = workshop.lasting(ProofreaderRun()), workshop.folder / "proofreader"
    train_proofreader(corpus, tokens, folder, run)


def make_vocoder(workshop: Workshop) -> None:
    """Train the vocoder, on what the decoder draws as well where it is there."""
    run, corpus = workshop.lasting(VocoderRun()), Corpus.open(workshop.corpus)
    weights, drawer = workshop.decoder, None
    if weights.exists():
        tokens = TokenTable.open(workshop.tokens)
        drawer = Drawer(weights, corpus, tokens, device=workshop.device)
    pieces, judged = run.batch * workshop.larger, run.adversary_pieces * workshop.larger
    run = replace(run, batch=pieces, adversary_pieces=judged)
    folder = workshop.folder / "vocoder"
    train_vocoder(corpus, folder, run, drawer, workshop.start, workshop.device)


def make_decoder(workshop: Workshop) -> None:
    """Train the decoder and the speaker encoder."""
    tokens = TokenTable.open(workshop.tokens)
    run, folder = workshop.lasting(DecoderRun()), workshop.folder / "decoder"
    run = replace(run, batch_frames=run.batch_frames * workshop.larger)
    corpus = Corpus.open(workshop.corpus)
    train_decoder(corpus, tokens, folder, run, workshop.start, workshop.device)


def make_listener(workshop: Workshop) -> None:
    """Train the listener that the decoder learns to be understood by."""
    corpus, tokens = Corpus.open(workshop.corpus), TokenTable.open(workshop.tokens)
    train_listener(corpus, tokens, workshop.folder / "listener", workshop.lasting(ListenerRun()))


def make_articulation(workshop: Workshop) -> None:
    """Teach the decoder to articulate."""
    run = workshop.lasting(ArticulationRun())
    frames = run.decoder.batch_frames * workshop.larger
    train_articulation(
        Corpus.open(workshop.corpus),
        TokenTable.open(workshop.tokens),
        workshop.folder / "articulation",
        workshop.weights("decoder"),
        workshop.weights("listener"),
        replace(run, decoder=replace(run.decoder, batch_frames=frames)),
        workshop.device,
    )


def make_teacher(workshop: Workshop) -> None:
    """Train the all-attention speech language model."""
    given = (workshop.corpus, workshop.tokens, workshop.folder / "teacher")
    run = workshop.language_model(workshop.lasting(SpeechLMRun()))
    workers = workshop.workers if workshop.device == "cpu" else 1
    launch(workers, train_teacher, *given, run, workshop.start, workshop.device)


def distil(workshop: Workshop, stage: str = "student", run: StudentRun = SHIPPED) -> None:
    """Distil a student from the teacher; in one process, as the shipped student was."""
    run = workshop.lasting(run)
    train_student(
        workshop.corpus,
        workshop.tokens,
        workshop.weights("teacher"),
        workshop.folder / stage,
        replace(run, teacher=workshop.language_model(run.teacher)),
        workshop.start,
        workshop.device,
    )


STAGES: dict[str, tuple[Callable[[Workshop], None], str]] = {
    "pronunciations": (make_pronunciations, PRONUNCIATIONS),
    "tokenizer": (make_tokenizer, "tokenizer/model.safetensors"),
    VOICES: (make_voices, f"{VOICES}/model.safetensors"),
    "tokens": (make_tokens, "tokens.safetensors"),
    "proofreader": (make_proofreader, "proofreader/model.safetensors"),
    "decoder": (make_decoder, "decoder/model.safetensors"),
    "listener": (make_listener, "listener/model.safetensors"),
    "articulation": (make_articulation, "articulation/model.safetensors"),
    "vocoder": (make_vocoder, "vocoder/model.safetensors"),
    "teacher": (make_teacher, "teacher/model.safetensors"),
    "student": (distil, "student/model.safetensors"),
    **{
        stage: (partial(distil, stage=stage, run=run), f"{stage}/model.safetensors")
        for stage, run in STUDENTS.items()
    },
}


# stages whose weights another stage begins with
NEEDED = {
    "articulation": ("decoder", "listener"),
    **dict.fromkeys(("student", *STUDENTS), ("teacher",)),
}


def run_stage(workshop: Workshop, stage: str) -> bool:
    """Run one stage unless its result is there; says whether it ran.

    Raises:
        TrainingError: a stage that it begins with was not made.
    """
    make, result = STAGES[stage]
    if (workshop.folder / result).exists():
        return False
    for needed in NEEDED.get(stage, ()):
        if not workshop.weights(needed).exists():
            raise TrainingError(
                f"{stage} begins with {needed}, which is not in {str(workshop.folder)!r}; "
                f"make it with: mamtra nano {needed} -f {workshop.folder}"
            )
    make(workshop)
    return True
