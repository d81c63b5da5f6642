"""Names of the market: strains, brands, flavours, words for shops and streets.

Strain names are well-known cultivars; brands, shops and addresses are invented. No strain's
name, written together, is part of another's, of a brand's or of a flavour's: a product can be
told by its strain in every spelling (a test holds this).
"""

from __future__ import annotations

from weedhounds.model.records import Category

STRAIN_ROWS: tuple[tuple[str, str, float, str], ...] = (
    ("Blue Dream", "hybrid", 21.0, "myrcene"),
    ("OG Kush", "hybrid", 22.0, "myrcene"),
    ("Gelato", "hybrid", 23.5, "caryophyllene"),
    ("Sour Diesel", "sativa", 21.5, "caryophyllene"),
    ("Girl Scout Cookies", "hybrid", 23.0, "caryophyllene"),
    ("Wedding Cake", "hybrid", 24.5, "limonene"),
    ("Green Crack", "sativa", 20.5, "myrcene"),
    ("Granddaddy Purple", "indica", 20.0, "myrcene"),
    ("Jack Herer", "sativa", 20.5, "terpinolene"),
    ("Northern Lights", "indica", 19.5, "myrcene"),
    ("White Widow", "hybrid", 20.0, "myrcene"),
    ("Pineapple Express", "hybrid", 20.5, "caryophyllene"),
    ("Durban Poison", "sativa", 20.0, "terpinolene"),
    ("Gorilla Glue", "hybrid", 25.0, "caryophyllene"),
    ("Zkittlez", "indica", 20.5, "caryophyllene"),
    ("Runtz", "hybrid", 24.0, "caryophyllene"),
    ("Bubba Kush", "indica", 19.0, "caryophyllene"),
    ("Do-Si-Dos", "indica", 24.0, "limonene"),
    ("Sunset Sherbet", "hybrid", 21.0, "caryophyllene"),
    ("Purple Punch", "indica", 20.5, "caryophyllene"),
    ("Mimosa", "sativa", 21.5, "limonene"),
    ("Trainwreck", "sativa", 20.0, "terpinolene"),
    ("AK-47", "hybrid", 19.5, "myrcene"),
    ("Super Lemon Haze", "sativa", 21.0, "limonene"),
    ("Strawberry Cough", "sativa", 19.5, "myrcene"),
    ("Tangie", "sativa", 20.0, "myrcene"),
    ("Maui Wowie", "sativa", 19.0, "myrcene"),
    ("Chemdawg", "hybrid", 21.5, "caryophyllene"),
    ("Headband", "hybrid", 21.0, "myrcene"),
    ("Cherry Pie", "hybrid", 20.5, "caryophyllene"),
    ("Forbidden Fruit", "indica", 21.5, "myrcene"),
    ("Ice Cream Cake", "indica", 24.0, "limonene"),
    ("Biscotti", "hybrid", 23.0, "caryophyllene"),
    ("MAC 1", "hybrid", 23.0, "limonene"),
    ("Apple Fritter", "hybrid", 25.0, "caryophyllene"),
    ("Jealousy", "hybrid", 25.5, "caryophyllene"),
    ("Lava Cake", "indica", 21.0, "limonene"),
    ("Slurricane", "indica", 22.5, "caryophyllene"),
    ("Gushers", "hybrid", 22.0, "limonene"),
    ("Oreoz", "hybrid", 25.0, "caryophyllene"),
    ("Candyland", "sativa", 20.5, "caryophyllene"),
    ("Skywalker", "indica", 21.5, "myrcene"),
    ("Master Kush", "indica", 19.5, "limonene"),
    ("Hindu Kush", "indica", 18.5, "limonene"),
    ("Purple Haze", "sativa", 18.5, "myrcene"),
    ("Amnesia Haze", "sativa", 21.0, "limonene"),
    ("Acapulco Gold", "sativa", 20.0, "caryophyllene"),
    ("Panama Red", "sativa", 17.0, "terpinolene"),
    ("Grape Ape", "indica", 19.0, "myrcene"),
    ("LA Confidential", "indica", 20.0, "myrcene"),
    ("Bruce Banner", "hybrid", 24.5, "myrcene"),
    ("Golden Goat", "hybrid", 20.5, "terpinolene"),
    ("Lemon Skunk", "hybrid", 19.5, "myrcene"),
    ("Island Sweet Skunk", "sativa", 20.0, "myrcene"),
    ("Blueberry Muffin", "indica", 19.5, "myrcene"),
    ("Banana Punch", "hybrid", 22.5, "limonene"),
    ("Motor Breath", "indica", 24.5, "caryophyllene"),
    ("Kush Mints", "hybrid", 25.0, "limonene"),
    ("Cereal Milk", "hybrid", 22.5, "caryophyllene"),
    ("Dutch Treat", "hybrid", 20.5, "terpinolene"),
    ("Fire OG", "hybrid", 22.5, "limonene"),
    ("Animal Mints", "hybrid", 25.5, "limonene"),
    ("Papaya Punch", "hybrid", 21.5, "myrcene"),
    ("Stardawg", "hybrid", 22.5, "caryophyllene"),
    ("Critical Mass", "indica", 19.0, "myrcene"),
    ("Romulan", "indica", 19.5, "myrcene"),
    ("Cinderella 99", "sativa", 20.5, "myrcene"),
    ("Death Star", "indica", 21.5, "caryophyllene"),
    ("Snowcap", "hybrid", 19.5, "myrcene"),
    ("Afghani", "indica", 18.0, "myrcene"),
    ("Vanilla Frosting", "hybrid", 23.5, "caryophyllene"),
    ("Hawaiian Rain", "sativa", 20.5, "terpinolene"),
    ("Harlequin", "cbd", 8.0, "myrcene"),
    ("ACDC", "cbd", 4.5, "myrcene"),
    ("Cannatonic", "cbd", 6.5, "myrcene"),
    ("Ringo's Gift", "cbd", 5.0, "myrcene"),
    ("Sour Tsunami", "cbd", 7.0, "pinene_alpha"),
    ("Pennywise", "cbd", 8.5, "terpinolene"),
)
"""Name, type, typical total THC in percent, leading terpene; in order of popularity."""

_F, _P, _V, _C = Category.FLOWER, Category.PRE_ROLL, Category.VAPE, Category.CONCENTRATE
_E, _B, _T, _S, _A = Category.EDIBLE, Category.BEVERAGE, Category.TINCTURE, Category.TOPICAL, Category.ACCESSORY

BRAND_ROWS: tuple[tuple[str, float, tuple[Category, ...]], ...] = (
    ("Copperleaf Farms", 1.0, (_F, _P)),
    ("Harbor & Pine", 1.15, (_F, _P, _C)),
    ("Tall Grass Union", 0.8, (_F, _P)),
    ("Mesa Verde Growers", 0.9, (_F, _P)),
    ("Juniper Row", 1.25, (_F, _C)),
    ("Basecamp Flower Co.", 0.85, (_F, _P, _V)),
    ("Lumen Botanics", 1.3, (_F, _V, _C)),
    ("Prairie Signal", 0.75, (_F, _P)),
    ("Fieldnote", 1.05, (_F, _P)),
    ("Third Meadow", 0.95, (_F, _P, _C)),
    ("Night Shift Gardens", 1.1, (_F, _C)),
    ("Old Quarry", 0.9, (_F, _P)),
    ("Rill & Rime", 1.2, (_V, _C)),
    ("Vapor Theory", 0.95, (_V,)),
    ("Clearwell", 1.05, (_V, _T)),
    ("Solvent Zero", 1.35, (_C, _V)),
    ("Granite State Extracts", 1.0, (_C, _V)),
    ("Amberline", 0.9, (_C, _V)),
    ("Kettle & Cone", 0.95, (_P,)),
    ("Twist Club", 0.85, (_P,)),
    ("Sugarbird", 1.0, (_E,)),
    ("Marlow's Kitchen", 1.1, (_E,)),
    ("Little Dipper", 0.9, (_E, _B)),
    ("Parlor Sweets", 1.05, (_E,)),
    ("Tidewater Tonic", 1.0, (_B,)),
    ("Fizzwick", 0.9, (_B,)),
    ("Balm Street", 1.0, (_S,)),
    ("Evenkeel Remedies", 1.15, (_T, _S)),
    ("Dropwise", 0.95, (_T,)),
    ("Tinder & Glass", 1.0, (_A,)),
    ("Pocketforge", 0.9, (_A,)),
)
"""Name, price level, categories it makes."""

FLAVOURS = (
    "Sour Watermelon", "Peach Mango", "Raspberry Lemonade", "Cherry Cola", "Salted Caramel", "Mint Chip",
    "Blackberry", "Tropical Citrus", "Green Apple", "Honey Lavender", "Strawberry Basil", "Cookies and Cream",
    "Orange Zest", "Pomegranate", "Vanilla Bean", "Root Beer", "Ginger Lime", "Cucumber Mint", "Yuzu", "Huckleberry",
)  # fmt: skip

GEAR = (
    "Glass Hand Pipe", "Four Piece Grinder", "Rolling Papers", "Silicone Mat", "Rolling Tray", "510 Battery",
    "Quartz Banger", "Stash Jar", "Lighter", "Hemp Wick", "Dab Tool", "Smell Proof Pouch", "Ceramic One Hitter",
    "Cone Loader", "Cleaning Solution", "Bubbler",
)  # fmt: skip

SHOP_FIRST = (
    "Copper", "Juniper", "Cobalt", "Velvet", "Amber", "Quiet", "Wandering", "Painted", "Silver", "Lucky",
    "Northside", "Hidden", "Golden Hour", "Red Brick", "Iron", "Willow", "Paper", "Midnight", "Marble", "Sunday",
    "Cardinal", "Harvest Moon", "Blue Door", "Wildflower", "Cinder", "Salt Flat", "Tall Pine", "Bright Side",
    "Sagebrush", "Stone's Throw",
)  # fmt: skip
SHOP_SECOND = (
    "Lantern", "Fox", "Heron", "Orchard", "Anchor", "Compass", "Meadow", "Harbor", "Sparrow", "Canyon", "Mercantile",
    "Garden", "Bridge", "Beacon", "Acre", "Workshop", "Parlor", "Depot", "Hollow", "Summit", "Terrace", "Raven",
    "Greenhouse", "Provisions",
)  # fmt: skip
SHOP_LAST = ("Cannabis", "Dispensary", "Cannabis Co.", "Apothecary")
NEIGHBOURHOODS = (
    "Old Town", "Midtown", "Riverside", "Uptown", "South End", "West Side", "Union Square", "Arts District", "Lakeview",
    "Eastgate", "Market Street", "Highland",
)  # fmt: skip
STREETS = (
    "Cedar", "Alder", "Larkspur", "Union", "Mercer", "Quarry", "Bannock", "Prospect", "Foundry", "Orchard", "Tremont",
    "Colfax", "Division", "Harrison", "Lincoln", "Monroe", "Spruce", "Vine", "Walnut", "York",
)  # fmt: skip
STREET_KINDS = (("St", "Street"), ("Ave", "Avenue"), ("Blvd", "Boulevard"), ("Rd", "Road"))
STREET_SIDES = (("N", "North"), ("S", "South"), ("E", "East"), ("W", "West"))

EFFECTS = ("relaxed", "happy", "euphoric", "uplifted", "creative", "energetic", "focused", "sleepy", "hungry", "calm")
TERPENES = (
    "myrcene", "caryophyllene", "limonene", "pinene_alpha", "pinene_beta", "linalool", "humulene", "terpinolene",
    "ocimene",
)  # fmt: skip
"""The terpenes that profiles are made of, by canonical name."""

LABORATORIES = ("Bench & Beaker Analytics", "Meridian Test Lab", "Clear Signal Laboratories", "Tannin Analytical")
PRODUCERS = ("NUTMEG GROWERS LLC", "RIVER VALLEY EXTRACTS LLC", "CHARTER OAK BOTANICALS LLC", "SOUND SHORE LABS LLC")
