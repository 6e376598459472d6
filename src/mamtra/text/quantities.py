"""Money, percentages and units of measure."""

import re

from mamtra.text.numbers import AMOUNT, amount, cardinal, is_one, number
from mamtra.text.rules import one_of, rule

# sign: one, many, one hundredth, many hundredths
CURRENCIES = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "US$": ("US dollar", "US dollars", "cent", "cents"),
    "A$": ("Australian dollar", "Australian dollars", "cent", "cents"),
    "C$": ("Canadian dollar", "Canadian dollars", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "€": ("euro", "euros", "cent", "cents"),
    "¥": ("yen", "yen", "sen", "sen"),
    "₹": ("rupee", "rupees", "paisa", "paise"),
    "¢": ("cent", "cents", "", ""),
}
CODES = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "INR": "₹", "AUD": "A$", "CAD": "C$"}
SCALES = {
    "k": "thousand", "K": "thousand", "m": "million", "M": "million", "mn": "million",
    "bn": "billion", "b": "billion", "B": "billion", "tn": "trillion", "T": "trillion",
    "thousand": "thousand", "million": "million", "billion": "billion", "trillion": "trillion",
}  # fmt: skip

# written: one, many; "+s" where many only adds an s
UNITS = {
    "mm": "millimeter", "cm": "centimeter", "m": "meter", "km": "kilometer", "Km": "kilometer",
    "KM": "kilometer", "µm": "micrometer", "nm": "nanometer", "mi": "mile", "yd": "yard",
    "yds": "yard", "ft": "foot", "g": "gram", "mg": "milligram", "mcg": "microgram",
    "µg": "microgram", "kg": "kilogram", "Kg": "kilogram", "KG": "kilogram", "kgs": "kilogram",
    "lb": "pound", "lbs": "pound", "oz": "ounce", "ml": "milliliter", "mL": "milliliter",
    "cl": "centiliter", "l": "liter", "L": "liter", "gal": "gallon", "tsp": "teaspoon",
    "tbsp": "tablespoon", "ha": "hectare", "s": "second", "sec": "second", "secs": "second",
    "ms": "millisecond", "µs": "microsecond", "min": "minute", "mins": "minute", "h": "hour",
    "hr": "hour", "hrs": "hour", "yr": "year", "yrs": "year", "Hz": "hertz", "kHz": "kilohertz",
    "MHz": "megahertz", "GHz": "gigahertz", "bit": "bit", "KB": "kilobyte", "kB": "kilobyte",
    "MB": "megabyte", "GB": "gigabyte", "TB": "terabyte", "GiB": "gibibyte", "MiB": "mebibyte",
    "kbps": "kilobit per second", "Mbps": "megabit per second", "Gbps": "gigabit per second",
    "W": "watt", "kW": "kilowatt", "MW": "megawatt", "GW": "gigawatt", "kWh": "kilowatt hour",
    "V": "volt", "mV": "millivolt", "kV": "kilovolt", "mAh": "milliamp hour", "dB": "decibel",
    "kPa": "kilopascal", "hPa": "hectopascal", "psi": "P.S.I.", "cal": "calorie",
    "kcal": "kilocalorie", "kJ": "kilojoule", "px": "pixel", "dpi": "dots per inch",
    "fps": "frame per second", "rpm": "revolution per minute", "mph": "mile per hour",
    "kph": "kilometer per hour", "kmh": "kilometer per hour", "mpg": "mile per gallon",
    "°C": "degree Celsius", "° C": "degree Celsius", "°F": "degree Fahrenheit",
    "° F": "degree Fahrenheit", "°": "degree", "%": "percent",
}  # fmt: skip
ODD_PLURALS = {
    "foot": "feet", "hertz": "hertz", "kilohertz": "kilohertz", "megahertz": "megahertz",
    "gigahertz": "gigahertz", "percent": "percent", "P.S.I.": "P.S.I.",
    "dots per inch": "dots per inch",
}  # fmt: skip
POWERS = {"2": "square", "3": "cubic"}


def many(unit: str) -> str:
    """Say more than one of a unit; the plural is in its first word before ``per``."""
    if unit in ODD_PLURALS:
        return ODD_PLURALS[unit]
    head, per, rest = unit.partition(" per ")
    if head.startswith("degree"):
        return unit.replace("degree", "degrees")
    return f"{head}s{per}{rest}"


def money(match: re.Match[str]) -> str:
    """Say an amount of money; after an article it is an adjective, as in a five dollar bill."""
    found = match.groupdict()
    one, more, penny, pence = CURRENCIES[CODES.get(found["sign"], found["sign"])]
    minus = "minus " if found["minus"] or found["amount"].startswith("-") else ""
    written, article = found["amount"].removeprefix("-"), found.get("article") or ""
    whole, _, hundredths = written.partition(".")
    scale = SCALES.get((found["scale"] or "").strip())
    if scale or not penny or not re.fullmatch(r"\d\d?", hundredths):
        unit = one if article or (is_one(written) and not scale) else more
        return f" {article} {minus}{amount(written)} {scale or ''} {unit} "
    cents, parts = int(f"{hundredths:0<2}"), []
    if whole.strip("0,") or not cents:
        parts.append(f"{number(whole or '0')} {one if whole == '1' else more}")
    if cents:
        parts.append(f"{cardinal(cents)} {penny if cents == 1 else pence}")
    return f" {article} {minus}{' and '.join(parts)} "


def measure(match: re.Match[str]) -> str:
    """Say an amount of a unit; joined by a hyphen it is an adjective: a five kilometer run."""
    unit = UNITS[match["unit"]]
    power = POWERS.get((match["power"] or "")[-1:]) or ("square" if match["square"] else "")
    if match["joint"] != "-" and not is_one(match["amount"]):
        unit = many(unit)
    per = f" per {UNITS[match['per']]}" if match["per"] else ""
    per += " squared" if match["twice"] else ""
    return f" {amount(match['amount'])} {power} {unit}{per} "


def height(match: re.Match[str]) -> str:
    """Say feet and inches."""
    feet, inches = match[1], match[2]
    return (
        f" {number(feet)} {'foot' if feet == '1' else 'feet'} "
        f"{number(inches)} {'inch' if inches == '1' else 'inches'} "
    )


SIGN = one_of(sign for sign in CURRENCIES if sign != "¢")
SCALE = rf"(?:(?P<scale> ?{one_of(s for s in SCALES if len(s) > 3)}| ?[mb]n|tn|[kKmMbBT])\b)"
UNIT = one_of(UNITS)
PER = rf"(?:/(?P<per>{UNIT})(?P<twice>\^?2)?)"

RULES = (
    rule(rf"(?<=\d) ?- ?(?={SIGN}\d)", " to "),
    rule(
        rf"(?P<article>\b[Aa] )?(?P<minus>(?<!\w)-)?(?P<sign>{SIGN}) ?(?P<amount>{AMOUNT})"
        rf"(?:{SCALE})?(?: ?USD\b)?",
        money,
    ),
    rule(
        rf"(?<![\w.])(?P<minus>)(?P<amount>{AMOUNT})(?:{SCALE})? ?"
        rf"(?P<sign>[£€¥₹¢](?!\d)|{one_of(CODES)}\b)",
        money,
    ),
    rule(r"""(?<![\w.])(\d+)' ?(\d+)(?:"|'')""", height),
    rule(
        rf"(?<![\w.])(?P<amount>{AMOUNT})(?P<joint> ?|-)(?P<square>sq\.? )?(?P<unit>{UNIT})"
        rf"(?P<power>(?:\^|(?<=m))[23])?{PER}?(?![\w^'])(?:\.(?= [a-z]))?",
        measure,
    ),
    rule(r"(?<=\d)(?<!\b[48])K\b", " thousand "),
    rule(r"(?<=\d)M\b", " million "),
    rule(r"(?<=\.\d)B\b|(?<=\d)bn\b", " billion "),
)
