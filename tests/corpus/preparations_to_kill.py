"""Preparations that kill themselves, for processes of their own: their module loads quickly."""

import os
import signal
from pathlib import Path

import torch

from mamtra import atomic
from mamtra.corpus.prepare import PrepareConfig, Task, prepare
from mamtra.corpus.readers import libritts

CONFIG = PrepareConfig(longest=3.0, part=2)
HEARD = []  # by this process


def encoder(model):
    """Twenty-five tokens a second, by loudness."""

    def extract(audio):
        pieces = torch.from_numpy(audio.at(16_000).samples).unfold(0, 640, 640)
        return (pieces.abs().mean(1) * 1000).long(), pieces.mean(0)[:4]

    return extract


def encoder_that_dies(model):
    """An encoder whose process is killed at the fourth recording."""
    heard = []

    def extract(audio):
        heard.append(audio)
        if len(heard) == 4:
            os.kill(os.getpid(), signal.SIGKILL)
        return encoder(model)(audio)

    return extract


def encoder_that_waits(model):
    """An encoder that reads three recordings, tells a pipe the number of its process, and waits."""

    def extract(audio):
        HEARD.append(audio)
        if len(HEARD) == 3:
            with Path(model).open("w") as pipe:
                pipe.write(f"{os.getpid()}\n")
            signal.pause()
        return encoder(model)(audio)

    return extract


def run(tree, folder, factory=encoder, model="m", workers=1):
    task = Task(folder=folder, factory=factory, model=model, config=CONFIG, encoders="same")
    return list(prepare(task, libritts(tree), workers))


def run_until_write(tree, folder, number):
    """Be killed before a file gets its name."""
    replace, written = os.replace, []

    def replace_or_die(beside, path):
        written.append(path)
        if len(written) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        replace(beside, path)

    atomic.os.replace = replace_or_die
    run(tree, folder)
