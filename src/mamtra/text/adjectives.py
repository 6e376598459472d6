"""Amounts that stand before a noun as adjectives do: a ten dollar bill, the five kilogram bag.

Then a unit stays in the singular. After ``a`` that is certain; after ``the``, ``my`` or a number it
needs a noun to follow, and what is no noun is known by a list.
"""

import re

ARTICLE = r"\b[Aa]n? (?:\d{1,3} by )?"
DETERMINER = (
    r"\b(?:(?:[Tt]he|[Tt]his|[Tt]hat|[Tt]hese|[Tt]hose|[Mm]y|[Yy]our|[Hh]is|[Hh]er|[Ii]ts|[Oo]ur"
    r"|[Tt]heir|[Oo]ne|[Tt]wo|[Tt]hree|[Ff]our|[Ff]ive|[Ss]ix|[Ss]even|[Ee]ight|[Nn]ine|[Tt]en"
    r"|[Ss]everal|[Ss]ome|[Mm]any|[Ff]ew|[Nn]o|[Aa]ny|[Ee]ach|[Ee]very|[Aa]nother|[Ff]irst|[Nn]ew"
    r"|[Ee]xtra|[Aa]n? [a-z]{3,12}|(?!(?:[Ii]t|[Tt]hat|[SsHh]?[Hh]e|[Ww]h(?:at|o|ere)|[Tt]?[Hh]ere"
    r"|[Ll]et)'s)[A-Za-z]+'s) |\d{1,3} (?!\d+/\d))"
)
NOT_NOUNS = (
    "of|to|from|in|into|on|onto|at|by|with|without|for|and|or|nor|than|per|is|are|was|were|be|been"
    "|we|he|she|they|it|you|that|which|who|away|long|wide|high|tall|deep|thick|old|later|ago"
    "|before|after|each|more|less|apart|left|off|over|under|as|but|so|if|when|while|the|an?|had|has"
    "|have|will|would|can (?:be|not|have|take|get|make|do)|could|should|may|might|must|do|does|did"
    "|this|these|those|my|your|his|her"
    "|our|their|its|every|between|up|down|out|through|until|till|since|because|today|yesterday"
    "|tomorrow|now|then|here|there|not|only|also|too|almost|about|around|against|went|came|goes"
    "|comes|makes|made|seems|seem|cost|costs|became|gets|got|i|us|me|him|them|all|both|just|even"
    "|still|again|btw|lol|tbh|rn|pls|plz|thx|lmao|smh|tho|though|please|thanks|otherwise|already|instead|east|west|north|south|inside|outside|above|below"
)
NOUN = re.compile(rf" (?!(?:{NOT_NOUNS})\b)[a-z]{{2}}")
PRICED = re.compile(r" (?:bill|note|ticket|coin|fee|fine|deal|prize|budget|coupon|voucher)s?\b")
BEFORE_NOUN = rf"(?P<article>{ARTICLE})?(?P<determiner>{DETERMINER})?"


def is_adjective(match: re.Match[str]) -> bool:
    """Whether the amount that was found, if after ``BEFORE_NOUN``, is an adjective there."""
    before = match.groupdict()
    if before.get("article"):
        return True
    return bool(before.get("determiner") and NOUN.match(match.string, match.end()))
