from __future__ import annotations

import numpy as np
import pytest

from napari_clip_heatmap._napari.annotation_state import BY_HAND, ObjectRule
from napari_clip_heatmap._napari.controllers.annotation.outline_preview import OUTLINE_NAME
from napari_clip_heatmap.annotation.thresholds import learn_threshold


def names(viewer):
    return [layer.name for layer in viewer.layers]


def test_nothing_is_drawn_or_counted_before_the_section_is_on_screen(threshold, ran, viewer_model):
    ran.set_control("min_size", 3)
    assert OUTLINE_NAME not in names(viewer_model)
    assert ran.annotation.counts == {}


def test_each_prompt_has_its_count_and_the_chosen_one_its_outline(threshold, ran, viewer_model):
    threshold.use(True)
    assert ran.annotation.counts == {"r": 1, "g": 1, "b": 1}
    outline = viewer_model.layers[OUTLINE_NAME]
    # The red stripe is columns 0 to 39; patches of 8 pixels blur its border by half of one.
    ends = outline.data[:, 0, 1] + outline.data[:, 1, 1]
    assert ends.max() == pytest.approx(39.5, abs=4)
    threshold.choose("b")
    ends = outline.data[:, 0, 1] + outline.data[:, 1, 1]
    assert ends.min() == pytest.approx(79.5, abs=4)
    threshold.use(False)
    assert OUTLINE_NAME not in names(viewer_model)
    assert ran.annotation.counts == {}


def test_the_slider_shows_what_was_learnt_and_sets_a_threshold_of_its_own(threshold, ran, controls):
    threshold.use(True)
    values = ran.result.result.stack.maps_at(()).lattice_values[0]
    low, high = float(values.min()), float(values.max())
    learnt = learn_threshold(values, "otsu")
    assert controls["threshold"].value == pytest.approx((learnt - low) / (high - low), abs=1e-3)
    assert ran.annotation.limits == {}
    controls["threshold"].value = 0.9
    assert ran.annotation.limits == {"r": pytest.approx(low + 0.9 * (high - low))}
    assert controls["threshold_by"].value == BY_HAND
    threshold.choose("g")
    assert {*ran.annotation.limits} == {"r"}
    controls["threshold_by"].value = "otsu"
    threshold.choose("r")
    assert controls["threshold"].value == pytest.approx((learnt - low) / (high - low), abs=1e-3)


def test_a_higher_threshold_draws_a_smaller_outline(threshold, controls, viewer_model):
    threshold.use(True)

    def spans():
        data = viewer_model.layers[OUTLINE_NAME].data
        return np.ptp(data[:, 0, 1])

    controls["threshold"].value = 0.2
    wide = spans()
    controls["threshold"].value = 0.97
    assert spans() < wide


def test_the_layer_that_the_user_works_on_stays_active(threshold, viewer_model, cells):
    viewer_model.layers.selection.active = cells
    threshold.use(True)
    assert viewer_model.layers.selection.active is cells


def test_a_winner_has_a_margin_and_no_threshold(threshold, ran, controls, rows_shown, viewer_model):
    threshold.use(True)
    controls["objects_of"].value = "winner"
    assert rows_shown["margin"]
    assert not any(rows_shown[name] for name in ("threshold", "split"))
    assert OUTLINE_NAME in names(viewer_model)
    assert sum(ran.annotation.counts.values()) >= 3
    assert threshold.settings.rule is ObjectRule.WINNER
    assert threshold.keys == ("r", "g", "b")


def test_counts_follow_size_and_outlines_can_be_switched_off(
    threshold, ran, controls, viewer_model
):
    threshold.use(True)
    controls["min_size"].value = 100_000
    assert ran.annotation.counts == {"r": 0, "g": 0, "b": 0}
    controls["outline"].value = False
    assert OUTLINE_NAME not in names(viewer_model)


def test_without_a_result_there_is_nothing_to_choose(threshold, ran, cells, viewer_model):
    ran.forget_result(cells)
    threshold.use(True)
    assert threshold.key == ""
    assert threshold.keys == ()
    assert OUTLINE_NAME not in names(viewer_model)


def test_the_outline_goes_when_its_image_does(threshold, ran, viewer_model, cells):
    threshold.use(True)
    ran.image = None
    assert OUTLINE_NAME not in names(viewer_model)
