"""Units of measure, percentages, sizes in feet and inches, and products of lengths."""

import re

from mamtra.text.adjectives import BEFORE_NOUN, NOUN, is_adjective
from mamtra.text.numbers import AMOUNT, NUMBER, amount, is_one, number
from mamtra.text.rules import one_of, rule

# written: one
UNITS = {
    "mm": "millimeter", "cm": "centimeter", "m": "meter", "km": "kilometer", "Km": "kilometer",
    "KM": "kilometer", "µm": "micrometer", "nm": "nanometer", "dm": "decimeter", "mi": "mile",
    "yd": "yard", "yds": "yard", "ft": "foot", "in.": "inch", "g": "gram",
    "mg": "milligram", "mcg": "microgram", "µg": "microgram", "ng": "nanogram", "kg": "kilogram",
    "Kg": "kilogram", "KG": "kilogram", "kgs": "kilogram", "lb": "pound", "lbs": "pound",
    "oz": "ounce", "fl oz": "fluid ounce", "fl. oz": "fluid ounce", "ml": "milliliter",
    "mL": "milliliter", "cl": "centiliter", "dl": "deciliter", "dL": "deciliter", "l": "liter",
    "L": "liter", "µL": "microliter", "µl": "microliter", "gal": "gallon", "qt": "quart",
    "tsp": "teaspoon", "tsps": "teaspoon", "Tsp": "teaspoon", "tbsp": "tablespoon",
    "tbsps": "tablespoon", "Tbsp": "tablespoon", "tbs": "tablespoon", "pkg": "package",
    "doz": "dozen", "ha": "hectare", "ac": "acre", "s": "second", "sec": "second", "secs": "second",
    "ms": "millisecond", "µs": "microsecond", "ns": "nanosecond", "min": "minute",
    "mins": "minute", "h": "hour", "hr": "hour", "hrs": "hour", "wk": "week", "wks": "week",
    "mo.": "month", "mos": "month", "yr": "year", "yrs": "year", "Hz": "hertz", "kHz": "kilohertz",
    "MHz": "megahertz", "GHz": "gigahertz", "THz": "terahertz", "bit": "bit", "KB": "kilobyte",
    "kB": "kilobyte", "MB": "megabyte", "GB": "gigabyte", "TB": "terabyte", "PB": "petabyte",
    "KiB": "kibibyte", "GiB": "gibibyte", "MiB": "mebibyte", "TiB": "tebibyte",
    "kbps": "kilobit per second", "Mbps": "megabit per second", "Gbps": "gigabit per second",
    "kb/s": "kilobit per second", "Mb/s": "megabit per second", "Gb/s": "gigabit per second",
    "W": "watt", "kW": "kilowatt", "MW": "megawatt", "GW": "gigawatt", "mW": "milliwatt",
    "TW": "terawatt", "Wh": "watt hour", "kWh": "kilowatt hour", "MWh": "megawatt hour",
    "GWh": "gigawatt hour", "TWh": "terawatt hour", "V": "volt", "mV": "millivolt",
    "kV": "kilovolt", "mA": "milliamp", "mAh": "milliamp hour", "Ah": "amp hour", "dB": "decibel",
    "dBA": "decibel", "Pa": "pascal", "kPa": "kilopascal", "hPa": "hectopascal",
    "MPa": "megapascal", "GPa": "gigapascal", "mbar": "millibar", "psi": "P.S.I.",
    "mmHg": "millimeter of mercury", "mm Hg": "millimeter of mercury", "cal": "calorie",
    "kcal": "kilocalorie", "kJ": "kilojoule", "MJ": "megajoule", "eV": "electronvolt",
    "keV": "kiloelectronvolt", "MeV": "megaelectronvolt", "GeV": "gigaelectronvolt",
    "kN": "kilonewton", "Nm": "newton meter", "mol": "mole", "mmol": "millimole",
    "px": "pixel", "MP": "megapixel", "dpi": "dots per inch", "fps": "frame per second",
    "rpm": "revolution per minute", "RPM": "revolution per minute", "bpm": "beat per minute",
    "ppm": "part per million", "ppb": "part per billion", "bps": "basis point",
    "mph": "mile per hour", "MPH": "mile per hour", "kph": "kilometer per hour",
    "kmh": "kilometer per hour", "mpg": "mile per gallon", "hp": "horsepower", "pts": "point",
    "atm": "atmosphere", "cc": "cubic centimeter", "bar": "bar", "lx": "lux", "lm": "lumen",
    "Bq": "becquerel", "mSv": "millisievert", "µSv": "microsievert", "Sv": "sievert",
    "lbf": "pound of force", "kgf": "kilogram of force", "BTU": "B.T.U.",
    "cfm": "cubic foot per minute", "gpm": "gallon per minute", "AU": "astronomical unit",
    "kpc": "kiloparsec", "Mpc": "megaparsec", "mT": "millitesla", "pF": "picofarad",
    "nF": "nanofarad", "µF": "microfarad", "mH": "millihenry", "µA": "microamp", "µV": "microvolt",
    "kA": "kiloamp", "kVA": "kilovolt amp", "EB": "exabyte", "Kb": "kilobit",
    "Tbps": "terabit per second", "MBps": "megabyte per second", "pkgs": "package",
    "pkt": "packet", "pkts": "packet", "pcs": "piece", "pc.": "piece", "pt.": "pint",
    "qts": "quart", "gals": "gallon", "sqm": "square meter", "sqft": "square foot",
    "fl.oz": "fluid ounce", "µmol": "micromole", "nmol": "nanomole", "IU": "I.U.", "kts": "knot",
    "ly": "light year", "°C": "degree Celsius", "° C": "degree Celsius",
    "°F": "degree Fahrenheit", "° F": "degree Fahrenheit", "°": "degree", "%": "percent",
}  # fmt: skip
ODD_PLURALS = {
    "foot": "feet", "inch": "inches", "hertz": "hertz", "kilohertz": "kilohertz",
    "megahertz": "megahertz", "gigahertz": "gigahertz", "terahertz": "terahertz",
    "percent": "percent", "P.S.I.": "P.S.I.", "dots per inch": "dots per inch",
    "horsepower": "horsepower", "dozen": "dozen", "lux": "lux", "B.T.U.": "B.T.U.", "I.U.": "I.U.",
    "cubic foot": "cubic feet", "square foot": "square feet", "pound of force": "pounds of force",
    "kilogram of force": "kilograms of force", "millimeter of mercury": "millimeters of mercury",
}  # fmt: skip
POWERS = {"2": "square", "3": "cubic"}
TIMES = ("s", "h", "min", "ms")  # meters per second squared, but grams per cubic centimeter
LENGTHS = ("mm", "cm", "m", "km", "ft", "in.", "in", "yd", "px", "mi")


def many(unit: str) -> str:
    """Say more than one of a unit; the plural is in its first word before ``per``."""
    if unit in ODD_PLURALS:
        return ODD_PLURALS[unit]
    head, per, rest = unit.partition(" per ")
    if head.startswith("degree"):
        return unit.replace("degree", "degrees")
    return f"{head}s{per}{rest}"


def per_unit(unit: str | None, power: str | None) -> str:
    """Say what an amount is divided by."""
    if not unit:
        return ""
    if not power:
        return f" per {UNITS[unit]}"
    if unit in TIMES:
        return f" per {UNITS[unit]} {'squared' if power == '2' else 'cubed'}"
    return f" per {POWERS[power]} {UNITS[unit]}"


def measure(match: re.Match[str]) -> str:
    """Say an amount of a unit; before a noun it is an adjective: a five kilometer run."""
    unit = UNITS[match["unit"]]
    area = {"s": "square", "c": "cubic"}.get((match["area"] or " ")[0], "")
    power = POWERS.get((match["power"] or "")[-1:]) or area
    adjective = match["joint"] == "-" or is_adjective(match)
    if not adjective and not is_one(match["amount"]):
        unit = many(unit)
    per = per_unit(match["per"], (match["per_power"] or "")[-1:])
    before = (match["article"] or "") + (match["determiner"] or "")
    return f" {before}{amount(match['amount'])} {power} {unit}{per} "


def feet_and_inches(match: re.Match[str]) -> str:
    """Say feet and inches."""
    feet, inches = match[1], match[2]
    return (
        f" {number(feet)} {'foot' if feet == '1' else 'feet'} "
        f"{number(inches)} {'inch' if inches == '1' else 'inches'} "
    )


# what is so many inches: a television, a 4K monitor
SCREEN = re.compile(r" (?:\d+[Kkp]\b|[A-Z]{2,}|[A-Za-z][A-Za-z]+[A-Z]|[a-z][A-Z]|TV\b)")
OPENING, CLOSING = re.compile(r'(?:^|[\s(])"'), re.compile(r'[^\s(\d]"')
ROOMS = (
    "(?i:apartment|apt|room|gate|seat|unit|form|exit|rule|flight|row|bus|model|section|suite|route"
    "|paragraph|table|figure|article|clause|chapter|part|appendix|page)"
)
# there are millions of these, and no meters
MANY = (
    "(?:people|users|soldiers|voters|customers|children|workers|jobs|homes|acres|dollars|euros"
    "|copies|views|followers|subscribers|tonnes|tons|barrels|deaths|cases|doses|vehicles|cars"
    "|units|shares|pounds|visitors|refugees|patients|students|downloads|years)"
)
COMPASS = {"N": "north", "S": "south", "E": "east", "W": "west"}


def position(match: re.Match[str]) -> str:
    """Say degrees, minutes and seconds of a place on the earth."""
    parts = [f"{number(match[1])} degree{'' if match[1] == '1' else 's'}"]
    parts += [f"{number(match[2])} minutes"] if match[2] else []
    parts += [f"{number(match[3])} seconds"] if match[3] else []
    return f" {' '.join(parts)} {COMPASS.get(match[4], '')} "


def inches(match: re.Match[str]) -> str:
    """Say inches written with a double quote, unless the quote ends a quotation."""
    before = match.string[: match.start()]
    if len(OPENING.findall(before)) > len(CLOSING.findall(before)):
        return match[0]
    thing = NOUN.match(match.string, match.end()) or SCREEN.match(match.string, match.end())
    one = match[2] == "1" or match[1] or thing
    return f"{match[1] or ''} {amount(match[2])} {'inch' if one else 'inches'} "


def heat(match: re.Match[str]) -> str:
    """Say 350F as a temperature, unless it is the name of a room or a form."""
    return match[0] if match[1] else f"{match[2]}°{match[3]}"


def bare(match: re.Match[str]) -> str:
    """Say units without a figure: kilograms per cubic meter."""
    return f" {many(UNITS[match[1]])}{per_unit(match[2], match[3])} "


UNIT = one_of(UNITS)
WEIGHED = "(?:[kmµ]?g|[kcm]?m|kWh|kJ|mL|mmol|mol|MB|GB|kB)"
DIVIDED = "(?:[kcm]?m|s|h|d?L|ml|mL|kg|g|mol|min)"
END = r"(?![\w^'])"
PER = rf" ?/ ?(?P<per>{UNIT})(?P<per_power>\^?[23])?"

SPOONS = {"T": "tablespoon", "t": "teaspoon"}
# where 5K is a race, not five thousand
RACED = "(?:[Rr][au]n|[Rr]uns|[Rr]unning|[Rr]aced?|[Ff]inish(?:ed)?|[Jj]og(?:ged)?|[Ww]alk(?:ed)?)"
ANY = "(?:an?|the|my|your|her|his|our|their|this|that|another)"
RACE = "race|run|walk|runner|runners|course|finish|time|pace|personal best|marathon|training"

# without a figure
BARE = (rule(rf"(?<![\w/^])(?<!\d )({WEIGHED})/({DIVIDED})(?:\^?([23]))?(?![\w/])", bare),)
RULES = (
    rule(
        r"(?<![\w.])(\d+(?:\.\d+)?)° ?(?:(\d+(?:\.\d+)?)' ?)?(?:(\d+(?:\.\d+)?)(?:\"|'') ?)?"
        r"([NSEW])\b",
        position,
    ),
    rule(r"(?<![\w.])(\d+)° ?(\d+)' ?(\d+(?:\.\d+)?)(?:\"|'')()", position),
    rule(
        rf"(?<![\d.,])({NUMBER})\"? ?[xX×] ?({NUMBER})\"? ?[xX×] ?({NUMBER})\"",
        r"\1 by \2 by \3 in.",
    ),
    rule(rf"(?<![\d.,])({NUMBER})\"? ?[xX×] ?({NUMBER})\"", r"\1 by \2 in."),
    rule(rf"(\b{ROOMS} )?(?<![\w.#])(\d{{2,3}}(?:\.\d)?)([CF])(?![\w'-]| (?:dis)?charge)", heat),
    rule(r"""(?<![\w.])(\d+)' ?(\d+)(?:"|'')""", feet_and_inches),
    rule(r"(?<![\w.])(\d+) ?ft(\d{1,2})(?![\w.])", feet_and_inches),
    rule(r"(?<=\d)[- ]?(?:yo|y/o|y\.o\.)(?= [a-z])|(?<=\d)-(?:yo|y/o)(?!\w)", " year old"),
    rule(r"(?<=\d) ?(?:yo|y/o|y\.o\.)(?!\w)", " years old"),
    rule(r"(?<![\w.])(\d+)' ?[xX×] ?(\d+)'(?!\w)", r"\1 by \2 ft"),
    rule(r"(?<![\w.])(\d+) ?(?:ft\.?|feet|foot) (\d+) ?(?:in\b\.?|inches)", feet_and_inches),
    rule(rf"(\b[Aa]n? )?(?<![\w./])((?:\d+ )?\d+/\d+|{NUMBER}(?: ?- ?{NUMBER})?)\"", inches),
    rule(r"(\b[Aa]n? \d+)' (?=[a-z])", r"\1 ft "),
    rule(r"(?<=\d) in(?= (?:wide|long|tall|high|deep|thick|diameter)\b)", " in."),
    rule(r"(?<![\w./])1 c\.(?= [a-z])|(?<=/\d) c\.(?= [a-z])", lambda m: f"{m[0][:-2]}cup"),
    rule(r"(?<=\d) c\.(?= [a-z])", " cups "),
    rule(r"((?<![\w./])1|/\d) ([Tt])\.(?= [a-z])", lambda m: f"{m[1]} {SPOONS[m[2]]}"),
    rule(r"(?<=\d) ([Tt])\.(?= [a-z])", lambda m: f" {SPOONS[m[1]]}s"),
    rule(rf"\b({RACED} {ANY} \d{{1,2}})[Kk]\b", r"\1 kay"),
    rule(
        rf"\b({RACED} \d{{1,2}})[Kk]"
        r"(?=[.,;!?]|$| (?:daily|every|each|today|yesterday|in|on|and|twice)\b)",
        r"\1 kay",
    ),
    rule(r"\b([Aa] \d{1,2})[Kk](?= in +(?:twenty|thirty|forty|fifty|[a-z]+teen) )", r"\1 kay"),
    rule(rf"\b(\d{{1,2}})[Kk](?= (?:{RACE})\b)", r"\1 kay"),
    rule(r"(\d ?V,? \d+(?:\.\d+)?) ?A\b", r"\1 amps"),
    rule(rf"(?<![\w.,])(\d+(?:\.\d+)?)m(?= {MANY}\b)", r"\1 million"),
    rule(r"(?<=\d )\((\d+(?:\.\d+)?[ -]?(?:oz|g|ml|lb|inch|kg)\.?)\) (?=[a-z])", r"\1 "),
    rule(r"(?<=\d)(st|nd|rd|th) min\b\.?", r"\1 minute"),
    # lengths multiplied; with an equals sign it is a product of numbers
    rule(
        rf"(?<=\d)((?: ?{one_of(LENGTHS)}\b)?) ?[xX×] ?"
        rf"(?=\d+(?:\.\d+)?[ -]?{one_of(UNITS)}(?![\w]))",
        r"\1 by ",
    ),
    rule(
        rf"{BEFORE_NOUN}(?<![\w./])(?<!\d,)(?P<amount>{AMOUNT})(?P<joint> ?|-)"
        rf"(?P<area>(?:sq|cu)\.? ?)?(?P<unit>{UNIT})(?P<power>(?:\^|(?<=m))[23])?(?:{PER})?{END}"
        r"(?:\.(?= [a-z\d]|-[a-z]))?",
        measure,
    ),
    rule(r"(?<=\d)(?<!-\d{3})(?<!-\d{4})(?<!-\d{5})(?<!\b[48])[Kk]\b", " thousand "),
    rule(r"(?<=\d)M\b", " million "),
    rule(r"(?<=\.\d)B\b|(?<=\d)bn\b", " billion "),
)
