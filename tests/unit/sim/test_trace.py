from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from weedhounds.errors import BadInput
from weedhounds.model.datatypes import DataType
from weedhounds.sim.trace import Item, Outage, Trace, item_of_name, read_trace

ITEMS = "key,dtype,source,tz,weight\na,dispensary_menu,shop,-18000.0,2\nb,lab_results,shop,-18000,\n"


class Files:
    """The files of a trace, written where a test may read them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.write("changes.csv", "key,t\na,50\n")
        self.write("requests.csv", "key,t\na,10\na,60\nb,20\n")
        self.write("items.csv", ITEMS)

    def write(self, name: str, text: str | bytes) -> None:
        (self.folder / name).write_bytes(text.encode() if isinstance(text, str) else text)

    def read(self, *, has_items: bool = True, outages: str | None = None) -> Trace:
        items = self.folder / "items.csv" if has_items else None
        broken = self.folder / outages if outages else None
        return read_trace(self.folder / "changes.csv", self.folder / "requests.csv", items, outages=broken)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def test_a_trace_is_read_with_its_items(files: Files) -> None:
    trace = files.read()
    assert trace.items == (
        Item("a", DataType.DISPENSARY_MENU, "shop", -18000.0, 2.0),
        Item("b", DataType.LAB_RESULTS, "shop", -18000.0, 1.0),
    )
    assert trace.changes == [[50.0], []]
    assert (trace.request_times, trace.request_keys) == ([10.0, 20.0, 60.0], [0, 1, 0])
    assert trace.notes.told() == []


def test_a_packed_file_is_read_whatever_its_name(files: Files) -> None:
    files.write("changes.csv", gzip.compress(b"key,t\na,50\n"))
    assert files.read().changes == [[50.0], []]


def test_rows_out_of_order_are_sorted_and_repeats_dropped_and_both_are_counted(files: Files) -> None:
    files.write("changes.csv", "key,t\na,70\na,50\na,50\nb,5\n")
    files.write("requests.csv", "key,t\na,60\na,10\nb,20\na,60\nb,20\n")
    trace = files.read()
    assert trace.changes == [[50.0, 70.0], [5.0]]
    assert trace.request_times == [10.0, 20.0, 60.0]
    assert trace.notes.unsorted_changes == 1
    assert trace.notes.unsorted_requests == 1
    assert (trace.notes.duplicate_changes, trace.notes.duplicate_requests) == (1, 2)
    assert len(trace.notes.told()) == 4


def test_columns_may_stand_in_any_order_beside_others_and_blank_lines_are_passed_over(files: Files) -> None:
    files.write("changes.csv", "\ufeffnote, T ,key\nx,50,a\n\n")
    assert files.read().changes == [[50.0], []]


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("changes.csv", "key,time\na,1\n", "changes.csv: line 1: no column t"),
        ("changes.csv", "", "changes.csv: line 1: no column key, t"),
        ("changes.csv", "key,t\na,1\na,soon\n", "changes.csv: line 3: expected key,t, found 'a,soon'"),
        ("requests.csv", "key,t\na\n", "requests.csv: line 2: expected key,t, found 'a'"),
        ("requests.csv", "key,t\na,nan\n", "requests.csv: line 2: nan is no time in Unix seconds"),
        ("requests.csv", "key,t\na,1736121983047\n", "requests.csv: line 2: 1736121983047.0 is no time"),
        ("requests.csv", "key,t\n", "requests.csv: no requests: nothing to judge"),
        ("items.csv", "key,dtype,source\n", "items.csv: line 1: no column tz"),
        ("items.csv", "key,dtype,source,tz\na,menu,s,0\n", "items.csv: line 2: 'menu' is not a valid DataType"),
        ("items.csv", "key,dtype,source,tz\na,lab_results,s\n", "items.csv: line 2: expected 4 cells, found 3"),
        ("items.csv", "key,dtype,source,tz\na,lab_results,s,x\n", "items.csv: line 2: could not convert"),
        ("items.csv", "key,dtype,source,tz\na,lab_results,s,1e9\n", "items.csv: line 2: 1000000000.0 is no offset"),
        ("items.csv", ITEMS + "a,lab_results,s,0,1\n", "items.csv: line 4: the key 'a' stands there twice"),
        ("items.csv", "key,dtype,source,tz,weight\na,lab_results,s,0,-1\n", "items.csv: line 2: -1.0 is no weight"),
        ("items.csv", "key,dtype,source,tz,weight\na,lab_results,s,0,inf\n", "items.csv: line 2: inf is no weight"),
        ("changes.csv", b"\x1f\x8b\x08\x00garbage", "cannot read"),
        ("changes.csv", gzip.compress(b"key,t\n" + b"a,50\n" * 99)[:-9], "cannot read"),
        ("changes.csv", 'key,t\n"' + "x" * 200_000 + '",1\n', "changes.csv: line 2: field larger than field limit"),
    ],
)
def test_bad_input_is_refused_with_its_line(files: Files, name: str, text: str | bytes, told: str) -> None:
    files.write(name, text)
    with pytest.raises(BadInput) as refused:
        files.read()
    assert told in str(refused.value)


def test_a_file_that_is_not_there_is_named(files: Files) -> None:
    (files.folder / "changes.csv").unlink()
    with pytest.raises(BadInput, match=r"cannot read .*changes\.csv: No such file"):
        files.read()


def test_without_items_type_and_source_come_from_the_key(files: Files) -> None:
    files.write("requests.csv", "key,t\nmenu:3,10\nproduct_pricing:leafly:7,11\nodd,12\n")
    files.write("changes.csv", "key,t\n")
    trace = files.read(has_items=False)
    assert [(item.dtype.value, item.source) for item in trace.items] == [
        ("dispensary_menu", "3"),
        ("product_pricing", "leafly:7"),
        ("dispensary_menu", "unknown"),
    ]
    assert trace.notes.told() == ["3 keys have no item: their type was taken from their name"]


@pytest.mark.parametrize(
    ("key", "dtype"),
    [
        ("promo:1", "promotions"),
        ("stats:1", "analytics_data"),
        ("price:1:2", "product_pricing"),
        ("info:1:0", "dispensary_info"),
        ("lab:1:2", "lab_results"),
        ("strain:4", "strain_data"),
        ("terpen:4", "terpene_profiles"),
        ("", "dispensary_menu"),
    ],
)
def test_the_keys_of_the_simulated_worlds_tell_their_type(key: str, dtype: str) -> None:
    assert item_of_name(key).dtype.value == dtype


def test_outages_are_read_and_belong_to_their_source(files: Files) -> None:
    files.write("outages.csv", "source,since,until\nshop,5,15\nshop,1,2\n")
    assert files.read(outages="outages.csv").outages == {"shop": [Outage("shop", 1.0, 2.0), Outage("shop", 5.0, 15.0)]}
    files.write("outages.csv", "source,since,until\nshop,15,5\n")
    with pytest.raises(BadInput, match="line 2: an outage needs since <= until"):
        files.read(outages="outages.csv")
    files.write("outages.csv", "source,since,until\nshop,15\n")
    with pytest.raises(BadInput, match="line 2: expected source,since,until"):
        files.read(outages="outages.csv")


def test_a_trace_begins_at_the_midnight_before_its_first_event() -> None:
    item = Item("a", DataType.DISPENSARY_MENU, "shop")
    assert Trace([item], {}, {"a": [86_400.0 * 3 + 7.0]}).start == 86_400.0 * 3
    assert Trace([item], {"a": [-1.0]}, {"a": [7.0]}).start == -86_400.0


def test_a_key_without_an_item_is_refused() -> None:
    with pytest.raises(BadInput, match="no item of key 'b'"):
        Trace([Item("a", DataType.DISPENSARY_MENU, "shop")], {"b": [1.0]}, {"a": [1.0]})
