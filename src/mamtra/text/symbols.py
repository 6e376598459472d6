"""What is said for the signs that no other table has spoken: & % + = @ # and their kind."""

from mamtra.text.rules import rule

# before the numbers are spoken
WITH_FIGURES = (
    rule(r" ?\^2\b", " squared "),
    rule(r" ?\^3\b", " cubed "),
    rule(r"#(?= ?\d)", " number "),
    rule(r"~ ?(?=[\d$£€])", " about "),
)
RULES = (
    rule(r"\s*\)\s*(?=[.,?!;:]|$)", ""),
    rule(r"^\s*\(", ""),
    rule(r"[()\[\]]", ", "),
    rule(r"(?<=[a-z]) ?/ ?(?=(?:second|minute|hour|day|night|week|month|year|person)\b)", " per "),
    rule(r"(?<=\w) ?/ ?(?=\w)", " slash "),
    rule(r"(?<=\w) ?\^ ?(?=\w)", " to the power of "),
    rule(r"&", " and "),
    rule(r"(?<=\w)\+\+", " plus plus "),
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
