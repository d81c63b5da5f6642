"""The strain's name in a product's or a registry's name.

Sellers write the strain among brand, form, size, potency, type and serial number. What is plainly
one of those cuts the name into runs of other words; the last run that is left is taken for the
strain, because sellers write the brand first. Nothing is looked up: a name of words that could be
anything comes back as it stands. Edibles, capsules and topicals name flavours, not strains, so
they give ``None``. Knows the trade's words only, no seller's; those come in as ``noise``.
"""

from __future__ import annotations

import re
from functools import lru_cache

from weedhounds.model.names import slugify

MAX_NAME = 200
"""Characters of a name that are looked at."""

_FLAVOURED = re.compile(
    r"\b(?:gumm(?:y|ies)|jell(?:y|ies) pack|jellies|chews?|chocolates?|brownies?|bites|caramels?|taffy|lozenges?|tablets?|tabs"
    r"|capsules?|caps|softgels?|pills?|tinctures?|drops|syrups?|slips|sprays?|lotions?|salves?|balms?|creams? \d+"
    r"|patch(?:es)?|topicals?|beverages?|seltzers?|baking mix|edibles?)\b",
    re.IGNORECASE,
)
_BRACKETS = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|\{[^{}]*\}")
_SEPARATOR = re.compile(r"[|:•/,;_]| [-–—l] |[-–—] | [-–—]|\t")
_NUMBER = r"(?:\d+/\d+|\d*\.\d+|\d+)"
_CUTS = (
    # sizes and counts: 3.5g, .5 g, 1/8 oz, 10pk, 5 pack, 500mg
    rf"{_NUMBER} ?-?(?:g|gm|gr|grams?|mg|ml|oz|ounces?|pk|packs?|ct|pcs?|each)(?=$|[ -])|(?:half|quarter|eighth) ?(?:oz|ounce)",
    # potency, serial numbers, prices, ratios: T26.42%, T396C1, C243, NDC: 9228, C0000017364, 21914, #495645, $15, 2:1
    rf"ndc:? ?\d+|[tc]{_NUMBER}%?(?:-?c{_NUMBER}%?)?(?=$| )|c\d{{7,}}|#\d{{4,}}|\d{{4,}}|(?:thc|cbd)? ?{_NUMBER} ?%(?: ?(?:thc|cbd))?"
    rf"|\$ ?{_NUMBER}|\d+\.\d\d(?=$| )|\d+(?:\.\d+)?:\d+",
    # forms
    r"(?:whole|ground|premium|pre-?pack(?:ed|aged)?|indoor|outdoor)? ?flowers?|pre[ -]?rolls?|pre-?rolled|joints?|blunts?"
    r"|(?:pure |disposable )?(?:vapes?|vape ?pens?|vpens?|cart(?:ridge)?s?|pods?|disposables?|all[ -]in[ -]ones?|aio)(?: devices?)?"
    r"|(?:live|cured|wet|cold cure|fresh frozen) (?:resin|rosin|sugar|badder|batter|budder|diamonds?|sauce)(?: sugar| badder| cart| bar)?"
    r"|rosin|resin|distillate|concentrates?|extracts?|shatter|badder|budder|crumble|wax|rso|bho|hash|kief|isolate|infused|syringe"
    r"|pre[ -]?ground|select grind|second cut|shorties|cones?|mini vape|minis?|smalls|popcorn|shake|oral solution",
    # market and type
    r"medical(?: only)?|recreational|adult[ -]use|indica(?:[ -](?:hybrid|dominant))?|sativa(?:[ -](?:hybrid|dominant))?|hybrid",
)  # fmt: skip
_CUT = re.compile("|".join(rf"(?<![\w.])(?:{cut})(?!\w)" for cut in _CUTS), re.IGNORECASE)
_EDGES = (
    "pure premium top shelf whole classic single infused deli bulk rec med medical indoor outdoor sun grown greenhouse "
    "half pack packs each new of the a by and x with for in under over percent thc cbd oil pr pen bar sugar sauce diamonds "
    "grind minis h s i sc xl value house"
)
_EDGE_WORDS = frozenset(_EDGES.split())
"""Words that are dropped from both ends of a run; within one they may belong to a name."""

_KEPT_FIRST = frozenset({"the", "new", "x", "house", "sugar", "a", "in", "top", "diamonds", "sauce"})
"""Those of ``_EDGE_WORDS`` that begin names ("The White", "Sugar Mama")."""


@lru_cache(maxsize=65536)
def strain_of(product_name: str, *, noise: frozenset[str] = frozenset()) -> str | None:
    """Return the strain's name in ``product_name`` as written there; ``None`` where none is left.

    Args:
        noise: words (lower case) that are no strain's at the ends of a run: brands, a seller's codes.

    Bounds: memoised for the 65,536 latest names.

    Example:
        >>> strain_of("Mama J's: Alien Rock Candy - PR 2pk")
        'Alien Rock Candy'
        >>> strain_of("Blue Dream Flower T16.22% S 00177")
        'Blue Dream'
        >>> strain_of("Sour Watermelon Gummies 100mg") is None
        True
    """
    text = " ".join(product_name[:MAX_NAME].split())
    if _FLAVOURED.search(text):
        return None
    text = _CUT.sub("\n", _BRACKETS.sub("\n", text))
    runs = (_trimmed(run, noise) for run in _SEPARATOR.sub("\n", text).split("\n"))
    found = [run for run in runs if len(run) > 1 and any(c.isalpha() for c in run)]
    return found[-1] if found else None


def _trimmed(run: str, noise: frozenset[str]) -> str:
    words = run.strip(" -–—.,#&+*'\"`").split()
    while words and (words[-1].lower().strip(".-") in _EDGE_WORDS or words[-1].lower() in noise):
        words.pop()
    while words and _is_leading_noise(words[0].lower(), noise):
        words.pop(0)
    return " ".join(words).strip(' -–—.,#&+*"`')


def _is_leading_noise(word: str, noise: frozenset[str]) -> bool:
    return word in noise or (word in _EDGE_WORDS and word not in _KEPT_FIRST)


def strain_slug(name: str) -> str:
    """Return the normalised form of a strain's name, by which origins are joined.

    Example:
        >>> strain_slug("Girl Scout Cookies")
        'girl-scout-cookies'
    """
    return slugify(name)
