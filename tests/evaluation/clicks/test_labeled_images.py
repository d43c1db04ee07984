"""Images with masks: from drawn scenes, labels, boxes and an index."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from napari_clip_heatmap.errors import ImageError
from napari_clip_heatmap.evaluation.clicks.labeled_images import (
    PER_SOURCE,
    count_images,
    read_images,
)


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "micrographs"
    (folder / "axons").mkdir(parents=True)
    labels = np.zeros((20, 30), np.uint8)
    labels[2:9, 3:9], labels[10:15, 10:20] = 1, 2
    entries = []
    for number in range(PER_SOURCE + 4):
        Image.fromarray(labels * 100 + number).save(folder / f"axons/{number}.png")
        entry = {"file": f"axons/{number}.png", "source": "axons"}
        if number > 1:
            Image.fromarray(labels).save(folder / f"axons/{number}_labels.png")
            legend = {"1": "axon", "2": "myelin; not sure"} if number > 2 else {">0": "anything"}
            entry |= {"truth": f"axons/{number}_labels.png", "truth_legend": legend}
        entries.append(entry)
    (folder / "index.json").write_text(json.dumps(entries))
    return tmp_path


def test_an_index_gives_masks_by_their_names(data):
    images = list(read_images(data, 0, 0))
    assert len(images) == count_images(data, 0) == PER_SOURCE
    assert {each.kind for each in images} == {"axons"}
    assert {*images[0].masks} == {"anything"}
    assert images[0].masks["anything"].sum() == 7 * 6 + 5 * 10
    assert {*images[1].masks} == {"axon", "myelin"}
    assert images[1].masks["axon"].sum() == 7 * 6
    assert images[1].image.shape == (20, 30)


def test_nuclei_and_drawn_scenes_come_first(data):
    (data / "nuclei").mkdir()
    Image.fromarray(np.full((20, 20), 9, np.uint8)).save(data / "nuclei/stained_1.png")
    Image.fromarray(np.eye(20, dtype=np.uint8)).save(data / "nuclei/stained_1_labels.png")
    images = list(read_images(data, 2, 5))
    kinds = [each.kind for each in images]
    assert kinds == ["drawn", "drawn", "real stained", *["axons"] * PER_SOURCE]
    assert count_images(data, 2) == len(images)
    assert images[2].masks["nuclei"].sum() == 20


def test_a_folder_without_labels_is_refused(tmp_path):
    with pytest.raises(ImageError, match="no labeled images"):
        count_images(tmp_path, 3)


@pytest.mark.parametrize("text", ["{", "[1]", '[{"truth": 1, "truth_legend": 2}]'])
def test_a_damaged_index_is_refused_in_words(data, text):
    (data / "micrographs" / "index.json").write_text(text)
    with pytest.raises(ImageError, match="cannot be read"):
        count_images(data, 0)
