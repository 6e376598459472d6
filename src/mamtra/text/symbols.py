"""What is said for the signs that no other table has spoken: & % + = @ # and their kind."""

from mamtra.text.rules import rule

# before the amounts are spoken
COMPARED = (
    rule(r" ?(?:!==?|<>|=/=) ?(?=[\w'\"])", " is not equal to "),
    rule(r" && ", " and "),
    rule(r" \|\| ", " or "),
    rule(r"(?<![\w.])([A-Za-z]|ay|\d+(?:\.\d+)?) ?<= ?(?=[\w.-])", r"\1 is at most "),
    rule(r"(?<![\w.])([A-Za-z]|ay|\d+(?:\.\d+)?) ?>= ?(?=[\w.-])", r"\1 is at least "),
    rule(r"(?<![\w.])([A-Za-z]|ay|\d+(?:\.\d+)?) ?< ?(?=[\d.-])", r"\1 is less than "),
    rule(r"(?<![\w.])([A-Za-z]|ay|\d+(?:\.\d+)?) ?> ?(?=[\d.-])", r"\1 is greater than "),
    rule(r"<=+ ?(?=[\d$£€.-])", " at most "),
    rule(r">=+ ?(?=[\d$£€.-])", " at least "),
    rule(r"(?<![<-])< ?(?=[\d$£€.-])", " less than "),
    rule(r"(?<![>=-])> ?(?=[\d$£€.-])", " more than "),
    rule(r"(?<!\w)~ ?(?=[\d$£€.-])", " about "),
)
# before the numbers are spoken
WITH_FIGURES = (
    rule(r"(?<![\w/])f/(?=\d)", " eff "),  # of a lens
    rule(r"(?<=\w) ?\^2\b", " squared "),
    rule(r"(?<=[A-Za-z]) ?\^3\b", " cubed "),
    rule(r"(?<=\w) ?\^ ?-(?=[\w.])", " to the power of minus "),
    rule(r"#(?= ?\d)", " number "),
)
RULES = (
    rule(r"\s\|\s", ", "),
    rule(r"\s*\)\s*(?=[.,?!;:]|$)", ""),
    rule(r"^\s*\(", ""),
    rule(r"[()\[\]]", ", "),
    rule(
        r"(?<=[a-z]) ?/ ?(?=(?:second|minute|hour|day|night|week|month|year|person|side|piece|pack"
        r"|bottle|box|bag|serving|dose|game|round|cup|head|guest|household|employee|share|mile)\b)",
        " per ",
    ),
    rule(r"(?<=\w) ?/ ?(?=\w)", " slash "),
    rule(r"(?<=\w) ?\^ ?(?=\w)", " to the power of "),
    rule(r"&", " and "),
    rule(r"(?<=\w)\+\+", " plus plus "),
    rule(r"(?:(?<=\s)|(?<=^))#(?=\W|$)", " number "),
    rule(r"\+", " plus "),
    rule(r"=+>|-+>", " to "),
    rule(r"(?<=\w) ?<= ?(?=\w)", " is at most "),
    rule(r"(?<=\w) ?>= ?(?=\w)", " is at least "),
    rule(r"(?<=\w) ?<(?= \w|\d)", " is less than "),
    rule(r"(?<=\w) ?>(?= \w|\d)", " is greater than "),
    rule(r"=+", " equals "),
    rule(r"@", " at "),
    rule(r"%", " percent "),
    rule(r"\$", " dollars "),
    rule(r"£", " pounds "),
    rule(r"€", " euros "),
    rule(r"¥", " yen "),
    rule(r"₹", " rupees "),
    rule(r"¢", " cents "),
    rule(r"°", " degrees "),
    rule(r"µ", " micro "),
)
