"""Electron micrographs are gray, their membranes thin and dark, their mitochondria striped."""

from __future__ import annotations

import numpy as np

from napari_clip_heatmap.scenes.specimens.electron_micrograph import draw_electron_micrograph


def drawings():
    return [draw_electron_micrograph(np.random.default_rng(seed), (200, 200)) for seed in range(20)]


def test_they_are_gray_and_within_range():
    for light, masks, modality in drawings():
        assert modality == "EM"
        assert np.array_equal(light[..., 0], light[..., 2])
        assert light.min() > -0.2
        assert light.max() < 1.3
        assert set(masks) == {"membranes", "mitochondria", "vesicles"}


def test_membranes_are_thin_and_mostly_darker_than_what_they_bound():
    darker = 0
    for light, masks, _ in drawings():
        membranes = masks["membranes"]
        assert 0.02 < membranes.mean() < 0.35
        darker += light[membranes].mean() < light[~membranes].mean()
    assert 14 <= darker < 20  # some are shown inverted, as many published ones are


def test_mitochondria_vary_more_inside_than_the_cytoplasm():
    more = []
    for light, masks, _ in drawings():
        inside = masks["mitochondria"]
        outside = ~inside & ~masks["membranes"] & ~masks["vesicles"]
        if inside.sum() > 300:
            gray = light[..., 0]
            steps = np.abs(np.diff(gray, axis=0, prepend=gray[:1]))
            more.append(steps[inside].mean() > steps[outside].mean())
    assert len(more) > 8
    assert np.mean(more) > 0.9
