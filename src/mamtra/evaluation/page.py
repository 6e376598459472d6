"""A page to listen to an evaluation: players side by side, heard words with their errors marked.

A folder that needs nothing else: ``index.html``, the sounds it plays, and their spectrograms. Lines
with the largest differences between systems come first.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from mamtra.atomic import write_file
from mamtra.audio.clip import read
from mamtra.errors import CorpusError
from mamtra.evaluation.harness import Judged
from mamtra.evaluation.loudness import write_thumbnail
from mamtra.evaluation.report import Grid
from mamtra.evaluation.text_rules import Rule
from mamtra.evaluation.word_errors import marked_words, word_errors

INDEX = "index.html"
STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 72em; padding: 0 1em }
table { border-collapse: collapse } td, th { padding: .25em .7em; text-align: left }
th, .line { border-bottom: 1px solid #bbb } .line { margin: 1.2em 0; padding-bottom: .8em }
.text { font-weight: 600 } .note { color: #666 } audio { height: 2em; vertical-align: middle }
img { height: 5em; max-width: 24em; margin-top: .2em }
@media (max-width: 60em) { table { display: block; overflow-x: auto } .line td { display: block } }
del { color: #b00020 } ins { color: #0050b0; text-decoration: none; border-bottom: 2px solid }
"""


@dataclass(frozen=True, slots=True)
class Heard:
    """One system's clip of a line.

    Attributes:
        sound: path of the sound file; None if it failed.
    """

    judged: Judged
    sound: Path | None


def file_name(heard: Heard) -> str:
    """Where the page keeps a clip."""
    said = heard.judged.said
    plain = "".join(c if c.isalnum() or c in "-_" else "_" for c in f"{said.system}-{said.line}")
    suffix = "" if heard.sound is None else heard.sound.suffix
    return f"sounds/{plain}-{said.run}{suffix}"


def picture_name(heard: Heard) -> str:
    """Where the page keeps a clip's spectrogram."""
    return f"{Path(file_name(heard)).with_suffix('')}.png"


def marked(reference: str, heard: str) -> str:
    """Heard words as HTML: dropped ones struck out, others' in blue."""
    parts = []
    for was, now in marked_words(reference, heard):
        if was == now:
            parts.append(escape(was))
        else:
            parts += [f"<del>{escape(was)}</del>"] * bool(was)
            parts += [f"<ins>{escape(now)}</ins>"] * bool(now)
    return " ".join(parts)


def clip_row(heard: Heard, rule: Rule) -> str:
    """One system's row of a line."""
    judged, said = heard.judged, heard.judged.said
    player = f"<td class=note>{escape(said.error)}</td>"
    if heard.sound is not None:
        source = escape(file_name(heard), quote=True)
        picture = escape(picture_name(heard), quote=True)
        player = (
            f'<td><audio controls preload="none" src="{source}"></audio><br>'
            f'<img loading="lazy" alt="spectrogram, 0 to 8 kHz" src="{picture}"></td>'
        )
    words = "".join(
        f"<div>{marked(rule(judged.line.text), rule(text))} <span class=note>{escape(name)}</span>"
        f"</div>"
        for name, text in judged.heard.items()
    )
    known = {name: value for name, value in judged.ratings.items() if value is not None}
    rated = ", ".join(f"{escape(name)} {value:.2f}" for name, value in known.items())
    about = ", ".join(part for part in (rated, escape(said.fault)) if part)
    return (
        f"<tr><td>{escape(said.system)}</td>{player}<td>{words}</td>"
        f"<td class=note>{about}</td></tr>"
    )


def wrong(judged: Judged, rule: Rule) -> int:
    """Wrong words of the first recogniser."""
    heard = next(iter(judged.heard.values()), "")
    return word_errors(rule(judged.line.text), rule(heard)).wrong


def most_apart(clips: Sequence[Heard], rule: Rule) -> tuple[int, int]:
    """How far systems are apart on a line, and how many words are wrong at most."""
    counts = [wrong(heard.judged, rule) for heard in clips]
    return max(counts) - min(counts), max(counts)


def grid_html(grid: Grid) -> str:
    """The table of figures."""
    head = "".join(f"<th>{escape(heading)}</th>" for heading in grid.headings)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in grid.rows
    )
    notes = "".join(f"<div class=note>{escape(note)}</div>" for note in grid.notes)
    return f"<table><tr>{head}</tr>{body}</table>{notes}"


def write_page(
    folder: Path, judged: Sequence[Judged], sounds: Mapping[str, Path], grid: Grid, rule: Rule
) -> Path:
    """Write the page and copy what it plays.

    Args:
        folder: of the page; made if it does not exist.
        judged: every clip.
        sounds: the sound file of a clip, by the key of what was said.
        grid: the table of figures.
        rule: the text rule that words are compared by.

    Raises:
        CorpusError: it cannot be written.
    """
    lines: dict[str, list[Heard]] = {}
    for one in judged:
        heard = Heard(one, sounds.get(one.said.key))
        lines.setdefault(one.line.id, []).append(heard)
    ranked = sorted(lines.values(), key=lambda clips: most_apart(clips, rule), reverse=True)
    blocks = [
        f"<div class=line><div class=text>{escape(clips[0].judged.line.text)} "
        f"<span class=note>{escape(clips[0].judged.line.id)}</span></div>"
        f"<table>{''.join(clip_row(heard, rule) for heard in clips)}</table></div>"
        for clips in ranked
    ]
    try:
        (folder / "sounds").mkdir(parents=True, exist_ok=True)
        for heard in (heard for clips in lines.values() for heard in clips):
            if heard.sound is not None:
                shutil.copyfile(heard.sound, folder / file_name(heard))
                write_thumbnail(read(heard.sound), folder / picture_name(heard))
    except OSError as problem:
        raise CorpusError(f"cannot write the page {str(folder)!r}: {problem}") from problem
    title = escape(grid.title)
    write_file(
        folder / INDEX,
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f"<style>{STYLE}</style><h1>{title}</h1>{grid_html(grid)}"
        f"<p class=note>Struck out: written and not heard. Blue: heard and not written. "
        f"Lines on which systems differ most come first.</p>{''.join(blocks)}</html>\n",
        error=CorpusError,
    )
    return folder / INDEX
