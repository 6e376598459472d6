"""Unicode to the few characters that the other tables know.

Typographic quotes and dashes become plain ones, accents are dropped, and mathematical and Greek
characters become words. Currency signs, the degree sign and the micro sign stay: other tables speak
them. Everything else outside ASCII (emojis, other scripts) becomes a blank.
"""

import unicodedata

from mamtra.text.rules import rewrite, rule

KEPT = "£€¥₹¢°µ₩₽₺₴฿₱₦₪₫₿"

CHARACTERS = {
    **dict.fromkeys("‘’‚‛′`´ʼ＇", "'"),
    **dict.fromkeys("“”„‟″«»‹›＂", '"'),
    **dict.fromkeys("‐‑‒﹣－", "-"),  # hyphens
    **dict.fromkeys("—―⸺", " -- "),
    **dict.fromkeys("•‣◦▪●·∙", ", "),
    **dict.fromkeys("→⇒➔", " to "),
    **dict.fromkeys("™®©℠¶†‡", " "),
    "‰": " per mille ", "‱": " per ten thousand ",
    "–": "–",  # kept for one moment: between numbers it is a range
    "…": "...", "。": ". ", "、": ", ", "，": ", ", "．": ".", "！": "! ", "？": "? ", "；": "; ",
    "：": ": ", "¿": "", "¡": "", "⁄": "/", "∕": "/", "№": " No. ", "℃": "°C", "℉": "°F", "μ": "µ",
    "º": "°",
    "¼": " 1/4", "½": " 1/2", "¾": " 3/4", "⅓": " 1/3", "⅔": " 2/3", "⅛": " 1/8", "⅜": " 3/8",
    "⅝": " 5/8", "⅞": " 7/8", "⅕": " 1/5", "⅖": " 2/5",
    "⅙": " 1/6", "⅒": " 1/10", "★": " star ", "☆": " star ", "⭐": " star ", "♯": "#",
    "♭": " flat ",
    "−": "−",  # the minus sign, kept for one moment too
    "×": " times ", "÷": " divided by ", "±": " plus or minus ", "§": " section ",
    "≠": " is not equal to ", "≤": " less than or equal to ", "≥": " greater than or equal to ",
    "≈": " approximately ", "∞": " infinity ", "√": " square root of ",
    "ß": "ss", "ø": "o", "Ø": "O", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "đ": "d", "Đ": "D",
    "ł": "l", "Ł": "L", "þ": "th", "Þ": "Th", "ð": "d", "Ð": "D", "ı": "i",
    "Α": " alpha ", "α": " alpha ", "β": " beta ", "γ": " gamma ", "Δ": " delta ", "δ": " delta ",
    "ε": " epsilon ", "θ": " theta ", "λ": " lambda ", "π": " pi ", "σ": " sigma ", "τ": " tau ",
    "φ": " fie ", "ω": " omega ", "Ω": " ohms ", "Σ": " sigma ", "ζ": " zeta ", "η": " ayta ",
    "κ": " kappa ", "ν": " new ", "ξ": " zie ", "ρ": " roe ", "χ": " kie ", "ψ": " sigh ",
    "Γ": " gamma ", "Θ": " theta ", "Λ": " lambda ", "Π": " pi ", "Φ": " fie ", "Ψ": " sigh ",
    "∆": " delta ", "∑": " sum ",
    **{chr(0x245F + number): f" {number} " for number in range(1, 21)},  # in circles
}  # fmt: skip
TABLE = str.maketrans(CHARACTERS)
DASHES_KEPT = "–−"

RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
# before single characters are replaced: what means something in a row
IN_A_ROW = (
    rule(r"(?<=\d)，(?=\d{3})", ","),
    rule(r"(?<=\d)：(?=\d)", ":"),
    rule(r"¶ ?(?=\d)", " paragraph "),  # elsewhere it is the anchor of a heading
    # a note's number after a word or a mark is not spoken, but units have powers
    rule(r"(?<=[a-z]{4})[¹²³⁴-⁹⁰]+|(?<=[.,;:?!”])[¹²³⁴-⁹⁰]+", ""),
    rule(r"([⁺⁻]?)[⁰¹²³⁴-⁹]+", lambda m: f"^{m[0].translate(RAISED)}".replace("+", "")),
)

LAYOUT = (
    rule(r"[^\S\n]+", " "),
    rule(r"[:;]-?[()DPp](?![\w)])", " "),  # emoticons
    rule(r" ?\n\s*(?:[-*+]|\d{1,2}[.)])\s+", ". "),  # items of a list
    rule(r" ?\n ?\n\s*", ". "),  # paragraphs
    rule(r"^\s*#{1,6}\s", ""),  # a heading's mark
    rule(r"\s+", " "),
)
# letters of a formula, which stand alone or behind a figure
TERM = r"\d*\.?\d*[b-hj-z](?:\^\d)?|\d+(?:\.\d+)?"
MINUS = (
    # in a formula: 2x - 1, x = 3y - 7
    rule(r"(?<![\w'.,$-])(\d*[xyz](?:\^\d)?) ?- ?(?=\d+(?![\w.,-]))", r"\1 minus "),
    rule(rf"(?<![\w'.,$-])({TERM}) - (?=(?:{TERM})(?![\w'.,-]))(?=[^.?!]{{0,60}}=)", r"\1 minus "),
    rule(rf"(?<== )({TERM}|a) - (?=(?:{TERM})(?![\w'-]))", r"\1 minus "),
    rule(r"(?<=\d) ?− ?(?=\d)", " minus "),
    rule(r"−", "-"),
    rule(r"(?<![^\s(])–(?=[$£€¥₹]?\d)", "-"),  # a dash that stands for a minus sign
)
# what ranges have left over
DASHES = (
    rule(r"(?<=\d) ?– ?(?=[\d$£€¥₹])", "-"),
    rule(r" – |–(?!\w)|(?<!\w)–", " -- "),
    rule(r"–", "-"),
    rule(r" ?-{2,} ?|(?<!\d) - | - (?!\d)", ", "),
)


def plain(character: str) -> str:
    """Give what is left of one decomposed character: itself, a digit, a blank or nothing."""
    if character.isascii() or character in KEPT or character in DASHES_KEPT:
        return character
    if unicodedata.category(character) in ("Mn", "Cf", "Me"):
        return ""
    digit = unicodedata.decimal(character, None)
    return " " if digit is None else str(digit)


def fold(text: str) -> str:
    """Write text with ASCII, the signs in ``KEPT`` and en dashes only."""
    if not text.isascii():
        for pattern, plainly in IN_A_ROW:
            text = pattern.sub(plainly, text)
        decomposed = unicodedata.normalize("NFKD", text.translate(TABLE))
        text = "".join(map(plain, decomposed.translate(TABLE)))
    return rewrite(rewrite(text.strip(), LAYOUT), MINUS)
