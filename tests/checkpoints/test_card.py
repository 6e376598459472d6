"""Model cards: front matter as Hugging Face reads it."""

from pathlib import Path

import pytest

from mamtra.checkpoints.card import front_matter, origin, read_front


def test_what_is_written_is_read(tmp_path: Path) -> None:
    values = {"license": "mit", "base_model": "a/b", "tags": ["x", "y"], "language": []}
    text = front_matter(values)
    assert text.startswith("---\nlibrary_name: mamtra\npipeline_tag: text-to-speech\n")
    (tmp_path / "README.md").write_text(text + "# A card\nkey: not this\n")
    assert read_front(tmp_path) == {
        "library_name": "mamtra",
        "pipeline_tag": "text-to-speech",
        "license": "mit",
        "base_model": "a/b",
        "tags": ["x", "y"],
    }
    assert origin(tmp_path) == {"license": "mit", "base_model": "a/b"}


def test_it_is_yaml() -> None:
    yaml = pytest.importorskip("yaml")
    values = {"license": "apache-2.0", "language": ["en", "zh"], "base_model": "a/b-0.5B"}
    found = yaml.safe_load(front_matter(values).strip("-\n"))
    assert {name: found[name] for name in values} == values


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {}),
        ("# no front\nlicense: mit\n", {}),
        ("---\nlicense: mit\nnever closed\n", {}),
        ("---\nlicense: 'mit'\ntags: [a, \"b\"]\n---\n", {"license": "mit", "tags": ["a", "b"]}),
        ("---\ntags:\n  - a\n- b\nlicense: mit\n---\n", {"tags": ["a", "b"], "license": "mit"}),
    ],
)
def test_cards_of_others_are_read(text: str, found: dict, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(text)
    assert read_front(tmp_path) == found


def test_without_a_card_the_licence_is_unknown(tmp_path: Path) -> None:
    assert origin(tmp_path) == {"license": "unknown"}
