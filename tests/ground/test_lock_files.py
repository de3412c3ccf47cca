"""The lock files: every package pinned with hashes, fit for any index, and in step with pyproject.toml."""

import re
import tomllib
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.ground.repository import ROOT

LOCKS = ["requirements.lock", "requirements-dev.lock", "requirements-bench.lock"]
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")


@pytest.mark.parametrize("lock", LOCKS)
def test_each_package_is_pinned_and_has_hashes(lock: str) -> None:
    entries = entries_of(lock)
    assert len(entries) > 10
    for entry in entries:
        requirement, *hashes = [part.strip() for part in entry.split(" \\\n")]
        assert re.match(r"[a-z0-9.-]+==[^ =]+( ; .+)?$", requirement)
        assert hashes
        assert all(HASH.fullmatch(item) for item in hashes)


@pytest.mark.parametrize("lock", LOCKS)
def test_no_index_no_address_and_no_option_is_named(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert "://" not in text
    assert " @ " not in text
    assert [line for line in text.splitlines() if line.startswith("-")] == []


def test_the_runtime_lock_holds_what_the_package_depends_on_and_builds_with() -> None:
    settings = project_settings()
    wanted = [*settings["project"]["dependencies"], *settings["build-system"]["requires"]]
    assert missing_from("requirements.lock", wanted) == []


def test_the_development_lock_holds_every_tool() -> None:
    wanted = project_settings()["project"]["optional-dependencies"]["dev"]
    assert missing_from("requirements-dev.lock", wanted) == []


def test_the_benchmark_lock_holds_every_peer() -> None:
    wanted = project_settings()["project"]["optional-dependencies"]["bench"]
    assert missing_from("requirements-bench.lock", wanted) == []


def test_all_locks_agree_on_every_version() -> None:
    runtime, *others = (versions_of(lock) for lock in LOCKS)
    for other in others:
        assert {name: other.get(name, version) for name, version in runtime.items()} == runtime


def entries_of(lock: str) -> list[str]:
    text = re.sub(r"^\s*#.*\n", "", (ROOT / lock).read_text(), flags=re.MULTILINE)
    return re.findall(r"^\S.*(?:\n {4}\S.*)*", text, flags=re.MULTILINE)


def versions_of(lock: str) -> dict[str, str]:
    pins = (entry.split()[0].partition("==") for entry in entries_of(lock))
    return {canonicalize_name(name): version for name, _, version in pins}


def missing_from(lock: str, wanted: list[str]) -> list[str]:
    """What `make lock` has not seen yet: absent, or locked below the version asked for."""
    versions = versions_of(lock)
    requirements = [Requirement(line) for line in wanted]
    return [
        str(item)
        for item in requirements
        if not item.specifier.contains(versions.get(canonicalize_name(item.name), "0"))
    ]


def project_settings() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())
