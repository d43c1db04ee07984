from __future__ import annotations

import numpy as np
import pytest
from skimage.draw import disk

from napari_clip_heatmap.annotation.image_edges import check_pixels, segment_by_image
from napari_clip_heatmap.annotation.objects import PromptMap, objects_of_map
from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.imaging.lattice import plan_lattice
from napari_clip_heatmap.imaging.resample import to_image_pixels

SHAPE, PATCH = (160, 160), 8


@pytest.fixture
def lattice():
    return plan_lattice(SHAPE, SHAPE, patch=(PATCH, PATCH), tile=(48, 48), overlap=0.5)


def disks(*places):
    mask = np.zeros(SHAPE, bool)
    for y, x, radius in places:
        mask[disk((y, x), radius, shape=SHAPE)] = True
    return mask


def blurred_map(lattice, mask):
    """What a model with coarse patches would say of a mask."""
    cells = mask.reshape(SHAPE[0] // PATCH, PATCH, SHAPE[1] // PATCH, PATCH).mean(axis=(1, 3))
    cells = cells.astype(np.float32)
    return cells, to_image_pixels(cells[np.newaxis], lattice)[0]


def overlap(labels, mask):
    return ((labels > 0) & mask).sum() / ((labels > 0) | mask).sum()


@pytest.mark.parametrize("bright", [True, False])
@pytest.mark.parametrize("colored", [True, False])
def test_outlines_are_those_of_the_image_whatever_its_contrast(lattice, bright, colored):
    mask = disks((50, 60, 17), (110, 110, 11))
    _, values = blurred_map(lattice, mask)
    image = np.where(mask == bright, 200, 60).astype(np.uint8)
    if colored:
        image = np.stack([np.full(SHAPE, 90, np.uint8), image, 255 - image], axis=-1)
    labels = segment_by_image(values, 0.4, check_pixels(image, SHAPE), PATCH / 2)
    assert labels.max() == 2
    assert overlap(labels, mask) == 1
    assert overlap(values > 0.4, mask) < 0.95


def test_what_looks_the_same_where_the_map_is_low_is_no_object(lattice):
    named, other = disks((50, 60, 17)), disks((120, 120, 17))
    _, values = blurred_map(lattice, named)
    image = 100.0 * (named | other)
    labels = segment_by_image(values, 0.4, check_pixels(image, SHAPE), PATCH / 2)
    assert overlap(labels, named) == 1


def test_objects_that_touch_are_separated_at_the_waist(lattice):
    mask = disks((80, 60, 18), (80, 92, 18))
    _, values = blurred_map(lattice, mask)
    pixels = check_pixels(mask, SHAPE)
    assert segment_by_image(values, 0.4, pixels, 4).max() == 1
    labels = segment_by_image(values, 0.4, pixels, 4, split="watershed")
    assert labels.max() == 2
    assert labels[80, 60] != labels[80, 92]
    assert overlap(labels, mask) == 1


def test_holes_and_small_objects(lattice):
    ring = disks((80, 80, 30)) & ~disks((80, 80, 4))
    mask = ring | disks((20, 20, 9))
    _, values = blurred_map(lattice, mask)
    pixels = check_pixels(mask, SHAPE)
    assert segment_by_image(values, 0.2, pixels, 4)[80, 80] == 0
    filled = segment_by_image(values, 0.2, pixels, 4, fill_holes=True, min_area=1000)
    assert filled[80, 80] == filled.max() == 1


def test_a_blank_image_leaves_the_maps_own_outline(lattice):
    _, values = blurred_map(lattice, disks((50, 60, 17)))
    labels = segment_by_image(values, 0.4, check_pixels(np.ones(SHAPE), SHAPE), 4)
    np.testing.assert_array_equal(labels > 0, values > 0.4)


def test_unknown_pixels_belong_to_nothing(lattice):
    mask = disks((50, 60, 17))
    _, values = blurred_map(lattice, mask)
    image = mask.astype(float)
    image[:, 60:] = np.nan
    values[:40] = np.nan
    labels = segment_by_image(values, 0.4, check_pixels(image, SHAPE), 4)
    assert labels.any()
    assert not labels[:, 60:].any()
    assert not labels[:40].any()
    assert not segment_by_image(values, float("nan"), check_pixels(image, SHAPE), 4).any()


@pytest.mark.parametrize(
    "image",
    [np.zeros((160, 100)), np.zeros((*SHAPE, 7)), np.zeros(SHAPE, complex), np.zeros(160), "x"],
)
def test_what_is_not_the_image_is_refused(lattice, image):
    with pytest.raises(ImageError, match="accepted: the image that was encoded"):
        check_pixels(image, SHAPE)


def test_objects_of_a_map_say_which_outline_they_have(lattice):
    mask = disks((50, 60, 17))
    cells, values = blurred_map(lattice, mask)
    shown = PromptMap("nuclei", values, cells, lattice, 0.2, "clear")
    coarse = objects_of_map(shown, {}, threshold=0.4)
    fine = objects_of_map(shown, {}, threshold=0.4, image=mask.astype(np.uint8))
    assert coarse.record["outlines"] == "map"
    assert fine.record["outlines"] == "image"
    assert fine.table["area"].tolist() == [mask.sum()]
    assert any("follow the image" in note for note in fine.notes)
