import json
import shutil

import pytest
from mini_libritts_tree import mini_libritts

from mamtra.cli.main import main
from mamtra.corpus.shards import Shards
from mamtra.errors import CorpusError


def run(*arguments):
    with pytest.raises(SystemExit) as ended:
        main(["prepare", *map(str, arguments)])
    return ended.value.code


def test_nano_hears_a_tree_and_validate_finds_a_flipped_bit(tmp_path, capsys):
    tree, shards = mini_libritts(tmp_path / "tree"), tmp_path / "shards"
    assert run("libritts", tree, "-o", shards, "--longest", 3, "--json") == 0
    counts = json.loads(capsys.readouterr().out)
    assert (counts["utterances"], counts["skipped"]) == (6, 11)
    assert len(Shards.open(shards)) == 6
    assert run("validate", shards, "--json") == 0
    assert json.loads(capsys.readouterr().out)["tokens"] == counts["tokens"]
    path = shards / "part-00000.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert run("validate", shards) == 8


def test_ears_are_known_by_their_weights_and_not_by_their_place(
    tiny_model_folder, tmp_path, capsys
):
    tree, shards = mini_libritts(tmp_path / "tree"), tmp_path / "shards"
    teacher, other = tmp_path / "teacher", tmp_path / "other"
    for folder in (teacher, other):
        shutil.copytree(tiny_model_folder, folder)
    words = ["libritts", tree, "-o", shards, "--longest", 3, "--teacher"]
    assert run(*words, teacher) == 0
    assert run(*words, other) == 0
    weights = other / "speaker.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    capsys.readouterr()
    assert run(*words, other) == CorpusError.exit_code
    assert "begun with another teacher; give the same" in capsys.readouterr().err


def test_a_list_of_nothing_usable_is_an_error(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"audio": "none.wav", "text": "Hi."}\n')
    assert run("manifest", tmp_path / "a.jsonl", "-o", tmp_path / "shards") == 8
    assert "no such file" in (tmp_path / "shards" / "skipped.jsonl").read_text()
