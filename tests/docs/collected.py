"""A plugin for ``pytest --collect-only``: writes what was collected, with the marks that matter, as JSON."""

import inspect
import json
import os
from pathlib import Path

import pytest

PLACE = "TANDEM_COLLECTED"


def pytest_collection_finish(session: pytest.Session) -> None:
    found = {item.nodeid: {"rows": _rows(item), "may_be_skipped": _may_be_skipped(item)} for item in session.items}
    Path(os.environ[PLACE]).write_text(json.dumps(found), encoding="utf-8")


def _rows(item: pytest.Item) -> list[str]:
    return [str(row) for mark in item.iter_markers("parity") for row in mark.args]


def _may_be_skipped(item: pytest.Item) -> bool:
    if any(mark.name in ("skip", "skipif", "xfail") for mark in item.iter_markers()):
        return True
    source = inspect.getsource(item.function) if isinstance(item, pytest.Function) else ""
    return any(call in source for call in ("pytest.skip(", "pytest.xfail(", "importorskip("))
