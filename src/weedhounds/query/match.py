"""Which products a question means.

A question is a strain, product, brand, category or terpene, or words of several of these. A
product matches when every word of the question is found in it. Two refinements keep strains
apart from look-alikes:

- the question's words may be written together or apart ("BlueDream", "blue-dream");
- where the question is the name of a known strain, its words must stand together ("Blue
  Raspberry Dream Bar" is no "Blue Dream").
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from weedhounds.errors import BadInput
from weedhounds.model.analytes import TERPENES, canonical_analyte
from weedhounds.model.names import slugify, tokens
from weedhounds.model.records import Category, Menu, Product

MAX_QUERY_CHARS = 200
_CATEGORY_WORDS = {
    Category.FLOWER: "flower bud",
    Category.PRE_ROLL: "pre roll preroll joint",
    Category.VAPE: "vape cartridge cart",
    Category.CONCENTRATE: "concentrate extract",
    Category.EDIBLE: "edible",
    Category.BEVERAGE: "beverage drink",
    Category.TINCTURE: "tincture",
    Category.TOPICAL: "topical",
    Category.CAPSULE: "capsule",
    Category.SEED: "seed",
    Category.ACCESSORY: "gear accessory",
    Category.OTHER: "",
}
_GENERIC = frozenset(
    ["gummy", "chocolate", "cookie", "drink", "soda", "oil", "wax", "shatter", "rosin", "resin", "indica", "sativa", "hybrid", "rec", "med", "medical", "cbd", "thc", "pack", "mint", "candy"]
) | frozenset(word for words in _CATEGORY_WORDS.values() for word in words.split())  # fmt: skip


def stem(word: str) -> str:
    """Return ``word`` without its plural ending, so that "gummies" and "gummy" meet.

    Example:
        >>> [stem(w) for w in ("gummies", "edibles", "glass", "og")]
        ['gummy', 'edible', 'glass', 'og']
    """
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 3 and word.endswith("s") and not word.endswith("ss"):
        return word[:-1]
    return word


class Question(msgspec.Struct, frozen=True):
    """A query, normalised.

    ``words`` are stemmed; ``slug`` is the strain that it may name, or ``None`` where it cannot be
    a strain's name (empty, or nothing but categories and terpenes).
    """

    text: str
    words: tuple[str, ...]
    slug: str | None

    @classmethod
    def of(cls, text: str) -> Question:
        """Normalise a query.

        Raises:
            BadInput: too long, or nothing but signs.
        """
        if len(text) > MAX_QUERY_CHARS:
            raise BadInput(f"a query has at most {MAX_QUERY_CHARS} characters")
        raw = tokens(text)
        words = tuple(stem(word) for word in raw)
        if text.strip() and not words:
            raise BadInput(f"the query {text!r} has no letters or digits")
        named = [w for w in words if w not in _GENERIC and canonical_analyte(w) not in TERPENES]
        return cls(" ".join(text.split()), words, "-".join(raw) if named else None)

    @property
    def joined(self) -> str:
        """Return the words written together."""
        return "".join(self.words)


class MenuText:
    """A menu prepared for matching: one line of stemmed words for each product.

    Built once for an entry and kept with it (``views.py``); matching then costs well under a
    microsecond a product.
    """

    __slots__ = ("_lines", "_terpenes", "products", "strains")

    def __init__(self, menu: Menu) -> None:
        self.products = menu.products
        self.strains = frozenset(slugify(p.strain) for p in menu.products if p.strain)
        # Tuples of texts: lists and sets are walked by every full garbage collection (10 ms for 100 menus).
        self._lines = tuple(_line(product) for product in menu.products)
        self._terpenes = tuple(f" {' '.join(r.analyte for r in p.terpenes if r.value)} " for p in menu.products)

    def matches(self, question: Question, *, is_strain: bool) -> list[Product]:
        """Return the products that ``question`` means; all of them for an empty one.

        Args:
            is_strain: the question is a known strain's name: its words must stand together.
        """
        if not question.words:
            return list(self.products)
        # A phrase begins where a word begins: looking for its first two letters there sorts most lines out.
        alone, start = f" {question.joined[0]} ", f" {question.joined[:2]}"
        return [
            product
            for product, line, terpenes in zip(self.products, self._lines, self._terpenes, strict=True)
            if ((start in line or alone in line) and _phrase_in(question, line))
            or (not is_strain and _words_in(question.words, line, terpenes))
        ]


def _line(product: Product) -> str:
    parts = (
        product.name,
        product.strain,
        product.brand,
        product.category_name,
        product.subcategory,
        product.strain_type,
        _CATEGORY_WORDS[product.category],
    )
    return " | ".join(_stemmed(part) for part in parts if part).join((" ", " "))


def _stemmed(text: str) -> str:
    return " ".join(stem(word) for word in tokens(text))


def _phrase_in(question: Question, line: str) -> bool:
    """Tell whether the question's words stand together in one field, however they are spaced."""
    if f" {' '.join(question.words)} " in line:
        return True
    if question.joined not in line.replace(" ", ""):
        return False
    return any(_spells(question.joined, field.split()) for field in line.split("|"))


def _spells(joined: str, words: list[str]) -> bool:
    """Tell whether whole neighbouring words of a field, written together, give ``joined``."""
    for start in range(len(words)):
        rest = joined
        for word in words[start:]:
            if not rest.startswith(word):
                break
            rest = rest[len(word) :]
            if not rest:
                return True
    return False


def _words_in(words: Iterable[str], line: str, terpenes: str) -> bool:
    return all(f" {word} " in line or f" {canonical_analyte(word)} " in terpenes for word in words)
