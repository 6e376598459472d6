"""What the way from a published folder (CosyVoice, Chatterbox) to speech costs, stage by stage,
each in its own process.

    import, convert, voice        from the published folder to a hybrid and a voice for it
    export                        its graphs, which then run in place of the modules
    packages                      importing what speaking needs, and nothing else
    speech_lm, decoder, vocoder   one part alone: loading it, and its work on what came before
    whole                         all parts in one process, from the text to a sound file

A process of its own for each stage, because memory that one has taken would count for the next. The
peak is what the system saw the process hold at most, pages of mapped files included.
"""

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from mamtra.benchmark.process import Finished, run_python
from mamtra.benchmark.speak import SENTENCE
from mamtra.checkpoints.format import VOICES
from mamtra.config import from_dict
from mamtra.errors import ConfigError

PREPARING = ("import", "convert", "voice")
EXPORT = "export"
SPEAKING = ("packages", "speech_lm", "decoder", "vocoder", "whole")
PARTS = ("speech_lm", "decoder", "vocoder")
WORKER = "mamtra.benchmark.speak.stage_worker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """What is measured.

    Attributes:
        folder: where every stage leaves what the next one needs.
        published: the folder to begin with; without it, ``model`` and ``voice`` exist.
        model: the model folder that speaks.
        voice: the saved voice that it speaks with.
        prompt: a recording to make the voice from; Chatterbox brings its voice.
        words: those of the recording.
        ratio: attention and Mamba of the hybrid, as 1:1; without it, what was imported speaks.
        stored: type of the imported weights on disk.
        computed: type of the speech LM's weights in memory; ``auto`` is what speaking takes.
        tokens: exactly so many speech tokens are spoken, for weights that never end by themselves;
            without it, the model decides.
        bits: of the graphs' language model; 0 makes no graphs.
        flow_steps, flow_dtype: as ``mamtra say`` takes them, of the whole.
    """

    folder: str
    published: str | None = None
    model: str = ""
    voice: str = ""
    prompt: str | None = None
    words: str = ""
    ratio: str | None = None
    stored: str = "bfloat16"
    computed: str = "auto"
    text: str = SENTENCE
    mode: str | None = None
    tokens: int | None = None
    seed: int = 0
    bits: int = 0
    flow_steps: int = 0
    flow_dtype: str = "auto"

    def __post_init__(self) -> None:
        if self.published is None and not (self.model and self.voice):
            raise ConfigError(
                "nothing to measure; give --published and --prompt, or --model and --voice"
            )
        if self.published is not None and self.prompt is None and not self.brings_voice:
            raise ConfigError("a voice is needed; give a recording with --prompt")
        importing = {"ratio": self.ratio, "prompt": self.prompt, "words": self.words}
        ignored = [name for name, value in importing.items() if value]
        if self.published is None and ignored:
            raise ConfigError(
                f"--{ignored[0]} is for a published folder; add --published, or leave it out"
            )
        if self.tokens is not None and self.tokens < 1:
            raise ConfigError(f"tokens={self.tokens} must be at least 1")

    @property
    def brings_voice(self) -> bool:
        """Whether the published folder is Chatterbox's, which brings a voice and makes none."""
        return self.published is not None and (Path(self.published) / "t3_cfg.safetensors").exists()

    @property
    def stages(self) -> tuple[str, ...]:
        """The stages that there are, in order."""
        preparing = PREPARING if self.published is not None else ()
        left_out = {"convert"} - ({"convert"} if self.ratio else set())
        left_out |= set() if self.bits else {EXPORT}
        left_out |= {"voice"} if self.brings_voice else set()
        return tuple(s for s in (*preparing, EXPORT, *SPEAKING) if s not in left_out)

    @property
    def imported(self) -> Path:
        """Where the published folder is imported to."""
        return Path(self.folder) / "imported"

    @property
    def speaking_model(self) -> Path:
        """The folder that speaks; graphs of a model that was given go into a copy of it."""
        if self.published is None:
            return Path(self.folder) / "graphs" if self.bits else Path(self.model)
        return Path(self.folder) / "student" if self.ratio else self.imported

    @property
    def convert_command(self) -> list[str]:
        """The command that makes the hybrid, which is not a matter of benchmarks to know."""
        source, target = str(self.imported), str(self.speaking_model)
        options = ["-o", target, "--ratio", f"{self.ratio}", "--json"]
        return ["-m", "mamtra", "convert", source, *options]

    @property
    def export_command(self) -> list[str]:
        """The command that makes the graphs, beside weights that were imported here."""
        source, wanted = str(self.speaking_model), ["--to", "onnx", "--bits", str(self.bits)]
        if self.published is None:
            source, wanted = self.model, [*wanted, "-o", source]
        return ["-m", "mamtra", "export", source, *wanted]

    @property
    def speaking_voice(self) -> Path:
        """The voice that it speaks with."""
        if self.brings_voice:
            return self.imported / VOICES / "built-in.safetensors"
        made = Path(self.folder) / "voice.safetensors"
        return made if self.published is not None else Path(self.voice)

    def settings(self) -> dict[str, Any]:
        """What is written beside the figures: names, not paths."""
        names = ("published", "model", "voice", "prompt")
        values = {name: value for name, value in asdict(self).items() if name != "folder"}
        return values | {name: Path(values[name]).name for name in names if values[name]}


@contextmanager
def kept_or_deleted(folder: Path | None) -> Iterator[str]:
    """The folder for what stages leave; without one, a temporary one that is deleted afterwards."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        yield str(folder)
        return
    with tempfile.TemporaryDirectory() as place:
        yield place


def only_for_stages(given: Mapping[str, Any]) -> None:
    """Refuse settings that only a run by stages heeds.

    Raises:
        ConfigError: one differs from its default.
    """
    defaults = {field.name: field.default for field in fields(Chain)}
    for name, value in given.items():
        if value != defaults[name]:
            option = name.replace("_", "-")
            raise ConfigError(f"--{option} is for a run by stages; add --stages or --published")


def read_chain(text: str) -> Chain:
    """What ``json.dumps(asdict(chain))`` wrote."""
    return from_dict(Chain, json.loads(text), "a chain")


def measure(
    chain: Chain, run: Callable[[Sequence[str]], Finished] = run_python
) -> Iterator[tuple[str, Finished]]:
    """Run every stage in turn; yields its name and what its process took.

    Raises:
        GenerationError: a stage failed; the message is its own.
    """
    for stage in chain.stages:
        if stage == "convert":
            finished = run(chain.convert_command)
            yield stage, replace(finished, printed={"layout": finished.printed["layout"]})
        elif stage == EXPORT:
            yield stage, run(chain.export_command)
        else:
            yield stage, run(["-m", WORKER, stage, json.dumps(asdict(chain))])


def results_of(measured: Mapping[str, Finished]) -> dict[str, dict[str, Any]]:
    """What each stage took; the parts' also for a second of speech."""
    results: dict[str, dict[str, Any]] = {
        stage: {
            "process_seconds": finished.seconds,
            "process_cpu_seconds": finished.cpu_seconds,
            "peak_bytes": finished.peak_bytes,
            **finished.printed,
        }
        for stage, finished in measured.items()
    }
    audio = results["whole"]["audio_seconds"]
    for part in PARTS:
        results[part]["real_time_factor"] = {
            kind: round(results[part][kind] / audio, 4) for kind in ("seconds", "cpu_seconds")
        }
    return results
