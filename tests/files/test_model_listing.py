from __future__ import annotations

import io
from dataclasses import replace

from rich.console import Console

from napari_clip_heatmap.clip.catalog import CatalogEntry
from napari_clip_heatmap.files.model_listing import print_models

ENTRY = CatalogEntry(
    name="hf-hub:someone/a-model-with-a-very-long-name-that-must-not-be-cut",
    family="native",
    image_size=(224, 336),
    patch_size=(16, 16),
    parameters=150_000_000,
    data="web pairs",
    licence="CC-BY-NC-4.0",
    forbids="commercial use",
    note="Biomedical: [cells].",
    needs="transformers",
    here=True,
)


def printed(*entries: CatalogEntry, width: int = 120, terminal: bool = False) -> str:
    stream = io.StringIO()
    console = Console(file=stream, width=width, force_terminal=terminal, color_system=None)
    print_models(entries, console)
    return stream.getvalue()


def test_everything_is_told_in_a_file() -> None:
    text = printed(ENTRY)
    for word in (
        *(ENTRY.name, "600 MB", "224 x 336", "16", "yes", "web pairs; CC-BY-NC-4.0"),
        *("The licence forbids commercial use.", "'transformers'", "Biomedical: [cells]."),
    ):
        assert word in text


def test_a_narrow_terminal_cuts_no_name() -> None:
    for width in (70, 90, 120, 160):
        text = printed(ENTRY, width=width, terminal=True)
        assert ENTRY.name in text
        assert "600 MB" in text
        assert "commercial use" in text


def test_sizes_unknown_and_large() -> None:
    assert "?" in printed(replace(ENTRY, parameters=None))
    assert "4.0 GB" in printed(replace(ENTRY, parameters=1_000_000_000))


def test_nothing_found_is_said() -> None:
    assert "use fewer" in printed()
