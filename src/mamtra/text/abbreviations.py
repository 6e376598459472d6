"""Abbreviations and titles.

A title never ends a sentence, so its dot goes. The dot of ``etc.`` and its kind stays where a
sentence can end: before a capital or at the end of the text.
"""

from mamtra.text.rules import one_of, rule

# before a name
TITLES = {
    "Mr": "mister", "Mrs": "missus", "Ms": "miz", "Messrs": "messers", "Mx": "mix",
    "Dr": "doctor", "Prof": "professor", "Gen": "general", "Col": "colonel", "Capt": "captain",
    "Cpt": "captain", "Lt": "lieutenant", "Sgt": "sergeant", "Rev": "reverend",
    "Hon": "honorable", "Gov": "governor", "Sen": "senator", "Rep": "representative",
    "Pres": "president", "Mt": "mount", "Ft": "fort",
}  # fmt: skip
# before a number
NUMBERED = {
    "No": "number", "no": "number", "Nos": "numbers", "nos": "numbers", "Vol": "volume",
    "vol": "volume", "p": "page", "pp": "pages", "Fig": "figure", "fig": "figure",
    "Figs": "figures", "Ch": "chapter", "ch": "chapter", "chs": "chapters",
    "Chs": "chapters", "vols": "volumes", "Vols": "volumes", "eqs": "equations", "Sc": "scene",
    "Sec": "section", "sec": "section",
    "Eq": "equation", "eq": "equation", "Apt": "apartment", "apt": "apartment",
    "Ext": "extension", "ext": "extension", "Rm": "room", "Fl": "floor", "Art": "article",
    "ca": "about", "c": "about", "approx": "approximately", "Approx": "approximately",
    "Tel": "telephone", "tel": "telephone", "Ste": "suite", "Rte": "route",
    "Hwy": "highway", "Bldg": "building",
    "Pt": "part", "pt": "part", "Prop": "proposition", "Props": "propositions", "Flt": "flight",
    "Pg": "page", "pg": "page", "pgs": "pages", "Op": "opus", "Bk": "book", "Para": "paragraph",
    "para": "paragraph", "paras": "paragraphs", "Amdt": "amendment", "Exh": "exhibit",
    "Tbl": "table", "Ser": "series", "Ep": "episode", "ep": "episode", "Lvl": "level",
    "lvl": "level", "Q": "question", "Cat": "category", "Div": "division", "Wk": "week",
    "Gr": "grade", "Sect": "section", "Chap": "chapter", "Lect": "lecture", "Ex": "exercise",
}  # fmt: skip
# anywhere; these dots never end a sentence
INNER = {
    "e.g": "for example", "E.g": "for example", "i.e": "that is", "I.e": "that is",
    "cf": "compare", "vs": "versus", "approx": "approximately", "esp": "especially",
    "incl": "including", "a.k.a": "also known as", "viz": "namely", "min": "minimum",
    "max": "maximum", "avg": "average", "temp": "temperature", "govt": "government",
    "Cnr": "corner", "cnr": "corner", "nr": "near", "tel": "telephone", "Tel": "telephone",
    "sched": "schedule",
    "mgmt": "management", "chpt": "chapter", "elev": "elevation", "freq": "frequency",
}  # fmt: skip
# anywhere; these dots may also end a sentence
FINAL = {
    "etc": "et cetera", "et al": "and others", "Jr": "junior", "Sr": "senior",
    "Inc": "incorporated", "Ltd": "limited", "Co": "company", "Corp": "corporation",
    "Bros": "brothers", "Dept": "department", "dept": "department", "Assn": "association",
    "Univ": "university", "Ave": "avenue", "Blvd": "boulevard", "Rd": "road", "Ln": "lane",
    "Hwy": "highway", "Pkwy": "parkway", "Rte": "route", "Fwy": "freeway",
    "Expy": "expressway", "Tpke": "turnpike", "Sq": "square", "Ct": "court", "Pl": "place",
    "Cir": "circle", "Ter": "terrace", "Cres": "crescent", "Gdns": "gardens", "Aves": "avenues",
    "Sts": "streets", "Mtn": "mountain", "Terr": "terrace", "Trl": "trail", "Aly": "alley",
    "Plz": "plaza", "Jct": "junction", "Xing": "crossing", "Hts": "heights", "Rds": "roads",
    "Bldgs": "buildings", "Flr": "floor", "Bvd": "boulevard", "Mts": "mountains",
    "Pk": "park", "Stn": "station", "Hosp": "hospital",
    "Ph.D": "pee aitch dee", "B.Sc": "bee ess see", "M.Sc": "em ess see", "misc": "miscellaneous",
}  # fmt: skip
# with an apostrophe in place of letters, and without a dot
SHORTENED = {
    "gov't": "government", "govt": "government", "int'l": "international", "nat'l": "national",
    "dep't": "department", "ass'n": "association", "cont'd": "continued",
}  # fmt: skip
ROADS = ("Ave", "Blvd", "Rd", "Hwy", "Pkwy")  # these go without their dots too
SLASHED = {
    "w/o": "without", "w/": "with ", "b/c": "because", "c/o": "care of", "and/or": "and or",
    "he/she": "he or she", "she/he": "she or he", "his/her": "his or her", "n/a": "not available",
    "N/A": "not available", "y/y": "year on year", "q/q": "quarter on quarter",
    "m/m": "month on month", "w/in": "within", "w/out": "without", "YoY": "year on year",
    "QoQ": "quarter on quarter", "MoM": "month on month", "&c": "et cetera",
    "s/he": "he or she", "b/w": "between",
    "km/h": "kilometers per hour", "m/s": "meters per second",
}  # fmt: skip
# units without a figure
BARE_UNITS = {
    "mph": "miles per hour", "kph": "kilometers per hour", "km": "kilometers", "kg": "kilograms",
    "cm": "centimeters", "mm": "millimeters", "lbs": "pounds", "ft": "feet",
    "kWh": "kilowatt hours", "lb": "pound", "oz": "ounce",
}  # fmt: skip
# a capital word before St. or Dr. that is not the name of a street
PREPOSITIONS = r"(?:In|At|Near|From|To|On|Of|The|By|For|With|And|But|Then|Is|Was|When|If|As)"
# before the name of a street, and what begins the sentence after it and is no name
TOWARDS = "(?:[Oo]n|[Aa]t|[Tt]o|[Aa]long|[Dd]own|[Ff]rom|[Nn]ear|[Oo]ff|[Uu]p|[Pp]ast)"
NEXT = r"(?:The|Then|He|She|It|They|We|There|This|That|In|On|At|But|And|If|When|After|Before)\b"
ENDS = r"(?= ?(?:[,;:?!]|[a-z]|$))"
SENTENCE_END = r"(\.(?= [A-Z]| ?$))?\.?"


COMPASS = {
    "N": "North", "S": "South", "E": "East", "W": "West", "NE": "Northeast", "NW": "Northwest",
    "SE": "Southeast", "SW": "Southwest",
}  # fmt: skip
DISTANCES = (
    "mi",
    "miles",
    "mile",
    "km",
    "kilometers",
    "kilometres",
    "ft",
    "feet",
    "m",
    "yd",
    "yards",
)
ROAD = "(?:St|Ave|Blvd|Rd|Dr|Ln|Ct|Pl|Hwy|Pkwy|Street|Avenue|Boulevard|Road|Drive|Lane|Place)"

# St. behind these is a university's team where it plays
STATES = (
    "(?:Iowa|Ohio|Michigan|Florida|Oregon|Utah|Kansas|Oklahoma|Mississippi|Arizona|Arkansas|Colorado"
    "|Washington|Georgia|Kentucky|Texas|Idaho|Illinois|Indiana|Montana|Penn|Boise|Fresno|San Diego"
    "|San Jose|Kent|Ball|Wichita|N\\.?C\\.?)"
)
MEETS = "(?:beats?|tops|topped|upsets?|def|downs|downed|edges|edged|leads|led|lost|won|plays|vs)"

STREETS = (
    rule(
        rf"(?:(?<=\d )|(?<=^)|(?<=& )|(?<=and )|(?<=at )|(?<=on )|(?<=of )|(?<=, ))"
        rf"({one_of(COMPASS)})\.? (?=\d{{1,3}}(?:st|nd|rd|th)\b)",
        lambda m: f"{COMPASS[m[1]]} ",
    ),
    rule(
        rf"(?<![\w.])({one_of(COMPASS)})\.? (?=(?:[A-Z][a-z]+ ){{1,2}}{ROAD}\b)",
        lambda m: f"{COMPASS[m[1]]} ",
    ),
    rule(rf"(?<=[a-z\d] )({PREPOSITIONS}) St\. (?=[A-Z])", r"\1 Saint "),
    rule(rf"\b({STATES}) St\.? (?=\d{{1,3}}-\d|{MEETS}\b)", r"\1 State "),
    rule(r"(?<=\d(?:st|nd|rd|th)) St\b(?!\.)", " Street"),
    rule(r"(?<=\d(?:st|nd|rd|th)) Dr\b(?!\.)", " Drive"),
    rule(r"\b(\d+ (?:[A-Z]\w+ )+)St\b\.?", r"\1Street"),
    rule(r"\b(\d+ (?:[A-Z]\w+ )+)Dr\b\.?", r"\1Drive"),
    rule(rf"\b(?!{PREPOSITIONS}\b)([A-Z][a-z]+|\d+(?:st|nd|rd|th)) St\.{ENDS}", r"\1 Street"),
    rule(rf"\b(?!{PREPOSITIONS}\b)([A-Z][a-z]+|\d+(?:st|nd|rd|th)) Dr\.{ENDS}", r"\1 Drive"),
    # at the end of a sentence
    rule(rf"\b({TOWARDS}(?: [A-Z][a-z]+){{1,2}}) Dr\.(?= {NEXT})", r"\1 Drive."),
    rule(rf"\b((?:[Tt]he|[Mm]y|[Oo]ur|[Yy]our|[Hh]is|[Hh]er) )Dr\.(?= {NEXT})", r"\1doctor."),
    # a road's part of the town, behind its name
    rule(
        rf"(?<=[a-z])( {ROAD}\.?,? )({one_of(COMPASS)})(?![\w.&'-])", lambda m: m[1] + COMPASS[m[2]]
    ),
    rule(rf"(?<=[a-z])( {ROAD}\.?,? )({one_of(COMPASS)})\.", lambda m: m[1] + COMPASS[m[2]]),
    rule(
        r"\b((?:I|US|SR|CR|Route|Rte\.?|Highway|Hwy\.?|Interstate)[- ]\d{1,4} )"
        rf"({one_of(COMPASS)})(?!\w|\.\w)",
        lambda m: m[1] + COMPASS[m[2]],
    ),
    rule(
        rf"(\d ?(?:{one_of(DISTANCES)})\.? )({one_of(COMPASS)})(?= of\b)",
        lambda m: f"{m[1]}{COMPASS[m[2]].lower()}",
    ),
    rule(r"(?<=\d(?:st|nd|rd|th)) Fl\b\.?", " floor"),
    rule(r"(?<=\d(?:st|nd|rd|th)) c(?:ent)?\.(?= ?[\w,;:)]|$)", " century"),
    rule(r"\bSt\.? (?=[A-Z])", "Saint "),
    rule(r"\bSt\.", "Street"),
)
WORDS = (
    rule(
        rf"\b({one_of(TITLES)})\b(?:\. ?|(?<=M[rs]|rs) )(?=[A-Z\0])", lambda m: f"{TITLES[m[1]]} "
    ),
    rule(r"\b(Mr|Mrs|Ms|Dr|Prof)\b\.?", lambda m: TITLES[m[1]]),
    rule(rf"(?<![\w.])({one_of(NUMBERED)})\. ?(?=[(#]?\d)", lambda m: f"{NUMBERED[m[1]]} "),
    rule(r"(?<![\w.])(Nos?|nos?)\. ?(?=[A-Z]{1,4}-?\d)", lambda m: f"{NUMBERED[m[1]]} "),
    rule(r"(?<![\w.])(Rm|Apt|Ste|Fl|Bldg|Vol|Fig|Rte)(?= #?\d)", lambda m: NUMBERED[m[1]]),
    rule(
        r"(?<![\w.])(Vol|vol|Ch|ch|Fig|fig|Sec|sec|Art|Pt|pt)\. ?(?=[IVXLC]+\b)",
        lambda m: f"{NUMBERED[m[1]]} ",
    ),
    rule(r"(?<!\w)#(?=[A-Z]{1,4}-?\d)", " number "),
    rule(rf"(?<![\w.])(?<!\d )(?<!\d[snrt][tdh] )({one_of(INNER)})\.", lambda m: INNER[m[1]]),
    # at the start of a line, or behind a mark
    rule(
        rf"(?:(?<=^)|(?<=[,;:(] )|(?<=\())({one_of(map(str.capitalize, INNER))})"
        r"\.(?=:? [a-z\d])",
        lambda m: INNER[m[1].lower()].capitalize(),
    ),
    rule(rf"\b(?i:{one_of(SHORTENED)})\b(?!')", lambda m: SHORTENED[m[0].lower()]),
    # one against another at court
    rule(r"(?<=\w|\.) v\. (?=[A-Z])", " versus "),
    rule(r"(?<![\w.])(e\.g|i\.e|vs)\b\.?", lambda m: INNER[m[1]]),
    rule(r"\b(1st|2nd) Lt\b\.?", r"\1 lieutenant"),
    rule(rf"(?<![\w.])(etc|Ph\.D)\b{SENTENCE_END}", lambda m: FINAL[m[1]] + (m[2] or "")),
    rule(rf"(?<![\w.])({one_of(FINAL)})\.(?= [A-Z]|(?! ?$))", lambda m: FINAL[m[1]]),
    rule(rf"(?<![\w.])({one_of(FINAL)})(?=\. ?$)", lambda m: FINAL[m[1]]),
    rule(rf"(?<=[\w.] )({one_of(ROADS)})\b(?!\.)", lambda m: FINAL[m[1]]),
    rule(rf"(?<![\w/]){one_of(SLASHED)}(?![\w/])", lambda m: SLASHED[m[0]]),
    rule(
        rf"(?<![\w/^])(?<!\d[ -])(?<!sq )(?<!cu )(?<!sq\. )(?<!cu\. )({one_of(BARE_UNITS)})"
        r"(?![\w/]|-h?mm?\b)(?:\.(?= [a-z]))?",
        lambda m: BARE_UNITS[m[1]],
    ),
    rule(r"(?<!\w)'[nN]'(?!\w)", "and"),
    rule(r"\b(?:OK|Ok|ok|O\.K)\b", "okay"),
)
RULES = (*STREETS, *WORDS)
