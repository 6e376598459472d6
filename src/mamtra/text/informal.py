"""Short forms of chat, sport, timetables and reference books, and faces drawn with marks."""

import re

from mamtra.text.letters import spell
from mamtra.text.rules import one_of, rule

# in lower case or with a first capital
CHAT = {
    "thx": "thanks", "thnx": "thanks", "tnx": "thanks", "pls": "please", "plz": "please",
    "plse": "please", "gr8": "great", "l8r": "later", "l8": "late", "m8": "mate", "b4": "before",
    "2nite": "tonight", "2night": "tonight", "2day": "today", "2moro": "tomorrow",
    "2morrow": "tomorrow", "tmrw": "tomorrow", "tmr": "tomorrow", "ur": "your", "ppl": "people",
    "msg": "message", "msgs": "messages", "bday": "birthday", "b-day": "birthday",
    "cuz": "because", "bcoz": "because", "wknd": "weekend", "appt": "appointment",
    "mtg": "meeting", "mtgs": "meetings", "acct": "account", "qty": "quantity",
    "yr": "year", "yrs": "years", "luv": "love", "sry": "sorry",
    "srsly": "seriously", "rly": "really", "yrself": "yourself",
    "congrats": "congratulations", "w8": "wait", "str8": "straight", "every1": "everyone",
    "any1": "anyone", "some1": "someone", "no1": "no one", "otw": "on the way",
    "omw": "on my way", "ofc": "of course", "obv": "obviously", "obvs": "obviously",
    "probs": "probably", "abt": "about", "cya": "see you",
}  # fmt: skip
# in lower case, and no words
LETTERED = (
    "ttyl", "tysm", "idk", "idc", "imo", "imho", "iirc", "afaik", "fyi", "asap", "diy", "omg",
    "ily", "icymi", "aka", "eta", "faq",
)  # fmt: skip
# after a number
SCORED = {
    "reb": "rebounds", "rebs": "rebounds", "ast": "assists", "asts": "assists", "stl": "steals",
    "blk": "blocks",
    "rec": "receptions", "att": "attempts", "rds": "rounds", "ppg": "points per game",
    "wkts": "wickets", "ovs": "overs", "innings": "innings", "laps": "laps",
}  # fmt: skip
# with a dot, before or after anything
DOTTED = {
    "agg": "aggregate", "attn": "attention", "Attn": "attention", "asst": "assistant",
    "Asst": "assistant", "Mgr": "manager", "mgr": "manager", "Dir": "director",
    "appt": "appointment", "Appt": "appointment", "ave": "average", "dist": "distance",
    "orig": "originally", "usu": "usually", "fem": "feminine", "masc": "masculine",
    "Dist": "district", "Intl": "international", "intl": "international", "Natl": "national",
    "natl": "national", "tbsps": "tablespoons", "Bldg": "building", "bldg": "building",
    "ed": "edition", "eds": "editors", "ibid": "in the same place", "obs": "observation",
}  # fmt: skip
# sizes in recipes and shops, after a number
SIZES = {
    "lg": "large", "lge": "large", "lrg": "large", "sm": "small", "med": "medium", "reg": "regular",
    "xl": "extra large",
}  # fmt: skip
TIMES = {
    "dep": "departs", "Dep": "departs", "arr": "arrives", "Arr": "arrives", "est": "estimated",
    "Est": "established",
}  # fmt: skip
STATES = {
    "Ala": "Alabama", "Ariz": "Arizona", "Ark": "Arkansas", "Calif": "California",
    "Colo": "Colorado", "Conn": "Connecticut", "Del": "Delaware", "Fla": "Florida",
    "Ga": "Georgia", "Ill": "Illinois", "Ind": "Indiana", "Kan": "Kansas", "Ky": "Kentucky",
    "La": "Louisiana", "Md": "Maryland", "Mass": "Massachusetts", "Mich": "Michigan",
    "Minn": "Minnesota", "Miss": "Mississippi", "Mo": "Missouri", "Mont": "Montana",
    "Neb": "Nebraska", "Nev": "Nevada", "Okla": "Oklahoma", "Ore": "Oregon", "Pa": "Pennsylvania",
    "Tenn": "Tennessee", "Tex": "Texas", "Va": "Virginia", "Vt": "Vermont", "Wash": "Washington",
    "Wis": "Wisconsin", "Wyo": "Wyoming", "N.H": "New Hampshire", "N.J": "New Jersey",
    "N.M": "New Mexico", "N.C": "North Carolina", "N.D": "North Dakota", "R.I": "Rhode Island",
    "S.C": "South Carolina", "S.D": "South Dakota", "W.Va": "West Virginia",
}  # fmt: skip
# no other word ends in these letters and a dot
CLEAR_STATES = (
    "Ariz", "Calif", "Colo", "Conn", "Fla", "Mich", "Minn", "Nev", "Okla", "Tenn", "Wyo",
)  # fmt: skip
KEYS = {
    "Ctrl": "control", "CTRL": "control", "ctrl": "control", "Cmd": "command", "Esc": "escape",
    "PgUp": "page up", "PgDn": "page down", "Del": "delete", "Ins": "insert", "Fn": "function",
}  # fmt: skip
NAME = r"[A-Z][\w'-]+"
# a face of figures alone (83) is a number, and so is one that an unknown equals (=3)
FACE = (
    r"(?<![\w:])(?:[:;]['’]?-?(?:[()\[\]DPpOo|*]+|3)|=['’]?-?[()\[\]DPpOo|*]+|8-[()D]+)(?!\w)|"
    r"(?<!\w)(?:[xX]D+|\^_+\^|[Tt]_+[Tt])(?!\w)"
)

Match = re.Match[str]


def chat(match: Match) -> str:
    """Say a short form of chat, with its capital."""
    said = CHAT[match[0].lower()]
    return said.capitalize() if match[0][0].isupper() else said


RULES = (
    rule(rf"(?<![\w-])(?<!\d )(?i:{one_of(CHAT)})(?![\w-])", chat),
    rule(rf"(?<![\w-]){one_of(LETTERED)}(?![\w-])", lambda m: f" {spell(m[0])} "),
    rule(r"(?<!\w)<3+(?!\w)", " heart "),
    rule(FACE, " "),
    rule(rf"\b([DR])-({one_of(STATES)})\.", lambda m: f"{m[1]}, {STATES[m[2]]}"),
    rule(rf"(?<=[a-z], )({one_of(STATES)})\.", lambda m: STATES[m[1]]),
    rule(rf"\b({one_of(CLEAR_STATES)})\.", lambda m: STATES[m[1]]),
    rule(rf"\b({one_of(KEYS)})(?= ?[+-] ?\w)", lambda m: KEYS[m[1]]),
    rule(r"\b(?:Ctrl|ctrl)\b", "control"),
    rule(rf"(?<=\d )({one_of(SIZES)})\.? (?=[a-z])", lambda m: f"{SIZES[m[1]]} "),
    rule(rf"(?<=\d )({one_of(SCORED)})\b\.?", lambda m: SCORED[m[1]]),
    rule(rf"({NAME}) (?:def?|d)\. (?={NAME})(?=[^.]{{0,60}}\d)", r"\1 defeated "),
    rule(rf"({NAME}) bt\.? (?={NAME})(?=[^.]{{0,60}}\d)", r"\1 beat "),
    rule(r"((?<=\()|(?<=^)|(?<=[,;] ))b\. (?=\d{4})", "born "),
    rule(r"((?<=\()|(?<=^)|(?<=[,;] ))d\. (?=\d{4})", "died "),
    rule(r"\bincl\.?(?=[.,;:)]|$)", "included"),
    rule(rf"(?<![\w.])({one_of(TIMES)})\.?:? (?=\d)", lambda m: f"{TIMES[m[1]]} "),
    rule(rf"(?<![\w.])({one_of(DOTTED)})\.(?= [A-Z]| ?$)", lambda m: f"{DOTTED[m[1]]}."),
    rule(rf"(?<![\w.])({one_of(DOTTED)})\.", lambda m: DOTTED[m[1]]),
)
