"""Images and regions without content, and defects that must not change a map."""

from __future__ import annotations

import numpy as np
import pytest

from napari_clip_heatmap.api import load_model
from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.evaluation.auroc import auroc
from napari_clip_heatmap.imaging.region import Region
from napari_clip_heatmap.imaging.view import View
from napari_clip_heatmap.pipeline.encode import encode
from napari_clip_heatmap.pipeline.verdicts import Verdict, assess
from napari_clip_heatmap.scenes.scene import draw

PROMPTS = ["nuclei", "filaments", "vesicles"]
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def demo():
    return load_model("demo", device="cpu")


def empty_images():
    gray = np.full((70, 90), 128)
    noise = RNG.integers(-2, 3, gray.shape)
    return {
        "black": np.zeros((70, 90), np.uint8),
        "white": np.full((70, 90, 3), 255, np.uint8),
        "red": np.broadcast_to(np.array([200, 10, 10], np.uint8), (70, 90, 3)),
        "nearly gray": (gray + noise).astype(np.uint8),
        "constant 16-bit": np.full((70, 90), 1000, np.uint16),
        "nearly constant 16-bit": (1000 + (noise > 0)).astype(np.uint16),
        "nearly constant float": 0.5 + 1e-4 * noise,
        "constant float": np.full((70, 90), -3.5),
        "one pixel": np.full((1, 1), 7, np.uint8),
    }


@pytest.mark.parametrize("kind", empty_images())
def test_an_image_without_content_has_nothing_to_see(model, kind):
    encoding = encode(model, empty_images()[kind], downsample=1)
    assert encoding.nothing_to_see
    checks = assess(encoding, ["red", "nuclei"]).checks
    assert [check.verdict for check in checks] == [Verdict.NOTHING] * 2
    maps = encoding.heatmaps(["red", "nuclei"])
    assert not np.nan_to_num(maps.normalized()).any()
    assert any("nothing to see" in note for note in maps.notes)


@pytest.mark.parametrize(
    "image",
    [
        np.where(np.arange(64) < 32, 0, 1).astype(np.uint16) * np.ones((64, 1), np.uint16),
        np.where(np.arange(64) < 32, 100.0, 101.0) * np.ones((64, 1)),
        RNG.integers(0, 256, (50, 70), np.uint8),
        np.pad(np.full((3, 3), 60, np.uint8), 60),
    ],
)
def test_an_image_with_content_has_something_to_see(model, image):
    encoding = encode(model, image, downsample=1)
    assert not encoding.nothing_to_see
    assert encoding.heatmaps(["red", "green"], "absolute").normalized().max() == 1


def test_a_region_counts_by_itself(model):
    image = RNG.integers(0, 256, (96, 96), np.uint8)
    image[:, 40:] = 90
    assert encode(model, image, region=Region(box=(0, 48, 96, 96)), downsample=1).nothing_to_see
    assert not encode(model, image, region=Region(box=(0, 0, 96, 48)), downsample=1).nothing_to_see
    inside = Region(box=(3, 45, 77, 93))  # cells at its edge are cut
    assert encode(model, image, region=inside, downsample=1).nothing_to_see


def test_a_view_that_shows_nothing_leaves_nothing_to_see(model):
    image = RNG.integers(100, 120, (50, 50)).astype(np.uint16)
    assert encode(model, image, view=View("raw"), downsample=1).nothing_to_see
    assert encode(model, image, view=View(limits=(500, 900)), downsample=1).nothing_to_see
    assert not encode(model, image, downsample=1).nothing_to_see


def test_a_region_of_invalid_pixels_is_refused(model):
    image = RNG.random((80, 80))
    image[20:60, 20:60] = np.nan
    with pytest.raises(ImageError, match="NaN, infinite or masked"):
        encode(model, image, region=Region(box=(25, 25, 55, 55)), downsample=1)
    part = encode(model, image, region=Region(box=(0, 0, 55, 55)), downsample=1)
    assert np.isfinite(part.heatmaps(["red"]).similarity).all()


def test_what_was_chosen_is_told(model):
    image = RNG.integers(100, 4000, (64, 64)).astype(np.uint16)
    encoding = encode(model, image, downsample=2)
    (shown,) = encoding.describe()["ranges"]
    assert shown["source"] == "robust"
    notes = " ".join(encoding.heatmaps(["red", "green", "blue"]).notes)
    assert f"{shown['low']:.5g} to {shown['high']:.5g}" in notes
    assert "every 2 image pixels" in notes
    eight_bits = encode(model, image.astype(np.uint8), downsample=1)
    assert eight_bits.heatmaps(["red", "green", "blue"]).notes == ()
    assert "enlarged 8 times" in " ".join(encode(model, image[:4, :4].astype(np.uint8)).notes)


def scenes():
    for seed in range(4):
        drawn = draw(seed, (160, 160), classes=("nuclei",), modality="fluorescence")
        yield (drawn.image.astype(np.float32) * 12).mean(-1), drawn.masks["nuclei"]


def spoil(image, defect):
    spoiled = image.copy()
    where, value = {
        "hot pixel": (np.s_[80, 80], 65535),
        "dead column": (np.s_[:, 75], 0),
        "hot column": (np.s_[:, 75], 65535),
        "no data": (np.s_[:9, :9], -9999),
    }[defect]
    spoiled[where] = value
    return spoiled


def auroc_of(model, image, mask, view=None):
    values = encode(model, image, view=view).heatmaps(PROMPTS).values[0]
    return auroc(values[mask], values[~mask])


@pytest.mark.parametrize("defect", ["hot pixel", "dead column", "hot column", "no data"])
def test_a_defect_does_not_change_the_range(demo, defect):
    for image, mask in scenes():
        clean = encode(demo, image)
        spoiled = spoil(image, defect)
        limits = View(limits=(clean.ranges[0].low, clean.ranges[0].high))
        wanted = auroc_of(demo, spoiled, mask, limits)
        assert auroc_of(demo, spoiled, mask) == pytest.approx(wanted, abs=0.01)
        if defect == "hot pixel":
            assert wanted == pytest.approx(auroc_of(demo, image, mask), abs=0.01)
