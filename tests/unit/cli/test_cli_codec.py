from __future__ import annotations

import asyncio
import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import brotli
import msgspec
import pytest

from command_lines import Run
from programs import needed
from record_strategies import filled
from sample_entries import menu, menu_entry, price_list
from weedhounds.cache.sql import SqliteTier
from weedhounds.cli.codec_files import recorded_folder
from weedhounds.clock import SystemClock
from weedhounds.codec import Compression, Format, decode, encode
from weedhounds.codec.calibrate import FILE
from weedhounds.errors import BadInput
from weedhounds.model.records import Brand, Menu


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """Return a file with the JSON of a menu of forty products."""
    file = tmp_path / "menu.json"
    file.write_bytes(msgspec.json.encode(menu("7", 40)))
    return file


def test_a_benchmark_is_one_document_of_every_format_and_compression(cli: Run, record: Path) -> None:
    ran = cli("codec", "bench", str(record), "--quick", "--json")
    assert (ran.code, ran.err) == (0, "")
    document: dict[str, Any] = json.loads(ran.out)
    assert [each["type"] for each in document["types"]] == ["menu", "product"]
    found = document["types"][0]
    there = {(row["format"], row["compression"]) for row in found["rows"]}
    told = {(each["format"], each["compression"]) for each in found["refused"]}
    assert {(f.value, c.value) for f in Format for c in Compression} <= there | told
    assert set(found["choices"]) == {"hot", "rest", "wire"}
    assert all(
        row["encode"]["low_per_s"] <= row["encode"]["per_s"] <= row["encode"]["high_per_s"] for row in found["rows"]
    )


def test_the_choice_shown_is_the_least_cost_of_the_rows_shown(cli: Run, record: Path) -> None:
    document = json.loads(cli("codec", "bench", str(record), "--quick", "--json", "--link-bytes-per-s", "1000").out)
    for each in document["types"]:
        costs = {
            (row["format"], row["compression"], row["level"]): row["bytes"] / 1000
            + 1 / row["encode"]["per_s"]
            + 1 / row["decode"]["per_s"]
            for row in each["rows"]
        }
        chosen = each["choices"]["wire"]
        least = min(costs.values())
        assert costs[chosen["format"], chosen["compression"], chosen["level"]] == pytest.approx(least, rel=1e-3)
        assert chosen["cost_us"] == pytest.approx(least * 1e6, rel=1e-3)


def test_the_choice_shown_follows_the_link(cli: Run, record: Path) -> None:
    def chosen(link: str) -> dict[str, Any]:
        document = json.loads(cli("codec", "bench", str(record), "--quick", "--json", "--link-bytes-per-s", link).out)
        found: dict[str, Any] = document["types"][0]["choices"]["wire"]
        return found

    assert chosen("1e12")["compression"] == "none"
    assert chosen("100")["compression"] != "none"


def test_a_person_sees_a_table_of_each_type_with_marks_and_choices(cli: Run, record: Path) -> None:
    ran = cli("codec", "bench", str(record), "--quick")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0].startswith("menu: 1 measured")
    assert lines[1].split()[:4] == ["format", "compression", "level", "bytes"]
    assert any(line.endswith("*") for line in lines)
    for use in ("hot", "rest", "wire"):
        assert sum(line.startswith(f"choice for {use}") for line in lines) == 2


def test_a_recorded_answer_is_measured_as_the_node_would_store_it(cli: Run, golden: Path) -> None:
    file = str(golden / "weedmaps" / "menu_edge_cases.json")
    document = json.loads(cli("codec", "bench", file, "--origin", "weedmaps", "--quick", "--json").out)
    assert {each["type"] for each in document["types"]} == {"menu", "price_list", "product", "price"}


def test_a_folder_is_measured_as_a_whole_and_files_without_records_are_passed_over(cli: Run, record: Path) -> None:
    (record.parent / "other.json").write_text("{}")
    (record.parent / "prices.json.gz").write_bytes(gzip.compress(msgspec.json.encode(price_list("7", 30))))
    document = json.loads(cli("codec", "bench", str(record.parent), "--quick", "--json").out)
    assert {each["type"] for each in document["types"]} == {"menu", "product", "price_list", "price"}


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((), "give files, or --recorded"),
        (("menu.json", "--recorded"), "give files, or --recorded"),
        (("no-such-file.json",), "cannot read no-such-file.json"),
        (("menu.json", "--origin", "nobody"), "unknown origin"),
        (("menu.json", "--link-bytes-per-s", "0"), "carries nothing"),
        (("menu.json", "--cpu-price", "-1"), "--cpu-price"),
        (("menu.json", "--currency", "usd"), "--currency"),
        (("empty.json",), "empty.json"),
    ],
)
def test_a_benchmark_that_cannot_be_is_bad_input(cli: Run, record: Path, arguments: tuple[str, ...], why: str) -> None:
    (record.parent / "empty.json").write_text("{}")
    ran = cli("codec", "bench", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert why in ran.err


def test_recorded_answers_are_found_beside_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shared" / "data").mkdir(parents=True)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    assert recorded_folder() == tmp_path / "shared" / "data"
    monkeypatch.setattr("weedhounds.__file__", str(tmp_path / "a" / "b" / "c" / "d" / "e" / "__init__.py"))
    monkeypatch.chdir("/")
    with pytest.raises(BadInput, match="name files or folders"):
        recorded_folder()


@pytest.mark.parametrize("format_", [each.value for each in Format])
def test_a_record_is_encoded_and_decoded_again(cli: Run, record: Path, tmp_path: Path, format_: str) -> None:
    target = tmp_path / "out.wh"
    ran = cli("codec", "encode", str(record), str(target), "--format", format_, "--compression", "zstd", "--json")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out) == {
        "type": "menu",
        "format": format_,
        "compression": "zstd",
        "level": None,
        "bytes": target.stat().st_size,
        "is_bare": False,
    }
    assert decode(target.read_bytes()) == menu("7", 40)
    shown = cli("codec", "decode", str(target), "--json")
    assert (shown.code, shown.err) == (0, "")
    assert msgspec.json.decode(shown.out, type=Menu) == menu("7", 40)


def test_a_decoded_envelope_is_described_and_shown_as_a_table(cli: Run, tmp_path: Path) -> None:
    file = tmp_path / "in.wh"
    file.write_bytes(encode(menu("7", 40), Format.JSON, Compression.BROTLI))
    lines = cli("codec", "decode", str(file)).out.splitlines()
    assert lines[0].startswith("envelope version 2: json+brotli, ")
    assert lines[1].split()[:2] == ["type", "name"]
    assert lines[-1] == "and 20 more"


def test_an_envelope_is_encoded_anew(cli: Run, tmp_path: Path) -> None:
    old, new = tmp_path / "old.wh", tmp_path / "new.wh"
    old.write_bytes(encode(menu("7", 40), Format.JSON, Compression.BROTLI))
    assert cli("codec", "encode", str(old), str(new)).code == 0
    assert decode(new.read_bytes()) == menu("7", 40)
    assert new.stat().st_size < old.stat().st_size


def test_a_format_is_chosen_by_measured_cost(cli: Run, record: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.wh"
    ran = cli("codec", "encode", str(record), str(target), "--use", "wire", "--data-dir", str(tmp_path / "d"), "--json")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["bytes"] == target.stat().st_size < record.stat().st_size / 5
    assert (tmp_path / "d" / FILE).is_file()


@pytest.mark.parametrize(
    ("compression", "tool"), [("gzip", "gzip"), ("brotli", "brotli"), ("zstd", "zstd"), ("lz4", "lz4")]
)
def test_a_bare_payload_is_read_by_the_standard_tool(
    cli: Run, record: Path, tmp_path: Path, compression: str, tool: str
) -> None:
    target = tmp_path / "out"
    arguments = ("--format", "json", "--compression", compression, "--bare")
    assert cli("codec", "encode", str(record), str(target), *arguments).code == 0
    shown = cli("codec", "decode", str(target), *arguments, "--json")
    assert msgspec.json.decode(shown.out, type=Menu) == menu("7", 40)
    needed(tool)
    ran = subprocess.run((tool, "-dc"), input=target.read_bytes(), capture_output=True, timeout=10, check=True)
    assert ran.stdout == record.read_bytes()


def test_one_record_of_several_is_chosen_by_its_type(cli: Run, golden: Path, tmp_path: Path) -> None:
    answer, target = str(golden / "weedmaps" / "menu_edge_cases.json"), tmp_path / "out.wh"
    ran = cli("codec", "encode", answer, str(target))
    assert ran.code == 2
    assert "choose with --type" in ran.err
    assert not target.exists()
    assert cli("codec", "encode", answer, str(target), "--type", "price_list").code == 0
    assert "price " in cli("codec", "decode", str(target)).out


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (("encode", "menu.json", "out", "--format", "yaml"), 2, "yaml"),
        (("encode", "menu.json", "out", "--compression", "zstd", "--level", "99"), 2, "levels"),
        (("encode", "menu.json", "out", "--use", "hot", "--level", "3"), 2, "--use"),
        (("encode", "menu.json", "out", "--format", "json", "--compression", "zstd-dict"), 2, "no dictionary"),
        (("encode", "menu.json", "out", "--compression", "zstd-dict", "--bare"), 2, "--bare"),
        (("encode", "menu.json", "no-such-folder/out"), 2, "cannot write"),
        (("encode", "absent.json", "out"), 2, "absent.json"),
        (("decode", "menu.json"), 1, "not an envelope"),
        (("decode", "absent.wh"), 1, "absent.wh"),
        (("decode", "menu.json", "--bare"), 2, "--format"),
        (("decode", "menu.json", "--format", "json"), 2, "--format"),
        (("decode", "menu.json", "--bare", "--format", "msgpack"), 1, "not a known record"),
        (("decode", "menu.json", "--bare", "--format", "json", "--compression", "gzip"), 1, "cannot decompress"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_what_cannot_be_done_is_one_line(
    cli: Run, record: Path, arguments: tuple[str, ...], code: int, why: str
) -> None:
    ran = cli("codec", *arguments)
    assert (ran.code, ran.out) == (code, "")
    assert why in ran.err
    assert ran.err.count("\n") == 1


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """Return a data folder with the menus of twenty shops."""

    async def fill() -> None:
        tier = SqliteTier(tmp_path / "node" / "weedhounds.sqlite3", clock=SystemClock())
        await tier.open()
        await tier.put_many([menu_entry(n, products=30, marker=f"Ridge {n % 5}") for n in range(20)])
        await tier.close()

    asyncio.run(fill())
    return tmp_path / "node"


def test_a_dictionary_is_trained_on_the_nodes_own_records_and_read_again(
    cli: Run, record: Path, data_dir: Path, tmp_path: Path
) -> None:
    ran = cli("codec", "train", "--data-dir", str(data_dir), "--json")
    assert (ran.code, ran.err) == (0, "")
    document = json.loads(ran.out)
    trained = {each["kind"]: each for each in document["trained"]}
    assert set(trained) == {"menu"}
    trained_menu = trained["menu"]
    assert trained_menu["is_kept"]
    assert trained_menu["after_bytes"] < trained_menu["before_bytes"]
    assert (trained_menu["origins"], trained_menu["share"]) == (["weedmaps"], "never")
    assert "price_list" in document["skipped"]
    assert trained_menu["id"] in next(iter((data_dir / "dictionaries").iterdir())).name

    target = tmp_path / "out.wh"
    assert cli("codec", "encode", str(record), str(target), "--data-dir", str(data_dir)).code == 0
    told = cli("codec", "decode", str(target), "--data-dir", str(data_dir)).out
    assert f"zstd-dict {trained_menu['id']}" in told
    elsewhere = cli("codec", "decode", str(target), "--data-dir", str(tmp_path / "other"))
    assert elsewhere.code == 1
    assert f"dictionary {trained_menu['id']} is not known here" in elsewhere.err


def test_a_dictionary_that_gains_nothing_is_not_kept(cli: Run, data_dir: Path) -> None:
    assert cli("codec", "train", "--data-dir", str(data_dir)).code == 0
    before = sorted(each.name for each in (data_dir / "dictionaries").iterdir())
    ran = cli("codec", "train", "--data-dir", str(data_dir), "--kind", "menu", "--size-bytes", "1500")
    assert "not kept" in ran.out
    assert sorted(each.name for each in (data_dir / "dictionaries").iterdir()) == before


def test_a_node_without_enough_records_trains_nothing(cli: Run, data_dir: Path, tmp_path: Path) -> None:
    ran = cli("codec", "train", "--data-dir", str(data_dir), "--kind", "shop")
    assert ran.code == 1
    assert "at least" in ran.out
    ran = cli("codec", "train", "--data-dir", str(tmp_path / "nobody"))
    assert ran.code == 2
    assert "no records of a node" in ran.err
    ran = cli("codec", "train", "--data-dir", str(data_dir), "--kind", "furniture")
    assert ran.code == 2
    assert "unknown kind" in ran.err


def test_a_format_whose_package_is_missing_is_told_and_the_rest_is_measured(
    cli: Run, record: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "lz4.frame", None)
    document = json.loads(cli("codec", "bench", str(record), "--quick", "--json").out)
    told = {each["compression"]: each["why"] for each in document["types"][0]["refused"]}
    assert "unavailable" in told["lz4"]
    assert "brotli" in {row["compression"] for row in document["types"][0]["rows"]}


def test_a_bare_payload_is_the_libraries_own(cli: Run, tmp_path: Path) -> None:
    source, target = tmp_path / "brand.json", tmp_path / "brand.br"
    source.write_bytes(msgspec.json.encode(filled(Brand)))
    cli("codec", "encode", str(source), str(target), "--format", "json", "--compression", "brotli", "--bare")
    assert brotli.decompress(target.read_bytes()) == source.read_bytes()
