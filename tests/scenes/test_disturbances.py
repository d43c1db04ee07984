"""Disturbances change a picture, but leave what it shows visible."""

from __future__ import annotations

import numpy as np

from napari_clip_heatmap.scenes.disturbances import disturb


def light() -> np.ndarray:
    picture = np.full((96, 96, 3), 0.2, np.float32)
    picture[30:60, 30:60] = 0.8
    return picture


def test_the_light_itself_is_not_changed():
    original = light()
    disturb(np.random.default_rng(0), original)
    assert np.array_equal(original, light())


def test_gray_light_stays_gray_and_what_is_bright_stays_brighter():
    brighter = 0
    for seed in range(60):
        image = disturb(np.random.default_rng(seed), light())
        assert image.dtype == np.uint8
        assert np.array_equal(image[..., 0], image[..., 1])
        gray = image[..., 0].astype(float)
        brighter += gray[35:55, 35:55].mean() > gray[:20].mean()
    assert brighter > 55


def test_pictures_differ_in_noise_and_exposure():
    images = [disturb(np.random.default_rng(seed), light()) for seed in range(40)]
    noise = [float(image[70:90, 5:25, 0].std()) for image in images]
    assert max(noise) > 4 * (min(noise) + 0.1)
    means = [float(image.mean()) for image in images]
    assert max(means) > 1.5 * min(means)
