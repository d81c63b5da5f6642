"""The records whose bytes are kept in ``tests/golden/codec``: invented, one of every body type, with every field in use.

They never change: the golden bytes of each version were written from them. A new field of a
record keeps its default here.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from weedhounds.model.records import (
    AnyRecord,
    Body,
    Brand,
    Category,
    Lab,
    LabResult,
    LabResultList,
    Menu,
    Offer,
    OpenPeriod,
    Price,
    PriceList,
    Product,
    Promotion,
    PromotionList,
    Shop,
    ShopList,
    ShopRef,
    Strain,
    StrainList,
)
from weedhounds.model.units import Amount, Money, Potency, Reading

TERPENES = (
    Reading("myrcene", 0.512, "%"),
    Reading("limonene", None, "%", 0.1),
    Reading("pinene_alpha", None, "%"),
)

FULL_PRODUCT = Product(
    id="100200300",
    name="Invented Haze – Größe 3.5g",
    origin="weedmaps",
    brand="Papa's Invented Farm",
    category=Category.FLOWER,
    category_name="Flower",
    subcategory="Indoor",
    strain="Invented Haze",
    strain_type="hybrid",
    potency={"thc": Potency(18.5, 21.25, "%"), "cbd": Potency(0.08, 0.08, "%", "dry")},
    potency_by_variant={"1/8 oz": {"thc": Potency(22.1, 22.1, "%")}},
    terpenes=TERPENES,
    lab=Lab(laboratory="Invented Labs", tested_at="2026-01-02", batch="B-1", report_url="https://lab.example/1.pdf"),
    slug="papas-invented-farm-invented-haze-gre-35g-flower",
    image_url="https://images.weedmaps.example/pictures/000/100/200/avatar/1690420349-haze.jpg",
    updated_at=1690420349.137,
)

PRODUCTS = (
    FULL_PRODUCT,
    Product(id="100200301", name="Invented Gummies 100mg", origin="weedmaps", category=Category.EDIBLE),
    *(
        Product(
            id=f"1002004{number:02}",
            name=f"Invented Kush #{number}",
            origin="weedmaps",
            brand=f"Brand {number % 3}",
            category=Category.PRE_ROLL,
            category_name="Pre-Roll",
            strain_type="indica",
            potency={"thc": Potency(17 + number / 4, 17 + number / 4, "%")},
            slug=f"invented-kush-{number}",
            updated_at=1690420000.0 + 60 * number,
        )
        for number in range(12)
    ),
)

PRICES = (
    Price(
        product_id="100200300",
        variant_label="1/8 oz",
        variant=Amount(3.5, "g"),
        market="rec",
        price=Money(Decimal("28.24")),
        list_price=Money(Decimal("35.00")),
        in_stock=True,
        quantity=12.0,
        promotions=("Happy Hour 20% Off", "Bündel"),
    ),
    Price(
        product_id="100200301",
        variant_label="10pk",
        variant=Amount(1.0, "each", 10),
        market="med",
        price=Money(Decimal("12.3456"), "CAD"),
        list_price=Money(Decimal("12.3456"), "CAD"),
        in_stock=False,
    ),
    *(
        Price(
            product_id=f"1002004{number:02}",
            variant_label="1 g",
            variant=Amount(1.0, "g"),
            market="rec",
            price=Money(Decimal(f"{8 + number}.00")),
            list_price=Money(Decimal(f"{8 + number}.00")),
        )
        for number in range(12)
    ),
)

SHOP = Shop(
    key="dispensary_info:weedmaps:4711",
    origin="weedmaps",
    id="4711",
    name="Invented Dispensary & Co.",
    slug="invented-dispensary-co-denver",
    address="1 Invented Street",
    city="Denver",
    state="CO",
    postcode="80202",
    country="US",
    lat=39.7392358,
    lon=-104.990251,
    position="exact",
    phone="+1 303-555-0100",
    website="https://shop.example",
    time_zone="America/Denver",
    hours=tuple(OpenPeriod(day, 540, 1260) for day in range(7)),
    license_number="402R-00001",
    markets=("rec", "med"),
    kind="storefront",
    menu_size=14,
)

PROMOTION = Promotion(
    id="77",
    origin="weedmaps",
    name="Two for one",
    shop_id="4711",
    kind="bogo",
    description="Buy one Invented Haze, get another.",
    percent_off=12.5,
    amount_off=Money(Decimal("5.00")),
    target_price=Money(Decimal("30.00"), "CAD"),
    starts_local="2026-01-01T00:00:00",
    ends_local="2026-01-31T23:59:59",
    categories=("flower", "pre_roll"),
)

STRAIN = Strain(
    slug="invented-haze",
    name="Invented Haze",
    origin="leafly",
    id="991",
    aka=("IH", "Haze of Invention"),
    strain_type="hybrid",
    description="An invented strain.",
    potency={"thc": Potency(18.0, 24.0, "%")},
    terpenes=TERPENES,
    top_terpene="myrcene",
    effects={"relaxed": 0.8125, "happy": 0.33},
)

LAB_RESULT = LabResult(
    id="MMBR.0000001",
    origin="socrata_ct",
    product="Invented Haze T18 1234",
    strain="Invented Haze",
    form="Flower",
    producer="INVENTED PRODUCER LLC",
    laboratory="Invented Labs",
    tested_at="2025-12-24",
    approved_at="2026-01-02",
    market="Adult Use",
    report_url="https://register.example/doc.aspx?id=1813234&GUID=5AC4C12E-4B70-4426-820A-E9951A0DBE44",
    cannabinoids=(Reading("thc", 0.805, "%"), Reading("thca", 21.28, "%"), Reading("cbd", None, "%", 0.1)),
    terpenes=TERPENES,
)

RECORDS: Mapping[str, Body] = {
    "menu": Menu(origin="weedmaps", shop_id="4711", products=PRODUCTS),
    "price_list": PriceList(origin="weedmaps", shop_id="4711", prices=PRICES),
    "shop_list": ShopList(origin="weedmaps", cell="85268cdbfffffff", shops=(SHOP,)),
    "promotion_list": PromotionList(origin="weedmaps", shop_id="4711", promotions=(PROMOTION,)),
    "strain_list": StrainList(origin="leafly", strains=(STRAIN,)),
    "lab_result_list": LabResultList(origin="socrata_ct", results=(LAB_RESULT,)),
}

OFFER = Offer(
    shop=ShopRef(key="dispensary_info:weedmaps:4711", id="4711"),
    product_id="100200300",
    product="Invented Haze 3.5g",
    brand="Papa's Invented Farm",
    strain="Invented Haze",
    strain_type="hybrid",
    category=Category.FLOWER,
    subcategory="Indoor",
    market="rec",
    variant_label="1/8 oz",
    variant=Amount(3.5, "g"),
    price=Money(Decimal("28.24")),
    list_price=Money(Decimal("35.00")),
    potency={"thc": Potency(18.5, 21.25, "%")},
    terpenes=TERPENES,
    lab=Lab(laboratory="Invented Labs", batch="B-1"),
    promotions=("Happy Hour 20% Off",),
    in_stock=True,
    quantity=12.0,
)

SINGLES: Mapping[str, AnyRecord] = {
    "shop": SHOP,
    "product": FULL_PRODUCT,
    "price": PRICES[0],
    "promotion": PROMOTION,
    "strain": STRAIN,
    "lab_result": LAB_RESULT,
    "brand": Brand(id="5", name="Papa's Invented Farm", origin="leafly", slug="papas-invented-farm", description="-"),
    "offer": OFFER,
}
