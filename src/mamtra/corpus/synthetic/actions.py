"""What people do in the templates, and the forms of the verbs: does, did, done, doing.

An action is a verb phrase that begins with its verb: ``buy a {adj} {thing}``. ``forms`` turns it
into the slots ``{do}``, ``{does}``, ``{did}``, ``{done}`` and ``{doing}``.
"""

from mamtra.corpus.synthetic.word_file import listed, sections

LISTS = {name: listed(text) for name, text in sections("actions.txt").items()}
IRREGULAR = {verb: forms for verb, *forms in (entry.split() for entry in LISTS["irregular"])}
DOUBLED = frozenset(LISTS["doubled"])


def inflect(verb: str) -> dict[str, str]:
    """The five forms of an English verb, by spelling rules and the list of irregular ones."""
    doubled = verb + verb[-1] if verb in DOUBLED else verb
    if verb.endswith("ee") or not verb.endswith("e"):
        doing = doubled + "ing"
    else:
        doing = (verb[:-2] + "y" if verb.endswith("ie") else verb[:-1]) + "ing"
    after_consonant = len(verb) > 1 and verb[-1] == "y" and verb[-2] not in "aeiou"
    if after_consonant:
        regular, does = verb[:-1] + "ied", verb[:-1] + "ies"
    else:
        regular = verb + "d" if verb.endswith("e") else doubled + "ed"
        does = verb + ("es" if verb.endswith(("s", "sh", "ch", "x", "z", "o")) else "s")
    does = {"have": "has", "be": "is"}.get(verb, does)
    parts = IRREGULAR.get(verb, [regular])
    return {"do": verb, "does": does, "did": parts[0], "done": parts[-1], "doing": doing}


def forms(actions: tuple[str, ...], ending: str = "") -> dict[str, tuple[str, ...]]:
    """Slots for all forms of a list of actions: ``do``, ``does``, ``did``, ``done``, ``doing``.

    Args:
        actions: verb phrases that begin with the plain verb.
        ending: put behind the slots' names, to tell lists apart.
    """
    slots: dict[str, list[str]] = {}
    for action in actions:
        verb, _, rest = action.partition(" ")
        for form, word in inflect(verb).items():
            slots.setdefault(form + ending, []).append(f"{word} {rest}".strip())
    return {name: tuple(phrases) for name, phrases in slots.items()}
