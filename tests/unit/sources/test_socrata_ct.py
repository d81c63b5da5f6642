"""Connecticut's brand register: the recorded rows against an independent reading, and odd values."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from weedhounds.errors import BadInput, OriginRejected, SchemaMismatch
from weedhounds.model.analytes import is_cannabinoid
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey, query_key
from weedhounds.model.provenance import ShareScope
from weedhounds.model.records import LabResult
from weedhounds.model.strains import strain_slug
from weedhounds.model.units import Reading
from weedhounds.sources.assemble import assemble
from weedhounds.sources.base import Kind, OriginConfig, Parsed, Source
from weedhounds.sources.socrata_ct import SocrataCtSource, registry_key

FILE = "brand_registry_egd5-wb6r_2025-04-03.json.gz"
OTHER_COLUMNS = frozenset(
    [
        "brand_name",
        "dosage_form",
        "producer",
        "product_image",
        "label_image",
        "lab_analysis",
        "approval_date",
        "registration_number",
        "market",
        "national_drug_code",
        "chemotype",
        "processing_technique",
        "solvents_used",
    ]
)


def source(keys: dict[str, str] | None = None, **options: str) -> SocrataCtSource:
    live = SocrataCtSource.info().live
    config = OriginConfig(
        origin="socrata_ct",
        base_url=live.base_url,
        budget=live.budget,
        terms=live.terms,
        keys=keys or {},
        options=options,
    )
    return SocrataCtSource(config)


def golden_answer(folder: Path, name: str = "rows.json") -> Parsed:
    return SocrataCtSource.parse((folder / "socrata_ct" / name).read_bytes(), Kind.LABS)


def readings(result: LabResult) -> dict[str, Reading]:
    return {r.analyte: r for r in (*result.cannabinoids, *result.terpenes)}


# --- recorded rows --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def rows() -> bytes:
    return gzip.decompress((Path(__file__).resolve().parents[4] / "shared" / "data" / "socrata-ct" / FILE).read_bytes())


@pytest.fixture(scope="module")
def register(rows: bytes) -> Parsed:
    return SocrataCtSource.parse(rows, Kind.LABS)


@pytest.mark.recorded
def test_every_recorded_row_is_a_result_and_only_37_values_cannot_be_read(register: Parsed) -> None:
    assert (register.seen, len(register.lab_results), len(register.skipped)) == (17_734, 17_734, 37)
    assert all("cannot be read" in s.why for s in register.skipped)
    assert any(s.where.endswith("MMBR.0017551 tetrahydrocannabinol_thc") for s in register.skipped)  # "8134"


@pytest.mark.recorded
def test_every_recorded_value_is_a_reading_a_note_or_states_nothing(rows: bytes, register: Parsed) -> None:
    noted = {tuple(s.where.split(" ")[1:]) for s in register.skipped}
    by_id = {r.id: r for r in register.lab_results}
    compared = 0
    for row in json.loads(rows):
        result = by_id[row["registration_number"]]
        values = {c: v for c, v in row.items() if c not in OTHER_COLUMNS}
        empty = sum(1 for v in values.values() if not v.strip("-. "))
        unread = sum(1 for c in values if (result.id, c) in noted)
        got = readings(result)
        assert len(got) == len(result.cannabinoids) + len(result.terpenes), result.id
        assert len(got) == len(values) - empty - unread, result.id
        for column, analyte in (("tetrahydrocannabinol_thc", "thc"), ("b_myrcene", "myrcene"), ("cbg", "cbg")):
            text = values.get(column, "").strip("%` ")
            if text.replace(".", "", 1).isdigit() and (result.id, column) not in noted:
                assert got[analyte] == Reading(analyte, float(text), "%")
                compared += 1
            elif text.startswith("<0"):
                assert (result.id, column) in noted or got[analyte] == Reading(analyte, None, "%", float(text[1:]))
    assert compared > 25_000


@pytest.mark.recorded
def test_a_recorded_flower_has_the_percentages_of_its_row(register: Parsed) -> None:
    result = next(r for r in register.lab_results if r.id == "MMBR.0024732")
    assert (result.product, result.strain) == ("Blue Dream Flower T16.22% S 00177", "Blue Dream")
    assert (result.form, result.approved_at) == ("Usable Marijuana", "2024-11-05")
    assert result.cannabinoids == (
        Reading("thc", 0.24, "%"),
        Reading("thca", 18.22, "%"),
        Reading("cbd", 0.0, "%"),
        Reading("cbda", 0.0, "%"),
    )
    assert result.report_url is not None
    assert result.report_url.startswith("https://elicense.ct.gov/")


@pytest.mark.recorded
def test_the_recorded_blue_dreams_are_known_by_their_slug(register: Parsed) -> None:
    named = [r for r in register.lab_results if "blue dream" in r.product.lower()]
    slugs = [strain_slug(r.strain or "") for r in named]
    assert len(named) == 36
    assert slugs.count("blue-dream") == 26
    assert all("blue-dream" in slug for slug in slugs)  # the other ten are crosses


@pytest.mark.recorded
def test_other_tables_of_the_state_are_schema_mismatches(recorded: Path) -> None:
    for path in sorted((recorded / "socrata-ct").glob("us_ct_*.json")):
        with pytest.raises(SchemaMismatch, match="no rows of the brand register"):
            SocrataCtSource.parse(path.read_bytes())


# --- hand-made rows -------------------------------------------------------------------------


def test_each_way_of_writing_a_value_is_read_as_what_it_means(golden: Path) -> None:
    got = readings(golden_answer(golden).lab_results[0])
    assert got == {
        "thc": Reading("thc", 0.805, "%"),
        "thca": Reading("thca", 24.1, "%"),
        "cbd": Reading("cbd", None, "%", 0.1),
        "cbda": Reading("cbda", 0.0, "%"),
        "cbg": Reading("cbg", 0.3, "%"),
        "cbga": Reading("cbga", None, "%"),
        "myrcene": Reading("myrcene", 0.45, "%"),
        "limonene": Reading("limonene", None, "%", 0.05),
        "linalool": Reading("linalool", 0.0, "%"),
        "humulene": Reading("humulene", 0.0, "%"),
        "pinene_alpha": Reading("pinene_alpha", 2.19, "%"),
        "nerolidol_cis": Reading("nerolidol_cis", 0.1, "%"),
        "nerolidol_trans": Reading("nerolidol_trans", 0.2, "%"),
    }


def test_cannabinoids_and_terpenes_are_kept_apart(golden: Path) -> None:
    result = golden_answer(golden).lab_results[0]
    assert all(is_cannabinoid(r.analyte) for r in result.cannabinoids)
    assert not any(is_cannabinoid(r.analyte) for r in result.terpenes)


def test_what_cannot_be_read_is_noted_and_the_row_is_kept(golden: Path) -> None:
    parsed = golden_answer(golden)
    odd = parsed.lab_results[1]
    assert readings(odd) == {"limonene": Reading("limonene", 0.2, "%")}
    assert (odd.approved_at, odd.report_url, odd.strain) == (None, None, None)
    notes = [s.where for s in parsed.skipped if "MMBR.9000002" in s.where]
    assert len(notes) == 8
    assert all(where.startswith("rows[1] MMBR.9000002 ") for where in notes)


def test_repeated_numbers_count_once_and_broken_rows_are_reported(golden: Path) -> None:
    parsed = golden_answer(golden)
    assert [r.id for r in parsed.lab_results] == ["MMBR.9000001", "MMBR.9000002"]
    assert [s.where for s in parsed.skipped if " " not in s.where] == ["rows[3]", "rows[4]", "rows[5]"]
    assert parsed.seen == 6
    assert (parsed.lab_results[0].strain, parsed.lab_results[0].market) == ("Example Haze", "Legacy")


def test_an_error_answer_is_a_refusal_and_html_is_told_as_blocked(golden: Path) -> None:
    with pytest.raises(OriginRejected, match="Invalid SoQL"):
        golden_answer(golden, "error.json")
    with pytest.raises(OriginRejected, match="blocked"):
        SocrataCtSource.parse(b"<html></html>")


@pytest.mark.parametrize("body", [b"", b"{}", b"[{", b"17", b"null", b'[{"a": "b"}]', b"[1, 2]"])
def test_anything_else_is_a_schema_mismatch(body: bytes) -> None:
    with pytest.raises(SchemaMismatch):
        SocrataCtSource.parse(body)


def test_no_rows_are_no_error() -> None:
    assert SocrataCtSource.parse(b"[]", Kind.LABS) == Parsed()


def test_rows_asked_as_another_kind_are_a_schema_mismatch(golden: Path) -> None:
    with pytest.raises(SchemaMismatch, match="kind labs"):
        SocrataCtSource.parse((golden / "socrata_ct" / "rows.json").read_bytes(), Kind.MENU)


# --- plans ----------------------------------------------------------------------------------


def test_the_source_follows_the_protocol_and_its_data_are_public() -> None:
    checked: Source = source()
    terms = checked.info().live.terms
    assert (terms.share, terms.attribution) == (ShareScope.PUBLIC, "State of Connecticut open data (data.ct.gov)")


def test_a_strain_is_asked_by_its_words_in_order(golden: Path) -> None:
    key = registry_key("blue-dream")
    assert RecordKey.parse(str(key)) == key
    (load,) = source().plan([key], {})
    (call,) = load.calls
    assert (load.what, call.kind, call.path) == ("labs", Kind.LABS, "/resource/egd5-wb6r.json")
    assert call.params == (
        ("$where", "upper(brand_name) like '%BLUE%DREAM%'"),
        ("$order", ":id"),
        ("$limit", "1000"),
        ("$offset", "0"),
    )
    assert set(assemble(load, [golden_answer(golden)])) == {key}


def test_a_registration_number_is_asked_quoted() -> None:
    key = RecordKey(DataType.LAB_RESULTS, "socrata_ct", "MMBR.0000143")
    assert dict(source().plan([key], {})[0].calls[0].params)["$where"] == "registration_number='MMBR.0000143'"
    key = RecordKey(DataType.LAB_RESULTS, "socrata_ct", "x' or '1'='1")
    where = dict(source().plan([key], {})[0].calls[0].params)["$where"]
    assert where == "registration_number='x'' or ''1''=''1'"


def test_a_full_page_shows_the_next_and_a_short_one_ends() -> None:
    (load,) = source(page_size="50").plan([registry_key("gelato")], {})
    (call,) = source(page_size="50").follow(load.calls[0], Parsed(seen=50))
    assert (dict(call.params)["$offset"], dict(call.params)["$limit"], call.page) == ("50", "50", 1)
    (third,) = source(page_size="50").follow(call, Parsed(seen=50))
    assert dict(third.params)["$offset"] == "100"
    assert source(page_size="50").follow(call, Parsed(seen=49)) == []


def test_an_app_token_goes_into_a_header_where_there_is_one() -> None:
    with_token = source(keys={"app_token": "t0ken"}).plan([registry_key("gelato")], {})[0].calls[0]
    assert ("x-app-token", "t0ken") in with_token.headers
    without = source().plan([registry_key("gelato")], {})[0].calls[0]
    assert all(name != "x-app-token" for name, _ in without.headers)


@pytest.mark.parametrize("slug", ["", "Blue Dream", "blue--dream", "-x", "x'%"])
def test_what_is_no_slug_gives_no_key(slug: str) -> None:
    with pytest.raises(BadInput, match="not a strain's slug"):
        registry_key(slug)
    with pytest.raises(BadInput, match="not a strain's slug"):
        source().plan([RecordKey(DataType.LAB_RESULTS, "socrata_ct", f"strain/{slug}")], {})


def test_keys_that_the_register_cannot_answer_are_bad_input() -> None:
    with pytest.raises(BadInput, match="not a search"):
        source().plan([query_key(DataType.LAB_RESULTS, "socrata_ct", strain="x")], {})
    with pytest.raises(BadInput, match="has no dispensary_menu"):
        source().plan([RecordKey(DataType.DISPENSARY_MENU, "socrata_ct", "1")], {})
