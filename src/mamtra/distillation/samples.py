"""Let a student speak while it is trained, with the other parts of its folder.

Early samples are noise, and an untrained student may not find an end: what it cannot say is left
out and listed in ``samples.json`` beside the sounds.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mamtra.atomic import write_json
from mamtra.checkpoints.format import SPEAKING, ModelFolder
from mamtra.distillation.task import DistillTask
from mamtra.errors import GenerationError, TrainingError
from mamtra.runtime.torch.speech_model import TorchSpeechModel
from mamtra.synthesis.load import open_folder

SAMPLES = "samples.json"


def sampler_for(
    student: ModelFolder, sentences: Sequence[str]
) -> Callable[[DistillTask], Callable[[Path], None] | None]:
    """Makes, for a task, what writes its student's samples into a folder.

    Args:
        student: the folder whose other parts and first voice are spoken with.
        sentences: what is said.

    Returns:
        A function of the task; it gives None where the folder cannot speak.
    """

    def sampler(task: DistillTask) -> Callable[[Path], None] | None:
        """Writes this task's samples."""
        if not all(student.holds(part) for part in SPEAKING) or not student.voice_files():
            return None
        synthesizer = open_folder(student, device=str(task.device))
        speech_model = TorchSpeechModel(task.student)
        synthesizer.model = replace(synthesizer.model, speech_model=speech_model)

        def write(folder: Path) -> None:
            """One sound for each sentence."""
            folder.mkdir(parents=True, exist_ok=True)
            rows: list[dict[str, Any]] = []
            for number, text in enumerate(sentences):
                row: dict[str, Any] = {"text": text}
                try:
                    speech = synthesizer.say(text, seed=number)
                    path = speech.save(folder / f"{number}.wav")
                    row |= {"file": path.name, "stop": speech.stop_reason}
                except GenerationError as problem:
                    row["error"] = str(problem)
                rows.append(row)
            write_json(folder / SAMPLES, rows, indent=1, error=TrainingError)

        return write

    return sampler
