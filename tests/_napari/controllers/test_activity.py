from __future__ import annotations

from napari.utils.progress import progress

from napari_clip_heatmap._napari.controllers.status import ActivityBar


def test_shows_a_bar_that_counts_and_goes(capsys):
    activity = ActivityBar(lambda: None)
    activity.show("Loading", 0, 0)
    (bar,) = progress._all_instances
    activity.show("Tiles", 2, 10)
    activity.show("Tiles", 7, 10)
    activity.show("Tiles", 3, 10)  # late: it never goes back
    assert (bar.n, bar.total, bar.desc) == (7, 10, "Tiles: ")
    activity.close()
    activity.close()
    assert not progress._all_instances
    assert capsys.readouterr() == ("", "")


def test_its_button_cancels_at_once():
    pressed = []
    activity = ActivityBar(lambda: pressed.append(True))
    activity.show("Tiles", 0, 10)
    (bar,) = progress._all_instances
    bar.cancel()
    assert pressed == [True]
    activity.close()
