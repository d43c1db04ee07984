from __future__ import annotations

from types import SimpleNamespace
from unittest.mock import MagicMock

import pytest

from napari_clip_heatmap._napari.controllers.click_ranking import ClickRanking, words_of_list
from napari_clip_heatmap._napari.controllers.run_control import RunController
from napari_clip_heatmap._napari.view_protocols import TextView


@pytest.fixture
def view():
    return MagicMock(spec=TextView, value="")


@pytest.fixture
def ranking(state, viewer_model, session, immediate, view):
    RunController(state, viewer_model, session).start()
    ranking = ClickRanking(state, viewer_model, view)
    yield ranking
    ranking.close()


def click(viewer_model, y, x, *, moves=0, button=1):
    """Press, move and release the mouse as napari reports it."""
    event = SimpleNamespace(type="mouse_press", button=button, position=(y, x))
    callback = viewer_model.mouse_drag_callbacks[-1]
    gesture = callback(viewer_model, event)
    if next(gesture, None) is None and button != 1:
        return
    for _ in range(moves):
        event.type = "mouse_move"
        next(gesture, None)
    event.type = "mouse_release"
    next(gesture, None)


def test_a_click_ranks_the_prompts_there(ranking, viewer_model, view, state):
    click(viewer_model, 48, 60)  # in the green stripe
    lines = view.value.splitlines()
    assert lines[0] == "At y = 48, x = 60 px:"
    assert lines[1].startswith("1. green ")
    assert len(lines) == 4
    assert state.clicked[1:] == (48.5, 60.5)


def test_a_drag_and_another_button_rank_nothing(ranking, viewer_model, view):
    click(viewer_model, 48, 60, moves=2)
    click(viewer_model, 48, 60, button=2)
    assert view.value == ""


def test_a_list_of_words_is_ranked_with_the_prompts_and_again_where_it_changes(
    ranking, viewer_model, view, state
):
    click(viewer_model, 48, 60)
    before = view.value
    state.set_control("ranking_list", "organelles")
    assert view.value != before
    lines = view.value.splitlines()
    assert len(lines) == 10
    assert lines[-1].startswith("As a sum of words: ")
    assert set(words_of_list("organelles")) <= set(words_of_list("all shipped sets"))


def test_where_nothing_is_known_nothing_is_ranked(ranking, viewer_model, view, state, pixels):
    state.image = viewer_model.add_image(pixels)
    click(viewer_model, 48, 60)
    assert view.value == ""
