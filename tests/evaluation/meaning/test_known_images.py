"""What is known of images: nothing that is there is called absent."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_clip_heatmap.evaluation.meaning.known_images import (
    blank_pictures,
    count_labeled,
    draw_known,
    noise_fields,
    read_labeled,
)
from napari_clip_heatmap.scenes.vocabulary import NAMES


def test_present_and_absent_are_those_of_the_masks() -> None:
    for known in draw_known(3, 12, 96):
        for name, mask in known.masks.items():
            if mask.any():
                assert not set(NAMES[name]) & set(known.absent)
            assert (mask.mean() >= 0.005) == (name in known.classes)
        if known.kind == "drawn smear":
            assert "nuclei" not in known.absent  # white blood cells have them


def test_labeled_images_are_read(real_data: Path) -> None:
    found = list(read_labeled(real_data))
    assert len(found) == count_labeled(real_data) == 2
    nuclei, blood = found
    assert (nuclei.kind, nuclei.classes, blood.kind) == ("real stained", ("nuclei",), "real blood")
    assert nuclei.masks["nuclei"].sum() == 200
    assert blood.classes == ("red blood cells",)
    assert blood.masks["red blood cells"].sum() == 20 * 20
    assert "platelets" not in blood.absent  # boxes miss some


def test_noise_is_the_same_everywhere() -> None:
    for picture in noise_fields(5, 8, 128):
        quarters = picture.reshape(2, 64, 2, 64, 3).mean(axis=(1, 3))
        assert np.ptp(quarters) < 40
        assert picture.dtype == np.uint8


def test_blank_pictures_have_kinds() -> None:
    kinds = [kind for kind, _ in blank_pictures(1, 4, 32)]
    assert set(kinds) == {"constant", "nearly constant", "ramp", "noise"}
    assert kinds.count("noise") == 4
