"""What rows may become from release to release, and a check that they became nothing else.

The rules (``docs/schema-evolution.md`` gives the reasons): a row's number and its fields' places
stay; a new field goes to the end and has a default; a field that the model drops is retired: it
keeps its place, is written as nil and ignored. :data:`RELEASED` is what was released, and grows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import get_args

import msgspec

from weedhounds.codec.whb_column import Head
from weedhounds.codec.whb_wire import AnyRow

RELEASED: Mapping[str, tuple[int, str]] = {
    "ShopRow": (
        1,
        "id name slug address postcode lat lon phone license_number website menu_size city state country time_zone "
        "hours markets kind position origin key",
    ),
    "ProductRow": (
        2,
        "id name slug image_url updated_at potency analytes strain brand subcategory category_name category "
        "strain_type origin terpenes lab potency_by_variant",
    ),
    "PriceRow": (
        3,
        "product_id price list_price quantity promotions variant_label variant market in_stock currency list_currency",
    ),
    "PromotionRow": (
        4,
        "id name description percent_off amount_off target_price starts_local ends_local shop_id kind categories origin",
    ),
    "StrainRow": (
        5,
        "id name slug aka description potency analytes terpenes top_terpene effects strain_type origin",
    ),
    "LabResultRow": (
        6,
        "id product strain report_url approved_at tested_at cannabinoids terpenes form producer laboratory market origin",
    ),
    "BrandRow": (7, "id name slug website description origin"),
    "OfferRow": (
        8,
        "shop_id product_id product price list_price quantity potency analytes promotions brand strain subcategory "
        "category variant_label variant strain_type market in_stock shop_origin terpenes lab currency list_currency shop",
    ),
    "ShopListRow": (17, "origin cell rows"),
    "MenuRow": (
        18,
        "origin shop_id id name slug is_slug_whole image_url updated_at brand category category_name subcategory strain "
        "strain_type potency potency_by_variant terpenes lab origins",
    ),
    "PriceListRow": (
        19,
        "origin shop_id product_id price list_price variant_label variant market in_stock quantity promotions currency "
        "list_currency",
    ),
    "PromotionListRow": (20, "origin shop_id rows"),
    "StrainListRow": (21, "origin rows"),
    "LabResultListRow": (22, "origin rows"),
    "MenuByRow": (23, "origin shop_id rows"),
    "PriceListByRow": (24, "origin shop_id rows"),
    "ProductRow2": (
        34,
        "id name origin brand category category_name subcategory strain strain_type potency potency_by_variant terpenes "
        "lab slug image_url updated_at",
    ),
    "LabResultRow2": (
        38,
        "id origin product strain form producer laboratory tested_at approved_at market report_url cannabinoids terpenes",
    ),
    "OfferRow2": (
        40,
        "shop product_id product brand strain strain_type category subcategory market variant_label variant price "
        "list_price potency terpenes lab promotions in_stock quantity",
    ),
    "MenuHead": (
        18,
        "origin shop_id count lengths brand group strain told analyte highs origins potency_by_variant terpenes lab",
    ),
    "PricesHead": (
        19,
        "origin shop_id count lengths products label variant in_stock promotions cash list_cash currency list_currency",
    ),
    "ShopsHead": (17, "origin cell count lengths place hours markets kind position keys origins"),
    "LabResultsHead": (22, "origin count lengths maker approved_at tested_at panel odd origins"),
}
"""By row or head, its number and its fields in order of their places (from 1), as every release so far had them."""


def rows() -> dict[str, type[msgspec.Struct]]:
    """Return the rows, and the heads of columns, of this release by name."""
    return {row.__name__: row for row in (*get_args(AnyRow), *get_args(Head))}


def broken(
    now: Mapping[str, type[msgspec.Struct]] | None = None, released: Mapping[str, tuple[int, str]] = RELEASED
) -> list[str]:
    """Return every way in which the rows of this release cannot read, or be read by, released ones."""
    present = rows() if now is None else now
    return [
        problem
        for name, (number, fields) in released.items()
        for problem in (
            _problems(name, present[name], number, fields.split()) if name in present else [f"{name} is gone"]
        )
    ]


def _problems(name: str, row: type[msgspec.Struct], number: int, fields: Sequence[str]) -> list[str]:
    found = []
    config, places = row.__struct_config__, row.__struct_fields__
    if not config.array_like or config.tag != number:
        found.append(f"{name} is not an array of number {number}")
    if places[: len(fields)] != tuple(fields):
        found.append(f"{name} has moved fields: {', '.join(fields)} became {', '.join(places[: len(fields)])}")
    required = {field.name for field in msgspec.structs.fields(row) if field.required}
    found += [f"{name}.{field} is new and has no default" for field in places[len(fields) :] if field in required]
    return found


def unreleased(released: Mapping[str, tuple[int, str]] = RELEASED) -> list[str]:
    """Return what this release adds: to be put into :data:`RELEASED` when it is out."""
    return [
        f"{name}.{field}"
        for name, row in rows().items()
        for field in row.__struct_fields__
        if field not in released.get(name, (0, ""))[1].split()
    ]
