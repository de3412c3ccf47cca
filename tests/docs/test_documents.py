"""What the documents point at is there: files, make targets, commands with their options, settings."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from tandem.cli.main import app
from tandem.cli.reference import iter_commands
from tandem.config.loading import load_config
from tandem_emulators.cli import app as emulators
from tests.docs.pages import blocks, links, name_of, pages, spans
from tests.ground.repository import ROOT, tracked_files

PAGES = [pytest.param(page, id=name_of(page)) for page in pages()]
PATHS = ("src/", "tests/", "docs/", "examples/", "benchmarks/", "tools/")
CALL = re.compile(r"^(tandem|tandem-emulators|make)\b")
OPTIONS = {
    name: {option for param in command.params for option in param.opts}
    for program, group in (("tandem", app), ("tandem-emulators", emulators))
    for name, command in iter_commands(typer.main.get_command(group), program)
}


@pytest.mark.parametrize("page", PAGES)
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    local = [link.partition("#")[0] for link in links(page) if not re.match(r"https?:|mailto:", link)]
    assert [link for link in local if link and not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_is_named_exists(page: Path) -> None:
    named = [span for span in spans(page) if span.startswith(PATHS) and not re.search(r"[*{<… ]", span)]
    assert [
        name for name in named if not (ROOT / name.partition("::")[0]).exists()
    ] == []  # a test in a file is named too


@pytest.mark.parametrize("page", PAGES)
def test_every_command_is_one_that_exists(page: Path) -> None:
    assert [call for call in calls(page) if not exists(call)] == []


def test_the_check_of_commands_finds_what_is_wrong() -> None:
    assert exists("tandem sync --config x.toml --json")
    assert exists("make demo")
    assert not exists("tandem snyc")
    assert not exists("tandem sync --people 5")
    assert not exists("make tests")


@pytest.mark.parametrize("page", PAGES)
def test_every_piece_of_settings_can_be_loaded(page: Path, tmp_path: Path) -> None:
    minimal = (ROOT / "examples" / "minimal.toml").read_text(encoding="utf-8")
    for place, text in enumerate(blocks(page, "toml")):
        file = tmp_path / f"{place}.toml"
        file.write_text(f"{minimal}\n{text}", encoding="utf-8")
        load_config(file)


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached, waiting = {ROOT / "README.md"}, [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        for link in links(page):
            target = (page.parent / link.partition("#")[0]).resolve()
            inside = sorted(target.glob("*.md")) if target.is_dir() else [target]
            for found in inside:
                if found.suffix == ".md" and found not in reached:
                    reached.add(found)
                    waiting.append(found)
    documents = {file for file in tracked_files() if file.suffix == ".md" and ROOT / "docs" in file.parents}
    assert documents - reached == set()


def calls(page: Path) -> list[str]:
    """Commands in code spans and in blocks that are typed into a shell. An ellipsis or a placeholder ends one."""
    typed = [line for language in ("", "sh") for text in blocks(page, language) for line in text.splitlines()]
    found = [text.strip() for text in (*spans(page), *typed) if CALL.match(text.strip())]
    return [re.split(r" [>&|#…\[]| \w*=", call)[0] for call in found]


def exists(call: str) -> bool:
    words = shlex.split(call)
    if words[0] == "make":
        return all(word in targets() for word in words[1:] if "=" not in word)
    words = [word for word in words if word not in ("--debug", "--verbose")]
    if words == [words[0]] or not words[1].islower():
        return True
    plain = [word for word in words if not word.startswith("-")]
    name = next((" ".join(plain[:length]) for length in (3, 2) if " ".join(plain[:length]) in OPTIONS), None)
    return name is not None and {word for word in words if word.startswith("-")} <= OPTIONS[name] | {"--help"}


def targets() -> set[str]:
    phony = re.findall(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {name for line in phony for name in line.split()}
