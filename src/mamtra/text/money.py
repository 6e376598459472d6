"""Amounts of money, the sign before or the code before or after."""

import re

from mamtra.text.adjectives import BEFORE_NOUN, PRICED, is_adjective
from mamtra.text.numbers import AMOUNT, amount, cardinal, is_one, number, plural
from mamtra.text.rules import one_of, rule

DOLLAR = ("dollar", "dollars", "cent", "cents")
# code: one, many, one hundredth, many hundredths
CURRENCIES = {
    "USD": DOLLAR,
    "GBP": ("pound", "pounds", "penny", "pence"),
    "EUR": ("euro", "euros", "cent", "cents"),
    "JPY": ("yen", "yen", "sen", "sen"),
    "CNY": ("yuan", "yuan", "fen", "fen"),
    "INR": ("rupee", "rupees", "paisa", "paise"),
    "CHF": ("Swiss franc", "Swiss francs", "centime", "centimes"),
    "SEK": ("Swedish krona", "Swedish kronor", "", ""),
    "NOK": ("Norwegian krone", "Norwegian kroner", "", ""),
    "DKK": ("Danish krone", "Danish kroner", "", ""),
    "PLN": ("zloty", "zlotys", "", ""),
    "CZK": ("Czech koruna", "Czech korunas", "", ""),
    "HUF": ("forint", "forints", "", ""),
    "₺": ("Turkish lira", "Turkish lira", "", ""),
    "RUB": ("ruble", "rubles", "", ""),
    "UAH": ("hryvnia", "hryvnias", "", ""),
    "KRW": ("won", "won", "", ""),
    "THB": ("baht", "baht", "", ""),
    "₱": ("peso", "pesos", "", ""),
    "NGN": ("naira", "naira", "", ""),
    "ILS": ("shekel", "shekels", "", ""),
    "VND": ("dong", "dong", "", ""),
    "ZAR": ("rand", "rand", "cent", "cents"),
    "AED": ("dirham", "dirhams", "", ""),
    "SAR": ("riyal", "riyals", "", ""),
    "BTC": ("bitcoin", "bitcoin", "", ""),
    "¢": ("cent", "cents", "", ""),
    "p": ("penny", "pence", "", ""),
    **{
        code: (f"{name} {one}", f"{name} {many}", penny, pence)
        for code, name, (one, many, penny, pence) in (
            ("US$", "US", DOLLAR),
            ("AUD", "Australian", DOLLAR),
            ("CAD", "Canadian", DOLLAR),
            ("NZD", "New Zealand", DOLLAR),
            ("HKD", "Hong Kong", DOLLAR),
            ("SGD", "Singapore", DOLLAR),
            ("TWD", "Taiwan", DOLLAR),
            ("MXN", "Mexican", ("peso", "pesos", "", "")),
        )
    },
    "BRL": ("real", "reais", "", ""),
}
SIGNS = {
    "$": "USD", "£": "GBP", "€": "EUR", "¥": "JPY", "₹": "INR", "₩": "KRW", "₽": "RUB", "₺": "₺",
    "₴": "UAH", "฿": "THB", "₱": "₱", "₦": "NGN", "₪": "ILS", "₫": "VND", "₿": "BTC",
    "US$": "US$", "A$": "AUD", "AU$": "AUD", "C$": "CAD", "CA$": "CAD", "CAD$": "CAD",
    "NZ$": "NZD", "HK$": "HKD", "S$": "SGD", "NT$": "TWD", "MX$": "MXN", "R$": "BRL",
    "RMB": "CNY", "Rs.": "INR", "Rs": "INR", "Re.": "INR", "CN¥": "CNY",
}  # fmt: skip
CODES = tuple(code for code in CURRENCIES if code.isalpha() and code.isupper())
SCALES = {
    "k": "thousand", "K": "thousand", "m": "million", "M": "million", "mn": "million",
    "bn": "billion", "b": "billion", "B": "billion", "tn": "trillion", "T": "trillion",
    "thousand": "thousand", "million": "million", "billion": "billion", "trillion": "trillion",
    "lakh": "lakh", "crore": "crore", "mil": "million", "MM": "million",
}  # fmt: skip
PERS = {
    "h": "hour", "hr": "hour", "hour": "hour", "d": "day", "day": "day", "wk": "week",
    "week": "week", "mo": "month", "mth": "month", "month": "month", "yr": "year", "year": "year",
    "night": "night", "person": "person", "pp": "person", "kg": "kilogram", "g": "gram",
    "lb": "pound", "oz": "ounce", "l": "liter", "L": "liter", "gal": "gallon", "m": "meter",
    "min": "minute", "GB": "gigabyte", "kWh": "kilowatt hour", "MWh": "megawatt hour",
    "barrel": "barrel", "bbl": "barrel", "share": "share", "ton": "ton", "t": "ton", "item": "item",
    "each": "each", "ea": "each", "user": "user", "seat": "seat", "unit": "unit", "mile": "mile",
    "sq ft": "square foot", "sqft": "square foot", "km": "kilometer", "mi": "mile",
}  # fmt: skip


def money(match: re.Match[str]) -> str:
    """Say an amount of money; before a noun it is an adjective, as in a five dollar bill."""
    found = match.groupdict()
    one, more, penny, pence = CURRENCIES[SIGNS.get(found["sign"], found["sign"])]
    minus = "minus " if found["minus"] or found["amount"].startswith("-") else ""
    written = found["amount"].removeprefix("-")
    article, determiner = found.get("article") or "", found.get("determiner") or ""
    adjective = is_adjective(match) or PRICED.match(match.string, match.end())
    whole, _, hundredths = written.partition(".")
    scale = SCALES.get((found["scale"] or "").strip(" -"))
    divisor = found.get("per")
    per = f" per {PERS.get(divisor, divisor)}" if divisor else ""
    has_cents = penny and re.fullmatch(r"[\d,]*\.\d\d?", written)
    if scale or not has_cents:
        unit = one if adjective or (is_one(written) and not scale) else more
        return f" {article}{determiner}{minus}{amount(written)} {scale or ''} {unit}{per} "
    cents, parts = int(f"{hundredths:0<2}"), []
    if whole.strip("0,") or not cents:
        parts.append(f"{number(whole or '0')} {one if whole == '1' or adjective else more}")
    if cents:
        # a three dollar and fifty cent coffee, but a one pound and fifty pence drink
        one_penny = cents == 1 or (adjective and pence != "pence")
        parts.append(f"{cardinal(cents)} {penny if one_penny else pence}")
    return f" {article}{determiner}{minus}{' and '.join(parts)}{per} "


# a sign that begins with letters is a word by itself
SIGN = (
    rf"(?:(?<![A-Za-z]){one_of(sign for sign in SIGNS if sign[0].isalpha())}"
    rf"|{one_of(sign for sign in SIGNS if not sign[0].isalpha())})"
)
SCALE = (
    rf"(?:(?P<scale>[ -]?{one_of(s for s in SCALES if len(s) > 2)}| ?(?:[mb]n|tn|MM)|[kKmMbBT])\b)"
)
PER = rf"(?: ?/ ?(?P<per>{one_of(PERS)}|(?!and\b|or\b)[a-z]{{3,}})\b(?!/))"

RULES = (
    # the name of a currency before its sign
    rule(r"\bUSD? \$(?=\d)", "US$"),
    rule(r"\b(AUD|CAD|NZD|HKD|SGD|TWD|MXN) \$(?=\d)", r"\1 "),
    rule(
        r"(?<!flat )(?<!room )(?<!class )(?<!grade )(?<!form )(?<![\w.,$])(\d{1,2})c"
        r"(?= (?:each|per)\b)",
        r"\1¢",
    ),
    rule(r"(?<![\w$])\$100s\b", " hundreds "),
    rule(r"(?<![\w$])\$(\d0)s\b", lambda m: f" {plural(cardinal(int(m[1])))} "),
    rule(rf"(?<=\d) ?- ?(?={SIGN}\d)", " to "),
    rule(
        rf"{BEFORE_NOUN}(?P<minus>(?<!\w)-)?(?P<sign>{SIGN}|\b{one_of(CODES)}) ?"
        rf"(?P<amount>{AMOUNT})(?:{SCALE})?(?: ?USD\b)?{PER}?",
        money,
    ),
    rule(
        rf"(?<![\w.])(?P<minus>)(?P<amount>{AMOUNT})(?:{SCALE})? ?"
        rf"(?P<sign>[£€¥₹¢₩₽₺₴฿₱₦₪₫](?!\d)|{one_of(CODES)}\b){PER}?",
        money,
    ),
    rule(r"(?<![\w.,$£€])(?P<minus>)(?P<amount>\d{1,2})(?P<scale>)(?P<sign>p)\b", money),
)
