from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pint
import pytest

from napari_clip_heatmap._napari.session import Answer
from napari_clip_heatmap._napari.summary import summary
from napari_clip_heatmap.imaging.lattice import plan_lattice

UNITS = pint.get_application_registry()


@pytest.fixture
def answer():
    lattice = plan_lattice((200, 300), (100, 150), patch=(8, 8), tile=(64, 64), overlap=0.5)
    return Answer(
        heatmaps=SimpleNamespace(prompts=("a", "b")),
        limits=(),
        encoding=SimpleNamespace(lattice=lattice),
        encoded_before=False,
        seconds=1.2345,
    )


def test_says_what_was_done_and_how_fine_it_is(answer):
    pixels = (UNITS.pixel, UNITS.pixel)
    n_tiles = len(answer.encoding.lattice.tiles)
    expected = f"2 prompts, {n_tiles} tiles, 1.2 s; one patch = 16 px"
    assert summary(answer, (1, 1), pixels) == expected
    again = replace(answer, encoded_before=True, heatmaps=SimpleNamespace(prompts=("a",)))
    assert summary(again, (1, 1), pixels).startswith("1 prompt, encoded before, ")


def test_gives_the_patch_in_the_images_unit(answer):
    line = summary(answer, (-0.325, 0.325), (UNITS.micrometer, UNITS.micrometer))
    assert line.endswith("one patch = 16 px (5.2 µm)")
