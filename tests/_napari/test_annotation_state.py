from __future__ import annotations

import pytest

from napari_clip_heatmap._napari.annotation_state import (
    BY_HAND,
    AnnotationState,
    ObjectRule,
    ObjectSettings,
    read_object_settings,
)
from napari_clip_heatmap._napari.state import DockState

CONTROLS = {
    "objects_of": "winner",
    "threshold_by": "yen",
    "margin": 0.25,
    "min_size": 12,
    "split": True,
    "fill_holes": False,
    "by_image": False,
    "object_slices": "all",
}


def test_settings_are_what_the_controls_say():
    settings = read_object_settings(CONTROLS, {"r": 0.5})
    assert settings == ObjectSettings(
        rule=ObjectRule.WINNER,
        threshold="yen",
        margin=0.25,
        min_area=12.0,
        split=True,
        fill_holes=False,
        by_image=False,
        all_slices=True,
        limits={"r": 0.5},
    )
    assert settings.split_method == "watershed"
    assert ObjectSettings().split_method == "none"


@pytest.mark.parametrize(
    ("threshold", "key", "expected"),
    [("otsu", "r", "otsu"), (BY_HAND, "r", 0.5), (BY_HAND, "g", "otsu")],
)
def test_a_threshold_is_learnt_unless_it_was_set_by_hand(threshold, key, expected):
    settings = ObjectSettings(threshold=threshold, limits={"r": 0.5})
    assert settings.threshold_of(key) == expected


def test_it_is_a_part_of_the_docks_state_that_emits_by_itself():
    state, heard = DockState(), []
    assert isinstance(state.annotation, AnnotationState)
    state.annotation.events.counts.connect(heard.append)
    state.annotation.counts = {"r": 3}
    assert heard == [{"r": 3}]
    assert DockState().annotation.counts == {}
