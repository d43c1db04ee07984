"""Directions of classes are means over sentences, as published."""

from __future__ import annotations

import numpy as np

from napari_clip_heatmap.evaluation.benchmarks.class_directions import (
    class_directions,
    imagenet_names,
    openai_templates,
)


def test_a_direction_is_the_unit_mean_over_sentences(tiny_model) -> None:
    sentences = ["a photo of a {}.", "art of the {}."]
    found, owners = class_directions(tiny_model, [["sky", "wall"], ["cat"]], sentences)
    texts = [each.replace("{}", "wall") for each in sentences]
    mean = tiny_model.encode_text(texts).double().numpy().mean(axis=0)
    np.testing.assert_allclose(found[1], mean / np.linalg.norm(mean), atol=1e-7)
    assert owners.tolist() == [0, 0, 1]


def test_lists_of_open_clip() -> None:
    assert len(imagenet_names()) == 1000
    templates = openai_templates()
    assert len(set(templates)) == 80
    assert all(each.count("{}") == 1 for each in templates)
