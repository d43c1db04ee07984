from __future__ import annotations

import math

import numpy as np
import pytest
from skimage.measure import label, regionprops_table

from napari_clip_heatmap.annotation.objects import (
    PromptMap,
    check_margin,
    objects_of_map,
    objects_of_winners,
    peaks_of_map,
)
from napari_clip_heatmap.errors import PromptError, SettingsError
from napari_clip_heatmap.imaging.lattice import plan_lattice
from napari_clip_heatmap.imaging.resample import to_image_pixels

LATTICE = plan_lattice((90, 120), (45, 60), patch=(4, 4), tile=(16, 16), overlap=0.5)


def prompt_map(prompt="nuclei", seed=0, lattice_values=None):
    if lattice_values is None:
        rng = np.random.default_rng(seed)
        lattice_values = rng.normal(0, 1, LATTICE.grid).astype(np.float32)
        lattice_values[2, 3] = np.nan
    values = to_image_pixels(lattice_values[np.newaxis], LATTICE)[0]
    return PromptMap(prompt, values, lattice_values, LATTICE, 0.25, "clear", "good")


def measured(labels, values):
    """What scikit-image measures; of pixels that are not known, nothing."""
    known = np.where(np.isfinite(values), labels, 0)
    props = regionprops_table(labels, properties=("label", "area", "centroid", "bbox"))
    heat = regionprops_table(known, values, properties=("intensity_mean", "intensity_max"))
    return props | heat


@pytest.mark.parametrize("split", ["none", "watershed"])
def test_the_table_is_what_scikit_image_measures(split):
    shown = prompt_map()
    objects = objects_of_map(shown, {}, threshold=0.6, split=split)
    table, expected = objects.table, measured(objects.labels, shown.values)
    assert len(objects) == len(table) > 5
    for ours, theirs in {
        "label": "label",
        "area": "area",
        "centroid_y": "centroid-0",
        "centroid_x": "centroid-1",
        "bbox_y0": "bbox-0",
        "bbox_x0": "bbox-1",
        "bbox_y1": "bbox-2",
        "bbox_x1": "bbox-3",
        "mean": "intensity_mean",
        "max": "intensity_max",
    }.items():
        np.testing.assert_allclose(table[ours], expected[theirs], rtol=1e-5)
    assert set(table["prompt"]) == {"nuclei"}
    assert set(table["verdict"]) == {"clear"}
    assert set(table["trust"]) == {"good"}
    assert set(table["similarity"]) == {np.float32(0.25)}


def test_the_columns_are_those_that_are_promised():
    objects = objects_of_map(prompt_map(), {}, pixel_size=0.5, unit="micrometer")
    assert objects.table.names == (
        *("label", "prompt", "area", "centroid_y", "centroid_x"),
        *("bbox_y0", "bbox_x0", "bbox_y1", "bbox_x1"),
        *("area_um2", "centroid_y_um", "centroid_x_um"),
        *("mean", "max", "similarity", "verdict", "trust"),
    )
    np.testing.assert_allclose(objects.table["area_um2"], objects.table["area"] / 4)


def test_the_record_says_how_they_were_made():
    objects = objects_of_map(prompt_map(), {"score": "relative"}, threshold=0.5, min_area=9)
    assert objects.record == {
        "score": "relative",
        "prompts": ["nuclei"],
        "threshold": 0.5,
        "limit": 0.5,
        "outlines": "map",
        "min_area": 9.0,
        "split": "none",
        "fill_holes": False,
    }


def test_what_is_finer_than_a_patch_is_said_to_be_interpolated():
    notes = objects_of_map(prompt_map(), {}, threshold=0.5).notes
    assert "interpolated between patches: one patch = 8 px" in notes[0]


def test_objects_smaller_than_a_patch_are_counted():
    objects = objects_of_map(prompt_map(), {}, threshold=1.5)
    small = int((objects.table["area"] < 64).sum())
    assert small
    assert f"{small} of {len(objects)} objects are smaller than one patch" in objects.notes[1]


def test_no_object_is_an_empty_table_and_a_note():
    objects = objects_of_map(prompt_map(), {}, threshold=99.0)
    assert len(objects) == 0
    assert not objects.labels.any()
    assert "No objects: the threshold on the map of 'nuclei' is 99" in objects.notes[0]


def test_a_flat_map_has_no_objects_and_says_why():
    flat = prompt_map(lattice_values=np.ones(LATTICE.grid, np.float32))
    objects = objects_of_map(flat, {})
    assert len(objects) == 0
    assert objects.record["limit"] is None
    assert "same everywhere" in objects.notes[0]


def test_winners_are_connected_areas_of_their_prompt():
    maps = [prompt_map("a", 1), prompt_map("b", 2), prompt_map("c", 3)]
    objects = objects_of_winners(maps, {}, min_area=5)
    stacked = np.stack([each.values for each in maps])
    best = np.where(np.isfinite(stacked).all(0), stacked.argmax(0) + 1, 0)
    for number, name in enumerate("abc", start=1):
        rows = objects.table["prompt"] == name
        own = np.isin(objects.labels, objects.table["label"][rows])
        parts = label(best == number, connectivity=1)
        large = np.bincount(parts.ravel()) >= 5
        large[0] = False
        np.testing.assert_array_equal(own, large[parts])
        means = [
            maps[number - 1].values[objects.labels == k].mean()
            for k in objects.table["label"][rows]
        ]
        np.testing.assert_allclose(objects.table["mean"][rows], means, rtol=1e-4, atol=1e-6)
    assert objects.table["label"].tolist() == list(range(1, len(objects) + 1))


def test_peaks_have_the_numbers_of_their_objects():
    shown = prompt_map()
    peaks = peaks_of_map(shown, threshold=0.5, min_distance=0)
    labels = objects_of_map(shown, {}, threshold=0.5).labels
    assert len(peaks.positions) == len(peaks.values) == len(peaks.labels) > 3
    assert (peaks.values > 0.5).all()
    assert (np.diff(peaks.values) <= 0).all()
    assert set(peaks.labels) - {0} <= set(labels.ravel())
    # A position is refined within its patch, so its own pixel may be of the object or just off.
    y, x = np.rint(peaks.positions).astype(int).T
    assert np.mean(labels[y, x] == peaks.labels) > 0.8


@pytest.mark.parametrize("margin", [-0.1, math.nan, math.inf, "1", True])
def test_an_impossible_margin_is_refused(margin):
    with pytest.raises(SettingsError, match=r"margin is .*; accepted"):
        check_margin(margin, 2)


def test_one_prompt_alone_cannot_win():
    with pytest.raises(PromptError, match="give two prompts or more"):
        objects_of_winners([prompt_map()], {})
