"""HTML and Markdown to plain text: tags and comments go, entities become characters.

Tags that begin a new block end a sentence. Other tags, and sounds in brackets such as ``[laugh]``,
are left out too, and told (``mamtra.text.notes``), but for those that a model reads. A tag is one
word, or has attributes, so that ``a < b and c > d`` stays what it is.
"""

import html
import re
from collections.abc import Collection

from mamtra.text.rules import one_of, rule

BLOCKS = (
    "p", "div", "li", "ul", "ol", "dl", "dt", "dd", "h1", "h2", "h3", "h4", "h5", "h6", "tr",
    "table", "blockquote", "pre", "section", "article", "header", "footer", "main", "nav", "aside",
    "figure", "figcaption", "hr", "form", "html", "head", "body", "title", "details", "summary",
)  # fmt: skip
INLINE = (
    "a", "abbr", "b", "big", "br", "button", "center", "cite", "code", "col", "del", "dfn", "em",
    "font", "i", "iframe", "img", "input", "ins", "kbd", "label", "link", "mark", "meta", "option",
    "q", "s", "samp", "select", "small", "source", "span", "strike", "strong", "sub", "sup", "svg",
    "tbody", "td", "textarea", "tfoot", "th", "thead", "time", "tt", "u", "var", "video", "wbr",
    "speak", "prosody", "emphasis", "say-as", "voice", "lang", "phoneme", "audio",
)  # fmt: skip
# words in square brackets belong to the sentence, but for these, which nobody says
SOUNDS = (
    "laugh", "laughs", "laughing", "laughter", "chuckle", "chuckles", "giggle", "giggles", "sigh",
    "sighs", "cough", "coughs", "gasp", "gasps", "groan", "groans", "sniff", "sniffs", "yawn",
    "yawns", "breath", "breathes", "quick_breath", "inhale", "inhales", "exhale", "exhales",
    "clear throat", "clears throat", "applause", "music", "noise", "vocalized-noise", "clucking",
    "hissing", "lipsmack", "accent", "mn",
)  # fmt: skip
HIDDEN = (("<!--", "-->"), ("<script", "</script>"), ("<style", "</style>"))

# an attribute has an equals sign; its length has a bound so that reading stays linear
REST = r"(?:\s[^<>]{0,400}=[^<>]{0,400})?\s{0,9}/?>"
BLOCK_TAG = re.compile(rf"(?i)</?{one_of(BLOCKS)}{REST}|<br\s{{0,9}}/?>\s*<br\s{{0,9}}/?>")
BREAK_TAG = re.compile(r"(?i)<(?:br|/td|/th)\s{0,9}/?>")
INLINE_TAG = re.compile(rf"(?i)</?{one_of(INLINE)}{REST}")
UNKNOWN_TAG = re.compile(rf"</?[A-Za-z][\w:-]{{0,30}}{REST}|(?i:\[{one_of(SOUNDS)}\])")
PHRASE_IN_ANGLES = re.compile(r"(?<!\w)<([A-Za-z][\w' +,./-]{0,60}\w)>(?!\w)")
ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")

MARKDOWN = (
    rule(r"<((?:https?://|mailto:)?[^\s<>@=]{1,300}[.@][^\s<>]{1,300})>", r" \1 "),
    rule(r"(?m)^[ \t]*```[\w+-]*[ \t]*$", ""),
    rule(r"(?m)^[ \t]*(?:>[ \t]?)+(?![ \t]*=?[ \t]*\d)", ""),
    rule(r"(?m)^[ \t]*#{1,6}[ \t]+", ""),
    rule(r"(?m)^([ \t]*[-*+][ \t]+)\[[ xX]\][ \t]+", r"\1"),  # a thing to do, or done
    rule(r"!?\[([^\[\]\n]{1,300})\]\([^()\s]{1,500}\)", r"\1"),
    rule(r"""(?:(?<=[a-z]{3})|(?<=[.,;:!?"')]))\[\d{1,3}\]""", ""),  # a note's number
)
RAISED = (
    rule(r"(?i)(?<=\d)<sup>(st|nd|rd|th)</sup>", r"\1"),
    rule(r"(?i)<sup>([-−+]?\d{1,4})</sup>", r"^\1"),
)


def without(text: str, opening: str, closing: str) -> str:
    """Leave out everything from each opening to the closing after it."""
    kept, start, lower = [], 0, text.lower()
    while (first := lower.find(opening, start)) >= 0:
        last = lower.find(closing, first)
        if last < 0:
            break
        kept += [text[start:first], " "]
        start = last + len(closing)
    return "".join(kept) + text[start:]


def without_known_tags(text: str, keep: Collection[str] = ()) -> str:
    """Write HTML, SSML and Markdown as it would be seen; tags of other names stay.

    Args:
        text: may hold HTML tags, comments and entities, and Markdown's links and quotes.
        keep: tags that stay, as they are written, because a model reads them.
    """
    if "<" in text:
        for opening, closing in HIDDEN:
            text = without(text, opening, closing)
        for pattern, plain in RAISED:
            text = pattern.sub(plain, text)
        text = BLOCK_TAG.sub("\n\n", text)
        text = BREAK_TAG.sub("\n", text)
        text = INLINE_TAG.sub(lambda m: m[0] if m[0] in keep else "", text)
    for pattern, plain in MARKDOWN:
        text = pattern.sub(plain, text)
    return ENTITY.sub(lambda m: html.unescape(m[0]), text)


def unknown_tags(text: str, keep: Collection[str] = ()) -> list[str]:
    """Give the tags that ``plain_text`` leaves out though they are no known markup."""
    return [tag for tag in UNKNOWN_TAG.findall(without_known_tags(text, keep)) if tag not in keep]


def plain_text(text: str, keep: Collection[str] = ()) -> str:
    """Write marked-up text as it would be seen, without any tag; the arguments are as above."""
    text = without_known_tags(text, keep)
    text = UNKNOWN_TAG.sub(lambda m: m[0] if m[0] in keep else " ", text)
    # "<your name>" is no tag, nor is anything greater than anything
    return PHRASE_IN_ANGLES.sub(lambda m: m[0] if m[0] in keep else m[1], text)
