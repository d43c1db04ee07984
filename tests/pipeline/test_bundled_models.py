"""Each bundled model loads, is calibrated, and names what drawn pictures show."""

from __future__ import annotations

import numpy as np
import pytest

import napari_clip_heatmap as nch
from napari_clip_heatmap.clip.provenance import BUNDLED
from napari_clip_heatmap.pipeline.nonsense import NONSENSE
from napari_clip_heatmap.pipeline.trust import Trust
from napari_clip_heatmap.scenes import CLASSES, draw

RIVALS = {"smear": ("nuclei", "filaments", "membranes"), "fluorescence": ("red blood cells",)}
"""What a picture of that kind cannot show."""


@pytest.mark.parametrize("name", BUNDLED)
def test_it_ranks_what_a_scene_shows_above_what_it_cannot_show(name: str) -> None:
    model = nch.load_model(name, device="cpu")
    right = []
    for seed in range(7_000_000, 7_000_016):
        scene = draw(seed, (128, 128))
        shown = [each for each, mask in scene.masks.items() if mask.mean() > 0.05]
        rivals = [each for each in RIVALS.get(scene.modality, ()) if each not in scene.masks]
        if shown and rivals:
            maps = nch.encode(model, scene.image).heatmaps([*shown, *rivals])
            right.append(maps.similarity[: len(shown)].max() > maps.similarity[len(shown) :].max())
    assert len(right) > 7
    assert np.mean(right) > 0.9


@pytest.mark.parametrize("name", BUNDLED)
def test_it_is_calibrated(name: str) -> None:
    model = nch.load_model(name, device="cpu")
    maps = nch.encode(model, draw(7_000_000, (128, 128)).image).heatmaps(["nuclei"])
    assert [str(each.presence) for each in maps.checks] != ["unknown"]


KNOWN = {
    "demo": (*CLASSES, "dapi", "erythrocytes"),
    "micrographs": (*CLASSES, "neurons", "axons", "yeast", "pores", "stomata", "dapi stain"),
}


@pytest.mark.parametrize("name", BUNDLED)
def test_words_it_knows_depend_on_the_text_and_nonsense_does_not(name: str) -> None:
    """Also where a word that was never learned happens to lie near a thing that was."""
    encoding = nch.encode(nch.load_model(name, device="cpu"), draw(1, (96, 96)).image)
    texts = {check.prompt: check.text for check in nch.assess(encoding, KNOWN[name]).checks}
    assert set(texts.values()) == {Trust.GOOD}, texts
    nonsense = nch.assess(encoding, [*NONSENSE, "flimble", "nuclie"]).checks
    assert {check.text for check in nonsense} == {Trust.NONE}


def test_the_second_knows_more_words() -> None:
    first, second = (nch.load_model(name, device="cpu") for name in BUNDLED)
    for word in ("stomata", "diatoms", "cracks", "yeast"):
        texts = second.encode_text([word, "nuclei"])
        assert float(texts[0] @ texts[1]) < 0.5
    assert first.image_size == second.image_size
