"""A node in a process of its own that is told on stdin what to ask itself; run by a benchmark and by a test.

``python sql_asker.py SANDBOX_URL DATABASE_URL DATA_DIR``; one JSON document a line each way:
``{"shops": "Denver, CO"}`` answers the menu keys around there, ``{"get": KEY, "times": N}`` asks for one
key N times at once. Ends with stdin.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

from weedhounds import Node
from weedhounds.config import load_settings
from weedhounds.model.datatypes import DataType
from weedhounds.model.keys import RecordKey
from weedhounds.telemetry import Trace


async def shops(node: Node, near: str) -> list[str]:
    """Return the menu keys of all listings around a place, nearest first."""
    answer = await node.dispensaries(near, radius_km=40, deadline_s=20)
    listings = (RecordKey.parse(text) for shop in answer.dispensaries for text in shop.listings)
    return [str(RecordKey(DataType.DISPENSARY_MENU, key.origin, key.native_id)) for key in listings]


async def get(node: Node, key: str, times: int) -> dict[str, Any]:
    """Ask for one key many times at once."""
    traces = [Trace() for _ in range(times)]
    started_s = time.perf_counter()
    entries = await asyncio.gather(*(node.get(key, deadline_s=30, trace=trace) for trace in traces))
    found = [entry for entry in entries if entry is not None]
    return {
        "found": len(found),
        "digests": sorted({entry.digest.hex() for entry in found}),
        "origin_calls": sum(trace.origin_calls for trace in traces),
        "seconds": time.perf_counter() - started_s,
        "waited": node._database.loads.waited,
        "spared": node._database.loads.spared,
    }


async def main(sandbox_url: str, database_url: str, data_dir: str) -> None:
    """Serve stdin."""
    settings = load_settings(
        sandbox_url=sandbox_url,
        data_dir=Path(data_dir),
        database={"url": database_url},
        fetch={"pool_workers": 0},
    )
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async with Node(settings) as node:
        print(json.dumps("ready"), flush=True)
        while line := await reader.readline():
            asked = json.loads(line)
            answer: Any = (
                await shops(node, asked["shops"]) if "shops" in asked else await get(node, asked["get"], asked["times"])
            )
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:4]))
