"""The documentation: examples run as written, links lead somewhere, generated pages are current."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from urllib.parse import urlparse

import pytest
import yaml
from docs import make_reference
from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser, SkipParser
from typer.testing import CliRunner

import napari_clip_heatmap as nch
from napari_clip_heatmap.cli import app
from napari_clip_heatmap.files.sample_files import write_samples

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), ROOT / "README.md"])
INCLUDED = (ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md")
"""Shown by pages in another folder, so their links must be full addresses."""
GENERATED = {"shell.md", "model-figures.md"}
SITE = "https://napari-clip-heatmap.github.io/napari-clip-heatmap/"
REPOSITORY = "https://github.com/napari-clip-heatmap/napari-clip-heatmap/blob/main/"
RAW = "https://raw.githubusercontent.com/napari-clip-heatmap/napari-clip-heatmap/main/"


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def run_commands(example: Example) -> str | None:
    """Run those commands of a block that use the samples; others need what a reader has."""
    for line in example.parsed.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] == ["clip-heatmap"] and any(word.startswith("samples") for word in words[2:]):
            done = CliRunner().invoke(app, words[1:])
            if done.exit_code:
                return f"{line}\n{done.output}"
    return None


SYBIL = Sybil(
    parsers=[
        PythonCodeBlockParser(),
        CodeBlockParser("sh", run_commands),
        CodeBlockParser("yaml", lambda example: yaml.safe_load(example.parsed) and None),
        SkipParser(),
    ]
)


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reader")
    write_samples(folder / "samples")
    return folder


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.name not in GENERATED], ids=name_of
)
def test_examples_run_as_written(
    page: Path, samples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.setenv("CLIP_HEATMAP_CACHE", str(samples / "cache"))  # pages share their images
    monkeypatch.chdir(tmp_path)
    (tmp_path / "samples").symlink_to(samples / "samples", target_is_directory=True)
    for example in SYBIL.parse(page).examples():
        example.evaluate()


def targets(page: Path) -> list[str]:
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    return re.findall(r"\]\(([^)\s]+)\)", text)


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.M)
    return {
        re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings
    }


def local_path(page: Path, target: str) -> Path | None:
    """Where a link leads in this repository; None for links to elsewhere."""
    for address, folder in ((REPOSITORY, ROOT), (RAW, ROOT), (SITE, DOCS)):
        if target.startswith(address):
            rest = urlparse(target).path.removeprefix(urlparse(address).path)
            path = folder / rest.rstrip("/")
            if address != SITE:
                return path
            return next(
                (each for each in (path.with_suffix(".md"), path / "index.md") if each.exists()),
                path,
            )
    if urlparse(target).scheme or target.startswith("#"):
        return None
    return page.parent / target.partition("#")[0]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_and_pictures_lead_somewhere(page: Path) -> None:
    for target in targets(page):
        path = local_path(page, target)
        if path is None:
            continue
        assert path.exists(), f"{name_of(page)}: {target}"
        anchor = urlparse(target).fragment
        assert not anchor or anchor in anchors(path), f"{name_of(page)}: {target}"


@pytest.mark.parametrize("page", INCLUDED, ids=name_of)
def test_included_pages_have_full_addresses(page: Path) -> None:
    found = targets(page)
    assert found
    for target in found:
        assert urlparse(target).scheme == "https", target
        path = local_path(page, target)
        assert path is None or path.exists(), target


def clicks_from_the_readme() -> dict[Path, int]:
    """How many links lead from the README to each page, without the site's own menu."""
    found, at = {ROOT / "README.md": 0}, [ROOT / "README.md"]
    for page in at:
        leads = (local_path(page, target) for target in targets(page))
        for path in (each.resolve() for each in leads if each is not None):
            if path.suffix == ".md" and path not in found:
                found[path] = found[page] + 1
                at.append(path)
    return found


def test_each_tutorial_and_guide_is_three_clicks_from_the_readme() -> None:
    clicks = clicks_from_the_readme()
    nav = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]["nav"]
    (tutorials,) = (each["Tutorials"] for each in nav if "Tutorials" in each)
    (guides,) = (each["Guides"] for each in nav if "Guides" in each)
    pages = [page for entry in (*tutorials, *guides) for page in entry.values()]
    assert len(pages) > 12
    far = [page for page in pages if clicks.get(DOCS / page, 99) > 3]
    assert not far, far


def test_no_page_is_left_out_of_the_site() -> None:
    listed = set(
        re.findall(r'"([\w/-]+\.md)"', (ROOT / "zensical.toml").read_text(encoding="utf-8"))
    )
    pages = {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")}
    assert listed == pages - {"reference/model-figures.md"}


def test_every_public_name_is_in_the_reference() -> None:
    text = (DOCS / "reference" / "python.md").read_text(encoding="utf-8")
    listed = re.findall(r"^::: napari_clip_heatmap\.(\w+)$", text, flags=re.M)
    assert sorted(listed) == sorted(set(nch.__all__) - {"__version__"})


def test_generated_pages_are_current() -> None:
    for name, made in (
        ("shell.md", make_reference.shell_page()),
        ("model-figures.md", make_reference.model_figures()),
    ):
        text = (DOCS / "reference" / name).read_text(encoding="utf-8")
        assert text == made, f"run python -m docs.make_reference: {name} is out of date"


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 120
