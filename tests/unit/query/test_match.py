"""Which products a question means."""

from __future__ import annotations

import pytest

from weedhounds.errors import BadInput
from weedhounds.model.records import Category, Menu, Product
from weedhounds.model.units import Reading
from weedhounds.query.match import MenuText, Question


def _menu(*products: Product) -> MenuText:
    return MenuText(Menu(origin="jane", shop_id="1", products=products))


def _product(name: str, **facts: object) -> Product:
    return Product(id=name, name=name, origin="jane", **facts)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name",
    [
        "Blue Dream",
        "BlueDream 3.5g",
        "blue-dream™",
        "BLUE DREAM | Hybrid",
        "Acme: Blue Dream - PR 2pk",
        "Blue Dream (H)",
    ],
)
@pytest.mark.parametrize("query", ["Blue Dream", "bluedream", "blue-dream", "BLUE  DREAM"])
def test_spellings_of_a_strain_meet(name: str, query: str) -> None:
    assert _menu(_product(name)).matches(Question.of(query), is_strain=True)


@pytest.mark.parametrize(
    "name", ["Blue Raspberry Dream Bar", "Blueberry Dream", "Dream Blue", "Blue Dreamsicle", "Azure Bluedreamer"]
)
def test_look_alikes_of_a_known_strain_do_not_match(name: str) -> None:
    assert not _menu(_product(name)).matches(Question.of("Blue Dream"), is_strain=True)


def test_words_of_several_fields_match_where_no_strain_is_asked() -> None:
    menu = _menu(_product("Raspberry Sativa Gummies", brand="Wyld", category=Category.EDIBLE), _product("Other"))
    assert [p.name for p in menu.matches(Question.of("wyld raspberry gummy"), is_strain=False)] == [
        "Raspberry Sativa Gummies"
    ]
    assert len(menu.matches(Question.of("edibles"), is_strain=False)) == 1


def test_a_terpene_matches_products_that_hold_it() -> None:
    has = _product("A", terpenes=(Reading("limonene", 0.4, "%"),))
    traces = _product("B", terpenes=(Reading("limonene", None, "%", 0.1),))
    assert _menu(has, traces).matches(Question.of("Limonene"), is_strain=False) == [has]


def test_an_empty_question_means_everything() -> None:
    assert len(_menu(_product("A"), _product("B")).matches(Question.of(" "), is_strain=False)) == 2


def test_categories_and_terpenes_name_no_strain() -> None:
    assert Question.of("gummies").slug is None
    assert Question.of("limonene").slug is None
    assert Question.of("").slug is None
    assert Question.of("Blue Dream").slug == "blue-dream"


@pytest.mark.parametrize("text", ["!!!", "x" * 201, "日本"])
def test_what_has_no_words_is_bad_input(text: str) -> None:
    with pytest.raises(BadInput):
        Question.of(text)
