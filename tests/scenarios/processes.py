"""Looking at processes from outside: who has started whom, and who has gone."""

import asyncio
from pathlib import Path
from time import monotonic


def is_alive(process_id: int) -> bool:
    fields = _stat(process_id)
    return bool(fields) and fields[0] != "Z"


def children_of(process_id: int) -> list[int]:
    numbers = [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdecimal()]
    return [number for number in numbers if (fields := _stat(number)) and int(fields[1]) == process_id]


async def wait_until_gone(*process_ids: int, within_s: float = 10.0) -> None:
    began = monotonic()
    while any(map(is_alive, process_ids)):
        assert monotonic() - began < within_s, "a process goes on"
        await asyncio.sleep(0.05)


def _stat(process_id: int) -> list[str]:
    """State, parent and so on; nothing when there is no such process."""
    try:
        return Path(f"/proc/{process_id}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []
