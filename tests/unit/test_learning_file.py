"""The file in which the learner's state survives."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import structlog

from weedhounds.learning_file import LearnerFile
from weedhounds.ttl.learner import Learner
from weedhounds.ttl.strategy import Seen

SEEN = Seen(key="menu:1", dtype="dispensary_menu", source="shop", base_s=3_600.0, now=1_750_000_000.0)


def names_in(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]


async def taught(path: Path) -> None:
    file = LearnerFile(path, price=2.0)
    (await file.open())(SEEN)
    await file.close()


async def test_what_was_learnt_is_there_again_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "learner.whtl"
    await taught(path)
    file = LearnerFile(path, price=5.0)
    learner = await file.open()
    assert (list(learner.keys), learner.price) == (["menu:1"], 2.0)
    await file.close()
    assert names_in(path.parent) == ["learner.whtl"]


async def test_a_learner_that_knows_nothing_writes_no_file(tmp_path: Path) -> None:
    file = LearnerFile(tmp_path / "learner.whtl", price=2.0)
    assert (await file.open()).price == 2.0
    await file.close()
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("damage", [b"", b"no state", None])
async def test_a_file_that_cannot_be_used_is_said_and_replaced(tmp_path: Path, damage: bytes | None) -> None:
    path = tmp_path / "learner.whtl"
    await taught(path)
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]) if damage is None else damage)
    with structlog.testing.capture_logs() as logs:
        file = LearnerFile(path, price=2.0)
        learner = await file.open()
    assert not learner.keys
    assert [line["event"] for line in logs] == ["lifetimes are learnt afresh"]
    learner(SEEN)
    await file.close()
    assert path.read_bytes() == data


async def test_it_is_written_now_and_then_while_the_learner_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = LearnerFile(tmp_path / "learner.whtl", price=2.0, save_s=0.001)
    written, save = asyncio.Event(), file.save

    async def saved() -> None:
        await save()
        written.set()

    monkeypatch.setattr(file, "save", saved)
    (await file.open())(SEEN)
    async with asyncio.timeout(10):
        await written.wait()
    assert names_in(tmp_path) == ["learner.whtl"]
    await file.close()


async def test_a_folder_that_cannot_be_written_costs_a_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    file = LearnerFile(tmp_path / "file" / "learner.whtl", price=2.0)
    with structlog.testing.capture_logs() as logs:
        (await file.open())(SEEN)
        await file.close()
    assert logs[-1]["event"] == "what was learnt is not kept"


async def test_who_ends_after_another_has_written_leaves_the_other_s_file(tmp_path: Path) -> None:
    path = tmp_path / "learner.whtl"
    await taught(path)
    late = LearnerFile(path, price=2.0)
    (await late.open())(SEEN)
    other = Learner(9.0)
    other(SEEN)
    again = LearnerFile(path, price=9.0)
    await again.open()
    again.learner = other
    await again.save()
    await late.close()
    file = LearnerFile(path, price=1.0)
    assert (await file.open()).price == 9.0
    await file.close()
    await again.close()
