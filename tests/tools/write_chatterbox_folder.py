"""Write Chatterbox's folder of random weights, with the published names and shapes.

At full size to measure memory and speed where the weights cannot be fetched:
``python tests/tools/write_chatterbox_folder.py FOLDER`` (2.6 GB). The vocabulary is that of single
signs, so text has about twice as many ids as the published one would give it; the networks that
listen are left out.
"""

import argparse
import json
from pathlib import Path

import torch
from chatterbox_shapes import FULL as T3
from chatterbox_shapes import t3_shapes
from cosyvoice2_shapes import FULL, flow_shapes, hift_shapes
from safetensors.torch import save_file
from write_cosyvoice2_folder import entries

PROMPT_TOKENS = 100  # of the decoder's half of the voice: four seconds


def write_tokenizer(path: Path) -> None:
    """A tokenizer.json of Chatterbox's form: letters and marks, and a blank that is an id."""
    signs = "".join(map(chr, range(33, 127)))
    known = ["[STOP]", "[UNK]", "[SPACE]", *signs]
    values = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": index,
                "special": True,
                "content": known[index],
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
            }
            for index in range(3)
        ],
        "normalizer": None,
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": None,
        "decoder": None,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": "[UNK]",
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "vocab": {sign: index for index, sign in enumerate(known)},
            "merges": [],
        },
    }
    path.write_text(json.dumps(values))


def write_conditions(path: Path) -> None:
    """Write a built-in voice of random numbers."""
    generator = torch.Generator().manual_seed(0)

    def ids(count: int) -> torch.Tensor:
        return torch.randint(0, T3.codes, (1, count), generator=generator)

    read = {
        "speaker_emb": torch.randn(1, 256, generator=generator),
        "clap_emb": None,
        "cond_prompt_speech_tokens": ids(150),
        "emotion_adv": torch.full((1, 1, 1), 0.5),
    }
    prompt = {
        "prompt_token": ids(PROMPT_TOKENS),
        "prompt_token_len": torch.tensor([PROMPT_TOKENS]),
        "prompt_feat": torch.randn(1, 2 * PROMPT_TOKENS, 80, generator=generator),
        "prompt_feat_len": None,
        "embedding": torch.randn(1, 192, generator=generator),
    }
    torch.save({"t3": read, "gen": prompt}, path)


def write_folder(folder: Path) -> None:
    """Write the folder at full size."""
    folder.mkdir(parents=True)
    save_file(entries(t3_shapes(T3)), folder / "t3_cfg.safetensors")
    sound = {f"flow.{name}": tensor for name, tensor in entries(flow_shapes(FULL)).items()}
    sound |= {f"mel2wav.{name}": tensor for name, tensor in entries(hift_shapes(FULL)).items()}
    save_file(sound, folder / "s3gen.safetensors")
    write_tokenizer(folder / "tokenizer.json")
    write_conditions(folder / "conds.pt")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    write_folder(parser.parse_args().folder)
