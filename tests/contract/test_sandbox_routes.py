"""Every route of the simulated origins answers in the wire format of its origin."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from test_sandbox_asgi import NOW, Answer, Caller

from weedhounds.sandbox.shops import Listing
from weedhounds.sources.places import distance_km

DENVER = (39.7392, -104.9847)
KEY = {"X-Algolia-API-Key": "sandbox-key"}


@pytest.fixture(scope="module")
def shared() -> Caller:
    return Caller()


@pytest.fixture
def sandbox(shared: Caller) -> Caller:
    shared.app.gate.reset(shared.clock.monotonic())
    shared.clock.set_now(NOW)
    return shared


def large(sandbox: Caller, origin: str) -> Listing:
    """Return the listing of ``origin`` with the longest menu."""
    return max((x for x in sandbox.app.market.listings if x.origin == origin), key=lambda x: x.shop.menu_size)


async def graphql(sandbox: Caller, operation: str, path: str = "/dutchie/graphql", **variables: object) -> Any:
    answer = await sandbox.post(path, {"operationName": operation, "variables": variables})
    assert answer.status == 200
    return answer.json


# Dutchie


async def test_dutchie_pages_a_menu_from_0_without_gaps_or_repeats(sandbox: Caller) -> None:
    listing = large(sandbox, "dutchie")
    ids: list[str] = []
    names: list[str] = []
    for page in range(5):
        wanted = {"dispensaryId": listing.id, "sortBy": "name"}
        answer = await graphql(sandbox, "FilteredProducts", productsFilter=wanted, page=page, perPage=100)
        products = answer["data"]["filteredProducts"]["products"]
        ids += [p["_id"] for p in products]
        names += [p["Name"] for p in products]
    size = listing.shop.menu_size
    assert answer["data"]["filteredProducts"]["queryInfo"]["totalCount"] == size
    assert answer["data"]["filteredProducts"]["queryInfo"]["totalPages"] == -(-size // 100)
    assert len(ids) == len(set(ids)) == size
    assert names == sorted(names)


async def test_dutchie_gives_at_most_100_products_a_page(sandbox: Caller) -> None:
    wanted = {"dispensaryId": large(sandbox, "dutchie").id}
    answer = await graphql(sandbox, "FilteredProducts", productsFilter=wanted, page=0, perPage=5000)
    assert len(answer["data"]["filteredProducts"]["products"]) == 100


async def test_dutchie_tells_both_price_lists_parallel_to_the_options(sandbox: Caller) -> None:
    market = sandbox.app.market
    listing = next(x for x in market.listings if x.origin == "dutchie" and "med" in x.shop.markets)
    answer = await graphql(sandbox, "FilteredProducts", productsFilter={"dispensaryId": listing.id}, perPage=100)
    for product in answer["data"]["filteredProducts"]["products"]:
        n = len(product["Options"])
        assert len(product["recPrices"]) == len(product["medicalPrices"]) == len(product["Prices"]) == n
        assert len(product["recSpecialPrices"]) == (n if product["special"] else 0)
        assert [c["option"] for c in product["POSMetaData"]["children"]] == product["Options"]


async def test_dutchie_answers_by_get_and_on_every_path(sandbox: Caller) -> None:
    listing = large(sandbox, "dutchie")
    variables = msgspec.json.encode({"productsFilter": {"dispensaryId": listing.id}, "perPage": 2}).decode()
    bodies = set()
    for path in ("/dutchie/graphql", *(f"/dutchie/api-{n}/graphql" for n in range(5))):
        answer = await sandbox.get(path, operationName="FilteredProducts", variables=variables, extensions="{}")
        bodies.add(answer.body)
    assert len(bodies) == 1
    assert (await sandbox.get("/dutchie/api-5/graphql", operationName="FilteredProducts")).status == 404


async def test_dutchie_finds_shops_within_a_distance_in_miles(sandbox: Caller) -> None:
    wanted = {"nearLat": DENVER[0], "nearLng": DENVER[1], "distance": 10}
    answer = await graphql(sandbox, "DispensarySearch", dispensaryFilter=wanted)
    shops = answer["data"]["filteredDispensaries"]
    assert shops
    for shop in shops:
        lon, lat = shop["location"]["geometry"]["coordinates"]
        assert distance_km(*DENVER, lat, lon) <= 10 * 1.609344
        assert shop["timezone"] == "America/Denver"


async def test_dutchie_finds_one_shop_by_id_or_slug_and_none_by_another(sandbox: Caller) -> None:
    listing = large(sandbox, "dutchie")
    for name in (listing.id, listing.slug):
        answer = await graphql(sandbox, "ConsumerDispensaries", dispensaryFilter={"cNameOrID": name})
        assert [s["id"] for s in answer["data"]["filteredDispensaries"]] == [listing.id]
    answer = await graphql(sandbox, "ConsumerDispensaries", dispensaryFilter={"cNameOrID": "nothing"})
    assert answer["data"]["filteredDispensaries"] == []


async def test_dutchie_cards_are_the_deals_of_the_day_with_local_stamps(sandbox: Caller) -> None:
    listing = large(sandbox, "dutchie")
    answer = await graphql(sandbox, "GetSpecialMenuCards", dispensaryId=listing.id)
    cards = answer["data"]["getSpecialMenuCards"]["menuCards"]
    deals = sandbox.app.market.deals(listing.shop, NOW)
    assert [(c["_id"], c["menuDisplayName"], c["startStamp"]) for c in cards] == [
        (d.id, d.name, d.starts_local) for d in deals
    ]
    assert all(c["startStamp"].endswith(".0000000") for c in cards)
    nobody = await graphql(sandbox, "GetSpecialMenuCards", dispensaryId="nothing")
    assert nobody["data"]["getSpecialMenuCards"]["menuCards"] == []


async def test_dutchie_does_not_know_other_operations(sandbox: Caller) -> None:
    answer = await graphql(sandbox, "Reviews")
    assert answer["errors"][0]["message"] == "PersistedQueryNotFound"


async def test_dutchie_answers_304_to_the_weak_tag_it_gave(sandbox: Caller) -> None:
    body = {"operationName": "GetSpecialMenuCards", "variables": {"dispensaryId": large(sandbox, "dutchie").id}}
    first = await sandbox.post("/dutchie/graphql", body)
    assert first.headers["etag"].startswith('W/"')
    again = await sandbox.post("/dutchie/graphql", body, headers={"If-None-Match": first.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    other = await sandbox.post("/dutchie/graphql", body, headers={"If-None-Match": 'W/"x"'})
    assert other.status == 200


# Jane


async def search(sandbox: Caller, index: str, **query: object) -> Any:
    answer = await sandbox.post(f"/jane/1/indexes/{index}-production/query", query, headers=KEY)
    assert answer.status == 200
    return answer.json


async def test_jane_refuses_a_stale_key(sandbox: Caller) -> None:
    path = "/jane/1/indexes/stores-production/query"
    for headers in ({}, {"X-Algolia-API-Key": "yesterday"}):
        answer = await sandbox.post(path, {}, headers=headers)
        assert answer.status == 403
        assert answer.json["status"] == 403


async def test_jane_finds_stores_within_metres(sandbox: Caller) -> None:
    at = f"{DENVER[0]},{DENVER[1]}"
    hits = (await search(sandbox, "stores", aroundLatLng=at, aroundRadius=15_000, hitsPerPage=1000))["hits"]
    assert hits
    assert all(distance_km(*DENVER, h["_geoloc"]["lat"], h["_geoloc"]["lng"]) <= 15 for h in hits)


async def test_jane_finds_one_store_by_its_id(sandbox: Caller) -> None:
    listing = large(sandbox, "jane")
    hits = (await search(sandbox, "stores", filters=f"objectID:{listing.id}"))["hits"]
    assert [h["objectID"] for h in hits] == [listing.id]


async def test_jane_gives_a_menu_in_one_page_or_in_several(sandbox: Caller) -> None:
    listing = large(sandbox, "jane")
    whole = await search(sandbox, "menu-products", filters=f"store_id:{listing.id}", hitsPerPage=1000, page=0)
    assert whole["nbHits"] == len(whole["hits"]) == listing.shop.menu_size
    assert whole["nbPages"] == 1
    part = await search(sandbox, "menu-products", filters=f"store_id:{listing.id}", hitsPerPage=50, page=1)
    assert [h["objectID"] for h in part["hits"]] == [h["objectID"] for h in whole["hits"][50:100]]


async def test_jane_filters_by_kind_and_by_its_absence(sandbox: Caller) -> None:
    store = f"store_id:{large(sandbox, 'jane').id}"
    flower = await search(sandbox, "menu-products", filters=f"{store} AND kind:flower", hitsPerPage=1000)
    rest = await search(sandbox, "menu-products", filters=f'{store} AND NOT kind:"flower"', hitsPerPage=1000)
    whole = await search(sandbox, "menu-products", params=f"filters={store}&hitsPerPage=1000&page=0")
    assert {h["kind"] for h in flower["hits"]} == {"flower"}
    assert flower["nbHits"] + rest["nbHits"] == whole["nbHits"]


async def test_jane_leaves_out_weights_that_are_sold_out(sandbox: Caller) -> None:
    whole = await search(sandbox, "menu-products", filters=f"store_id:{large(sandbox, 'jane').id}", hitsPerPage=1000)
    priced = [
        (set(h["available_weights"]), {k[6:].replace("_", " ") for k in h if k.startswith("price_")})
        for h in whole["hits"]
    ]
    assert all(weights == prices for weights, prices in priced)
    assert any(not weights for weights, _ in priced)


# Weedmaps


async def test_weedmaps_lists_shops_within_miles_in_both_versions(sandbox: Caller) -> None:
    params = {"filter[bounding_radius]": "25mi", "filter[bounding_latlng]": f"{DENVER[0]},{DENVER[1]}"}
    for version in ("v1", "v2"):
        answer = await sandbox.get(f"/weedmaps/{version}/listings", **params, page_size=150, page=1)
        listings = answer.json["data"]["listings"]
        assert answer.json["meta"]["total_listings"] == len(listings) > 20
        assert all(distance_km(*DENVER, x["latitude"], x["longitude"]) <= 25 * 1.609344 for x in listings)


async def test_weedmaps_pages_listings_from_1_and_ends_with_errors(sandbox: Caller) -> None:
    params = {"filter[bounding_radius]": "25mi", "filter[bounding_latlng]": f"{DENVER[0]},{DENVER[1]}"}
    first = await sandbox.get("/weedmaps/v2/listings", **params, page_size=10, page=1)
    second = await sandbox.get("/weedmaps/v2/listings", **params, page_size=10, page=2)
    past = await sandbox.get("/weedmaps/v2/listings", **params, page_size=10, page=90)
    ids = [x["id"] for a in (first, second) for x in a.json["data"]["listings"]]
    assert len(set(ids)) == 20
    assert "errors" in past.json


async def test_weedmaps_gives_a_listing_and_its_menu_by_slug_and_by_id(sandbox: Caller) -> None:
    listing = large(sandbox, "weedmaps")
    for name in (listing.id, listing.slug):
        one = await sandbox.get(f"/weedmaps/v1/listings/dispensaries/{name}")
        assert one.json["data"]["listing"]["id"] == int(listing.id)
        menu = await sandbox.get(f"/weedmaps/v1/listings/dispensaries/{name}/menu_items", page_size=100, page=1)
        assert menu.json["meta"] == {"page": 1, "per_page": 100, "total": listing.shop.menu_size}
        assert {i["relationships"]["listing"]["data"]["id"] for i in menu.json["data"]} == {int(listing.id)}
    assert (await sandbox.get("/weedmaps/v1/listings/dispensaries/nothing/menu_items")).status == 404


async def test_weedmaps_pages_a_menu_from_1_with_at_most_100_items(sandbox: Caller) -> None:
    listing = large(sandbox, "weedmaps")
    path = f"/weedmaps/v1/listings/dispensaries/{listing.slug}/menu_items"
    pages = [(await sandbox.get(path, page_size=500, page=n)).json["data"] for n in range(1, 6)]
    ids = [i["id"] for page in pages for i in page]
    assert len(ids) == len(set(ids)) == listing.shop.menu_size
    assert len(pages[0]) == 100


async def test_weedmaps_prices_stand_in_fixed_keys_and_in_variants_alike(sandbox: Caller) -> None:
    path = f"/weedmaps/v1/listings/dispensaries/{large(sandbox, 'weedmaps').slug}/menu_items"
    items = (await sandbox.get(path, page_size=100, page=1)).json["data"]
    eighths = [
        (i["attributes"]["prices"]["price_eighth"], v["price"]["amount"])
        for i in items
        for v in i["attributes"]["variants"]
        if v["label"] == "1/8 oz"
    ]
    assert eighths
    assert all(f"{number:.2f}" == text for number, text in eighths)


# Leafly


async def test_leafly_gives_a_menu_by_take_and_skip(sandbox: Caller) -> None:
    listing = large(sandbox, "leafly")
    path = f"/leafly/dispensaries/v2/{listing.slug}/menu_items"
    size = listing.shop.menu_size
    pages = [(await sandbox.get(path, take=100, skip=skip)).json for skip in range(0, size, 60)]
    ids = [i["id"] for page in pages for i in page["data"]]
    assert len(ids) == len(set(ids)) == size
    assert {page["metadata"]["totalCount"] for page in pages} == {size}
    assert (await sandbox.get(f"/leafly/dispensaries/v2/{listing.id}/menu_items", take=1)).status == 200
    assert (await sandbox.get("/leafly/dispensaries/v2/nothing/menu_items")).status == 404


async def test_leafly_finds_shops_by_page_and_only_for_its_build(sandbox: Caller) -> None:
    path = "/leafly/_next/data/sandbox/dispensaries/near-me.json"
    params: dict[str, object] = {"lat": DENVER[0], "lon": DENVER[1], "radius": 25, "limit": 10}
    pages = [(await sandbox.get(path, **params, page=n)).json for n in (1, 2)]
    found = [page["pageProps"]["storeLocatorResults"]["data"] for page in pages]
    assert len({s["id"] for data in found for s in data["organicStores"]}) == 20
    assert found[0]["totalCount"] == found[1]["totalCount"] >= 20
    assert (await sandbox.get(path.replace("sandbox", "other"), **params)).status == 404


async def test_leafly_describes_a_strain_and_does_not_know_all(sandbox: Caller) -> None:
    strain = (await sandbox.get("/leafly/strains/v1/blue-dream")).json
    assert (strain["slug"], strain["name"]) == ("blue-dream", "Blue Dream")
    assert max(strain["terps"], key=lambda t: strain["terps"][t]["score"]) == strain["topTerp"] == "myrcene"
    unknown = await sandbox.get("/leafly/strains/v1/nothing")
    assert (unknown.status, unknown.json["statusCode"]) == (404, 404)


# Connecticut


async def rows(sandbox: Caller, **params: object) -> Answer:
    return await sandbox.get("/socrata_ct/resource/egd5-wb6r.json", **{f"${k}": v for k, v in params.items()})


async def test_the_registry_finds_a_strain_in_brand_names(sandbox: Caller) -> None:
    found = (await rows(sandbox, where="upper(brand_name) like '%BLUE%DREAM%'", order=":id", limit=1000)).json
    assert len(found) >= 6
    assert all("BLUE DREAM" in r["brand_name"].upper() for r in found)
    assert all(isinstance(v, str | dict) for r in found for v in r.values())


async def test_the_registry_gives_one_product_by_number_and_pages_all(sandbox: Caller) -> None:
    whole = (await rows(sandbox, limit=50_000)).json
    parts = [(await rows(sandbox, order=":id", limit=100, offset=n)).json for n in range(0, len(whole), 100)]
    assert [r for part in parts for r in part] == whole
    number = whole[7]["registration_number"]
    assert (await rows(sandbox, where=f"registration_number='{number}'")).json == [whole[7]]
    both = f"registration_number='{number}' AND upper(brand_name) like 'NOTHING%'"
    assert (await rows(sandbox, where=both)).json == []


async def test_the_registry_refuses_what_it_cannot_parse(sandbox: Caller) -> None:
    for clause in ("brand_name ~ 'x'", "secret='1'", "brand_name='a' or brand_name='b'"):
        answer = await rows(sandbox, where=clause)
        assert answer.status == 400
        assert answer.json["error"] is True


async def test_the_registry_carries_validators_and_answers_304(sandbox: Caller) -> None:
    params = {"$where": "upper(brand_name) like '%GELATO%'"}
    path = "/socrata_ct/resource/egd5-wb6r.json"
    first = await sandbox.get(path, **params)
    assert first.headers["last-modified"].endswith("GMT")
    again = await sandbox.call("GET", path, params=params, headers={"If-None-Match": first.headers["etag"]})
    assert again.status == 304
