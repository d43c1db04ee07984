"""An index is read as it says, and no specimen is in two folds."""

from __future__ import annotations

import json

import numpy as np
import pytest

from napari_clip_heatmap.errors import ImageError, SettingsError
from napari_clip_heatmap.evaluation.micrographs.micrograph_index import (
    GroupFold,
    Micrograph,
    is_micrograph_folder,
    read_micrographs,
    truth_masks,
)


def test_an_index_is_read_in_its_order(folder):
    found = read_micrographs(folder)
    assert [each.path.name for each in found] == [f"{number}.png" for number in range(6)]
    assert found[0].classes == ("nucleus", "cell")
    assert found[0].truth is None
    assert found[0].attribution == "north, someone, CC0"
    assert is_micrograph_folder(folder)


def test_masks_are_named_by_the_classes_that_they_mark(folder):
    masks = truth_masks(read_micrographs(folder)[1], (40, 40))
    assert sorted(masks) == ["debris", "nucleus"]
    assert masks["nucleus"].sum() == 15 * 15
    assert masks["debris"].sum() == 10 * 15


def test_boxes_are_cut_at_the_border(folder):
    masks = truth_masks(read_micrographs(folder)[4], (40, 40))
    expected = np.zeros((40, 40), bool)
    expected[2:12, :20] = True
    assert np.array_equal(masks["cell"], expected)
    assert truth_masks(read_micrographs(folder)[0], (40, 40)) == {}


@pytest.mark.parametrize("count", [2, 3, 7])
def test_folds_divide_the_pictures_by_their_groups(count, tmp_path):
    rng = np.random.default_rng(count)
    listed = [
        Micrograph(tmp_path, f"source {rng.integers(5)}", f"group {rng.integers(6)}", "EM", (), ())
        for _ in range(120)
    ]
    parts = [GroupFold(number, count).split(listed) for number in range(count)]
    assert sum(len(inside) for _, inside in parts) == len(listed)
    for outside, inside in parts:
        assert len(outside) + len(inside) == len(listed)
        keys = {(each.source, each.group) for each in inside}
        assert not keys & {(each.source, each.group) for each in outside}
    # A source of several groups is in several folds.
    for source in {each.source for each in listed}:
        groups = {each.group for each in listed if each.source == source}
        folds = [any(each.source == source for each in inside) for _, inside in parts]
        assert sum(folds) == min(count, len(groups))


def test_folds_are_read_and_refused():
    assert GroupFold.parse("2/5") == GroupFold(2, 5)
    for text in ("", "1", "a/3", "3/3", "0/1", "-1/3"):
        with pytest.raises(SettingsError, match="fold"):
            GroupFold.parse(text)


def test_what_is_wrong_with_an_index_is_named(folder):
    with pytest.raises(ImageError, match=r"no index\.json"):
        read_micrographs(folder / "nowhere")
    path = folder / "index.json"
    entries = json.loads(path.read_text())
    path.write_text(json.dumps([{**entries[0], "file": "gone.png"}]))
    with pytest.raises(ImageError, match=r"gone\.png"):
        read_micrographs(folder)
    del entries[0]["group"]
    path.write_text(json.dumps(entries))
    with pytest.raises(ImageError, match="lacks group"):
        read_micrographs(folder)
    path.write_text("{}")
    with pytest.raises(ImageError, match="not a list"):
        read_micrographs(folder)
    path.write_text("{")
    with pytest.raises(ImageError, match="not a JSON file"):
        read_micrographs(folder)
