from __future__ import annotations

import itertools

import numpy as np

from napari_clip_heatmap.imaging.opencv import cv2
from napari_clip_heatmap.scenes import sample


def sharpness(image):
    return cv2.Laplacian(image.astype(np.float32), cv2.CV_32F).var()


def test_samples_are_always_the_same():
    for draw in (sample.sample_scene, sample.sample_channels, sample.sample_timelapse):
        np.testing.assert_array_equal(draw(), draw())


def test_planes_of_the_stack_are_in_focus_where_they_should_be():
    stack = sample.sample_stack()
    sharp = [sharpness(plane) for plane in stack]
    assert int(np.argmax(sharp)) in (1, 5)
    assert min(sharp[1], sharp[5]) > 2 * max(sharp[3], sharp[6])


def test_the_time_lapse_drifts():
    movie = sample.sample_timelapse()
    for before, after in itertools.pairwise(movie):
        np.testing.assert_array_equal(before[24:, 40:], after[:-24, :-40])


def test_the_slide_is_mostly_glass():
    slide = sample.sample_slide()
    assert 0.5 < (slide == 242).all(-1).mean() < 0.95


def test_smears_show_what_their_prompts_name():
    smears = sample.sample_smears()
    assert len({smear.tobytes() for smear in smears}) == 3
    assert set(sample.SMEAR_PROMPTS) <= {"red blood cells", "white blood cells", "platelets"}
