"""``docs/whb.md`` is enough to write a reader: here is one, of nothing but MessagePack, zstd and CRC-32."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Sequence
from decimal import Decimal
from itertools import accumulate
from pathlib import Path
from typing import Any

import blake3
import msgspec
import pytest
import zstandard

from golden_codec_records import RECORDS, SINGLES
from weedhounds.codec import Encodable, evolve
from weedhounds.codec.base import COMPRESSION_NUMBERS, FORMAT_NUMBERS

ROOT = Path(__file__).resolve().parents[3]
SPEC = (ROOT / "docs" / "whb.md").read_text()
DICTIONARIES = ROOT / "src" / "weedhounds" / "codec" / "dictionaries"
ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
Tree = Any


def payload_of(data: bytes) -> bytes:
    """Open an envelope of version 2 that is plain or has a dictionary."""
    assert data[:3] == b"wh\x02"
    assert zlib.crc32(data) == 0x2144DF1C
    compression = data[3] & 15
    if compression == 0:
        (length,) = struct.unpack_from("<I", data, 4)
        assert len(data) == 8 + length + 4
        return data[8:-4]
    assert compression == 2
    length = {
        0xA0: struct.unpack_from("<I", data, 9)[0],
        0x60: struct.unpack_from("<H", data, 9)[0] + 256,
        0x20: data[9],
    }[data[8]]
    assert data[8] == 0xA0 or data[3] >> 4 == 8
    for path in DICTIONARIES.glob("*.whd"):
        what, version, *_, dictionary_id, content = msgspec.msgpack.decode(path.read_bytes())
        assert (what, version) == ("weedhounds dictionary", 1)
        if dictionary_id == data[4:8] == blake3.blake3(content).digest(4):
            reader = zstandard.ZstdDecompressor(dict_data=zstandard.ZstdCompressionDict(content))
            payload = reader.decompress(ZSTD_MAGIC + data[8:-4])
            assert len(payload) == length
            return payload
    raise AssertionError("no such dictionary")


def num(n: Any) -> Any:
    if n is None or isinstance(n, float):
        return n
    return n / 100 if n >= 0 else -n / 10_000


def time(n: Any) -> Any:
    if n is None or isinstance(n, float):
        return n
    return float(n) if n >= 0 else -n / 1000


def degrees(n: Any) -> Any:
    return n / 10_000_000 if isinstance(n, int) else n


def native_id(packed: Any) -> Any:
    return packed[0].hex() if isinstance(packed, list) else None if packed is None else str(packed)


def money(cash: Any, currency: str | None) -> Tree:
    amount = str(Decimal(cash).scaleb(-2)) if isinstance(cash, int) else cash
    return {"amount": amount, "currency": "USD" if currency is None else currency}


def amount(text: str | None) -> Tree:
    if text is None:
        return None
    number, count, unit = text.split(" ", 2)
    return {"amount": num(float(number) if "." in number else int(number)), "unit": unit, "count": int(count)}


def base(name: str | None) -> str:
    plain = "".join(c for c in name or "" if c.isascii() and c != "'")
    return "-".join(re.findall("[a-z0-9]+", plain.lower()))


def slug(packed: Any, name: str, brand: str | None = None, brand_mark: str = "\1") -> Any:
    if packed is None or isinstance(packed, list):
        return packed and packed[0]
    return packed.replace("\0", base(name), 1).replace(brand_mark, base(brand), 1)


def analytes_of(packed: Any) -> list[list[Any]]:
    if isinstance(packed, list):
        return packed
    return [[*each.split("\0"), None][:3] for each in packed.split("\n")]


def content(numbers: Sequence[Any], analytes: Any) -> Tree:
    if analytes is None:
        return {}
    names = analytes_of(analytes)
    each = len(numbers) // len(names)
    return {
        name: {"low": num(numbers[each * n]), "high": num(numbers[each * n + each - 1]), "unit": unit, "basis": basis}
        for n, (name, unit, basis) in enumerate(names)
    }


def readings(row: Any) -> Tree:
    if row is None:
        return []
    analytes, unit, values, limit, full = row
    names = analytes.split("\n") if isinstance(analytes, str) else analytes
    units = [unit] * len(names) if isinstance(unit, str) else unit
    if full is None:
        scale, *whole = values
        full = [[n / scale if n >= 0 else None, num(limit) if n == -1 else None] for n in whole]
    else:
        full = [[num(value), num(below)] for value, below in full]
    return [
        {"analyte": a, "value": value, "unit": u, "below": below}
        for a, u, (value, below) in zip(names, units, full, strict=True)
    ]


def lab(row: Any) -> Tree:
    return row and dict(zip(("laboratory", "tested_at", "batch", "report_url"), row, strict=True))


def fields(kind: str, row: Sequence[Any], origin: str | None) -> dict[str, Any]:
    """Return a row's elements by the names that the specification gives, and nil for those it lacks."""
    (line,) = re.findall(rf"^\| {kind} \| {row[0]} \| (.*) \|$", SPEC, re.MULTILINE)
    names = [re.sub(r" \(.*", "", name) for name in re.split(r", (?![^(]*\))", line)]
    found = dict(zip(names, [*row[1:], *[None] * len(names)], strict=False))
    if "origin" in found and found["origin"] is None:
        found["origin"] = origin
    return found


def shop(row: Any, origin: str | None = None) -> Tree:
    f = fields("shop", row, origin)
    own = native_id(f["id"])
    hours = f["hours"] or []
    f |= {
        "type": "shop",
        "id": own,
        "slug": slug(f["slug"], f["name"]),
        "lat": degrees(f["lat"]),
        "lon": degrees(f["lon"]),
        "key": f["key"] or f"dispensary_info:{f['origin']}:{own}",
        "hours": [dict(zip(("weekday", "open_min", "close_min"), hours[n : n + 3], strict=True)) for n in range(0, len(hours), 3)],
    }  # fmt: skip
    return f


def product(row: Any, origin: str | None = None) -> Tree:
    f = fields("product", row, origin)
    f |= {
        "type": "product",
        "id": native_id(f["id"]),
        "slug": slug(f["slug"], f["name"], f["brand"]),
        "updated_at": time(f["updated_at"]),
        "potency": content(f["potency"], f.pop("analytes")),
        "terpenes": readings(f["terpenes"]),
        "lab": lab(f["lab"]),
        "potency_by_variant": {label: content(n, a) for label, a, n in f["potency_by_variant"]},
    }
    return f


def prices(f: dict[str, Any]) -> dict[str, Any]:
    currency, list_currency = f.pop("currency"), f.pop("list_currency")
    regular = f["price"] if f["list_price"] is None else f["list_price"]
    return {
        "price": money(f["price"], currency),
        "list_price": money(regular, currency if list_currency is None else list_currency),
        "variant": amount(f["variant"]),
        "quantity": num(f["quantity"]),
        "product_id": native_id(f["product_id"]),
    }


def price(row: Any, origin: str | None = None) -> Tree:
    f = fields("price", row, origin)
    return {**f, **prices(f), "type": "price"} | {"currency": None, "list_currency": None}


def promotion(row: Any, origin: str | None = None) -> Tree:
    f = fields("promotion", row, origin)
    f |= {name: f[name] and money(*f[name]) for name in ("amount_off", "target_price")}
    return f | {"type": "promotion", "percent_off": num(f["percent_off"])}


def strain(row: Any, origin: str | None = None) -> Tree:
    f = fields("strain", row, origin)
    names, numbers = f["effects"] or ([], [])
    return f | {
        "type": "strain",
        "slug": slug(f["slug"], f["name"]),
        "potency": content(f["potency"], f.pop("analytes")),
        "terpenes": readings(f["terpenes"]),
        "effects": dict(zip(names, map(num, numbers), strict=True)),
    }


def lab_result(row: Any, origin: str | None = None) -> Tree:
    f = fields("lab_result", row, origin)
    url = f["report_url"]
    if isinstance(url, list):
        h = url[1].hex().upper()
        url = f"{url[0]}{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"
    return f | {
        "type": "lab_result",
        "strain": f["product"] if f["strain"] is True else f["strain"],
        "report_url": url,
        "cannabinoids": readings(f["cannabinoids"]),
        "terpenes": readings(f["terpenes"]),
    }


def brand(row: Any, origin: str | None = None) -> Tree:
    f = fields("brand", row, origin)
    return f | {"type": "brand", "slug": slug(f["slug"], f["name"])}


def offer(row: Any, origin: str | None = None) -> Tree:
    f = fields("offer", row, origin)
    own, shop_origin, more = native_id(f.pop("shop_id")), f.pop("shop_origin"), f["shop"]
    key, name, address, lat, lon = more or [None] * 5
    f["shop"] = own and {
        "key": key or f"dispensary_info:{shop_origin}:{own}",
        "id": own,
        "name": name,
        "address": address,
        "lat": degrees(lat),
        "lon": degrees(lon),
    }
    f |= prices(f)
    return f | {
        "type": "offer",
        "potency": content(f["potency"], f.pop("analytes")),
        "terpenes": readings(f["terpenes"]),
        "lab": lab(f["lab"]),
    }


def product_2(row: Any) -> Tree:
    f = fields("product", row, None)
    return f | {"type": "product", "slug": slug(f["slug"], f["name"], f["brand"])}


def lab_result_2(row: Any) -> Tree:
    return fields("lab_result", row, None) | {"type": "lab_result"}


def offer_2(row: Any) -> Tree:
    f = fields("offer", row, None)
    at = f["shop"]
    if isinstance(at, list):
        at = {"key": f"dispensary_info:{at[1]}:{native_id(at[0])}", "id": native_id(at[0])}
    regular = f["price"] if f["list_price"] is None else f["list_price"]
    return f | {"type": "offer", "shop": at, "list_price": regular}


ROWS_2 = {34: product_2, 38: lab_result_2, 40: offer_2}
ROWS = {1: shop, 2: product, 3: price, 4: promotion, 5: strain, 6: lab_result, 7: brand, 8: offer}
LISTS = {17: ("shop_list", "shops"), 20: ("promotion_list", "promotions"), 21: ("strain_list", "strains"),
         22: ("lab_result_list", "results"), 23: ("menu", "products"), 24: ("price_list", "prices")}  # fmt: skip


def planes(data: bytes, count: int) -> list[int]:
    width = len(data) // count if count else 1
    return [sum(data[plane * count + n] << 8 * plane for plane in range(width)) for n in range(count)]


def coded(column: Any, count: int) -> list[Any]:
    table, indexes = column
    return [table[n] for n in planes(indexes, count)] if indexes else table * count


def list_fields(kind: str, row: Sequence[Any]) -> dict[str, Any]:
    (line,) = re.findall(rf"^\| {kind} \| (origin, shop_id, (?:id|product_id), .*) \|$", SPEC, re.MULTILINE)
    names = [re.sub(r" \(.*", "", name) for name in re.split(r", (?![^(]*\))", line)]
    return dict(zip(names, [*row[1:], *[None] * len(names)], strict=False))


def menu(row: Any) -> Tree:
    f = list_fields("menu", row)
    found = []
    for n in range(len(f["id"])):
        own = {name: f[name][n] for name in ("id", "name", "image_url", "updated_at", "brand", "category",
               "category_name", "subcategory", "strain", "strain_type", "potency")}  # fmt: skip
        for name, default in (("potency_by_variant", {}), ("terpenes", []), ("lab", None)):
            own[name] = f[name][n] if f[name] else default
        packed = f["slug"][n]
        own |= {
            "type": "product",
            "origin": f["origins"][n] if f["origins"] else f["origin"],
            "slug": packed if f["is_slug_whole"] else slug(packed, own["name"], own["brand"]),
        }
        found.append(own)
    return {"type": "menu", "origin": f["origin"], "shop_id": f["shop_id"], "products": found}


def price_list(row: Any) -> Tree:
    f = list_fields("price_list", row)
    count = len(f["product_id"])
    variants = coded((f["variant"][0], f["variant"][1] or f["variant_label"][1]), count)
    currencies = coded(f["currency"], count) if f["currency"] else ["USD"] * count
    regular = f["list_price"] or f["price"]
    list_currencies = coded(f["list_currency"], count) if f["list_currency"] else currencies
    found = [
        {
            "type": "price",
            "product_id": f["product_id"][n],
            "price": {"amount": f["price"][n], "currency": currencies[n]},
            "list_price": {"amount": regular[n], "currency": list_currencies[n]},
            "variant_label": coded(f["variant_label"], count)[n],
            "variant": variants[n],
            "market": coded(f["market"], count)[n],
            "in_stock": coded(f["in_stock"], count)[n],
            "quantity": f["quantity"][n] if f["quantity"] else None,
            "promotions": coded(f["promotions"], count)[n] if f["promotions"] else [],
        }
        for n in range(count)
    ]
    return {"type": "price_list", "origin": f["origin"], "shop_id": f["shop_id"], "prices": found}


def folded(n: int) -> int:
    return n >> 1 if n % 2 == 0 else -(n + 1) // 2


def column(block: bytes, count: int, uuids: list[bytes] | None = None) -> list[Any]:
    """Read one column of a block; UUIDs are taken from the front of the list."""
    kind, data = block[:1], block[1:]
    if kind == b"L":
        return list(msgspec.msgpack.decode(data))
    if kind == b"P":
        return planes(data, count)
    if kind == b"S":
        return list(map(folded, planes(data, count)))
    if kind == b"D":
        return list(map(str, accumulate(map(folded, planes(data, count)))))
    if kind == b"A":
        width, start = data[0], data[2 : 2 + data[1]].decode()
        numbers = accumulate(map(folded, planes(data[2 + data[1] :], count)))
        return [f"{start}{number:0{width}}" for number in numbers]
    if kind == b"H":
        size = len(data) // count
        return [data[n * size : (n + 1) * size].hex() for n in range(count)]
    if kind in (b"M", b"W"):
        return column(data, count, uuids)
    assert kind == b"T"
    text = ""
    for char in data.decode():
        if char in "\3\4\5":
            assert uuids is not None
            h = uuids.pop(0).hex()
            uuid = f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"
            text += {"\3": uuid, "\4": uuid.upper(), "\5": h}[char]
        else:
            text += char
    return [None if each == "\1" else each for each in text.split("\n")]


def head_and_blocks(data: bytes) -> tuple[list[Any], list[bytes]]:
    end = 5 + int.from_bytes(data[1:5], "little")
    head = msgspec.msgpack.decode(data[5:end])
    lengths = head[4]
    starts = list(accumulate(lengths, initial=end))
    assert starts[-1] == len(data)
    return head, [data[start : start + length] for start, length in zip(starts, lengths, strict=False)]


def menu_columns(data: bytes) -> Tree:
    (
        (_, origin, shop_id, count, _, brand_, group, strain_, told, analyte, highs, origins, varied, terpenes, labs),
        blocks,
    ) = head_and_blocks(data)
    uuids = [blocks[3][n : n + 16] for n in range(0, len(blocks[3]), 16)]
    names, slugs = column(blocks[0], count), column(blocks[1], count, uuids)
    images, ids, times = column(blocks[2], count, uuids), column(blocks[4], count), column(blocks[5], count)
    brands, groups, strains = coded(brand_, count), coded(group, count), coded(strain_, count)
    counts = planes(told, count) if told else [0] * count
    lows = column(blocks[6], sum(counts))
    analytes = coded(analyte, sum(counts)) if lows else []
    at = list(accumulate(counts, initial=0))
    found = []
    for n in range(count):
        category, category_name, subcategory, strain_type = groups[n]
        found.append(
            {
                "type": "product",
                "id": ids[n],
                "name": names[n],
                "origin": coded(origins, count)[n] if origins else origin,
                "brand": brands[n],
                "category": category,
                "category_name": category_name,
                "subcategory": subcategory,
                "strain": strains[n],
                "strain_type": strain_type,
                "potency": {
                    analytes[k][0]: {
                        "low": num(lows[k]),
                        "high": num((highs or lows)[k]),
                        "unit": analytes[k][1],
                        "basis": analytes[k][2],
                    }
                    for k in range(at[n], at[n + 1])
                },
                "potency_by_variant": varied[n] if varied else {},
                "terpenes": terpenes[n] if terpenes else [],
                "lab": labs[n] if labs else None,
                "slug": slugs[n] if blocks[1][:1] == b"W" else slug(slugs[n], names[n], brands[n], "\2"),
                "image_url": images[n],
                "updated_at": time(times[n]),
            }
        )
    return {"type": "menu", "origin": origin, "shop_id": shop_id, "products": found}


def read(data: bytes) -> Tree:
    payload = payload_of(data)
    if payload[:1] == b"\xc1":
        return menu_columns(payload)
    row = msgspec.msgpack.decode(payload)
    if row[0] == 18:
        return menu(row)
    if row[0] == 19:
        return price_list(row)
    if row[0] in ROWS_2:
        return ROWS_2[row[0]](row)
    if row[0] in ROWS:
        return ROWS[row[0]](row)
    kind, items = LISTS[row[0]]
    one = next(reader for reader in ROWS.values() if kind.startswith(reader.__name__))
    body = {"type": kind, "origin": row[1], items: [one(each, row[1]) for each in row[-1]]}
    return body | ({"cell": row[2]} if kind == "shop_list" else {"shop_id": row[2]} if kind == "promotion_list" else {})


def dense(value: Any) -> Any:
    """Return a tree without what is missing or empty, which rows and JSON tell in different ways."""
    if isinstance(value, dict):
        return {key: dense(each) for key, each in value.items() if each not in (None, [], {}, ())}
    return [dense(each) for each in value] if isinstance(value, list | tuple) else value


ALL: dict[str, Encodable] = {**RECORDS, **SINGLES}


@pytest.mark.parametrize("name", [f"row-{name}" for name in ALL] + ["column-menu", "row-dictionary-menu",
                         "row-dictionary-price_list", "row-dictionary-shop_list", "column-dictionary-menu",
                         *(f"row2-{dictionary}{name}" for dictionary in ("", "dictionary-") for name in
                           ("product", "offer", "lab_result"))])  # fmt: skip
def test_a_reader_made_from_the_specification_reads_the_same_record(golden: Path, name: str) -> None:
    record = ALL[name.split("-")[-1]]
    assert dense(read((golden / "codec" / f"v2-{name}.bin").read_bytes())) == dense(msgspec.to_builtins(record))


def test_a_patch_is_a_frame_with_the_rows_of_the_base_as_prefix(golden: Path) -> None:
    data = (golden / "codec" / "v2-patch-menu.bin").read_bytes()
    assert data[3] == 6 << 4 | 7
    body = RECORDS["menu"]
    from weedhounds.codec.whb_row import encode_by_row  # the writer of the base is ours: a reader holds its bytes

    base_rows = encode_by_row(msgspec.structs.replace(body, products=body.products[2:]))  # type: ignore[union-attr]
    assert blake3.blake3(base_rows).digest(8) == data[4:12]
    prefix = zstandard.ZstdCompressionDict(base_rows, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    rows = zstandard.ZstdDecompressor(dict_data=prefix).decompress(ZSTD_MAGIC + data[12:-4])
    number, origin, shop_id, products = msgspec.msgpack.decode(rows)
    assert number == 23
    found = {"type": "menu", "origin": origin, "shop_id": shop_id, "products": [product(p, origin) for p in products]}
    assert dense(found) == dense(msgspec.to_builtins(body))


def test_the_specification_lists_the_fields_of_every_row_and_head() -> None:
    said = {
        (int(number), tuple(re.sub(r" \(.*", "", name) for name in re.split(r", (?![^(]*\))", names)))
        for number, names in re.findall(r"^\| [a-z_, ]+ \|? ?\(?(\d+)\)? \| ([^|]*?) \|", SPEC, re.MULTILINE)
        if names != "see below"
    }
    said |= {
        (18 if kind == "menu" else 19, tuple(re.sub(r" \(.*", "", name) for name in re.split(r", (?![^(]*\))", names)))
        for kind, names in re.findall(r"^\| (menu|price_list) \| (origin, [^|]*) \|$", SPEC, re.MULTILINE)
    }
    released = {(number, tuple(names.split())) for number, names in evolve.RELEASED.values()}
    assert released <= said, released - said


def test_the_specification_tells_the_numbers_of_formats_and_compressions() -> None:
    for name, number in [*FORMAT_NUMBERS.items(), *COMPRESSION_NUMBERS.items()]:
        word = {"msgpack": "MessagePack", "protobuf": "Protocol Buffers", "arrow": "Arrow", "whb-row": "`whb` row",
                "whb-column": "`whb` column", "zstd-dict": "zstd with a trained dictionary", "lz4": "lz4 frame",
                "json": "and 3 JSON", "orjson": "JSON"}.get(name, name)  # fmt: skip
        assert re.search(rf"\b{number} {re.escape(word)}", SPEC), name
