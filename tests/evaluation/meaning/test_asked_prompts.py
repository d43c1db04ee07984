"""The groups of prompts: what is true of them, whatever the image."""

from __future__ import annotations

import pytest

from napari_clip_heatmap.evaluation.meaning.asked_prompts import (
    ABSENT,
    FALSE_GROUPS,
    PRESENT,
    TRUE_GROUPS,
    ask_about,
)
from napari_clip_heatmap.evaluation.meaning.known_images import draw_known
from napari_clip_heatmap.scenes.vocabulary import NAMES


@pytest.mark.parametrize("seed", range(6))
def test_groups_say_what_is_there(seed: int) -> None:
    (known,) = draw_known(seed, 1, 96)
    groups = ask_about(known, seed)
    assert set(groups) <= {*TRUE_GROUPS, *FALSE_GROUPS, ABSENT}
    assert not set(groups.get(PRESENT, ())) & set(groups[ABSENT])
    every = {name for names in NAMES.values() for name in names}
    assert not set(groups.get("misspelled", ())) & every
    for pair in groups.get("pairs, both there", ()):
        assert set(pair.split(" and ")) <= set(known.present)
    assert ask_about(known, seed) == groups
