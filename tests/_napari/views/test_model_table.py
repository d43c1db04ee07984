from __future__ import annotations

from dataclasses import replace

import pytest
from qtpy.QtCore import Qt

from napari_clip_heatmap._napari.views.model_table import (
    FilteredModels,
    ModelColumn,
    ModelTable,
    describe_model,
    license_in_words,
)

ROLE = Qt.ItemDataRole


@pytest.fixture
def table(qapp, hub):
    table = ModelTable()
    table.reset((*hub.entries[:2], replace(hub.entries[2], seconds_here=4.321), hub.entries[3]))
    return table


@pytest.fixture
def shown(table):
    return FilteredModels(table)


def names(shown):
    return [shown.index(row, ModelColumn.MODEL).data() for row in range(shown.rowCount())]


def test_tells_of_a_model_in_every_column(table):
    texts = [table.index(2, column).data() for column in ModelColumn]
    assert texts[:7] == ["ViT-B-16/web", "600 MB", "224", "16", "18", "4.3", ""]
    assert texts[7].startswith("⚠ forbids commercial use")
    assert texts[8:] == ["web pairs", ""]
    assert table.index(0, ModelColumn.HERE).data() == "yes"
    assert table.index(1, ModelColumn.SIZE).data() == "?"
    assert table.index(3, ModelColumn.PIXELS).data() == "224 x 336"


def test_a_licence_that_forbids_a_use_is_bold(table):
    fonts = [table.index(row, ModelColumn.LICENCE).data(ROLE.FontRole) for row in range(4)]
    assert [bool(font and font.bold()) for font in fonts] == [False, False, True, False]


def test_every_column_and_cell_says_what_it_is(table):
    for column in ModelColumn:
        assert table.headerData(column, Qt.Orientation.Horizontal, ROLE.ToolTipRole)
        head = table.headerData(column, Qt.Orientation.Horizontal)
        assert table.index(1, column).data(ROLE.AccessibleTextRole).startswith(f"{head}: ")


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (ModelColumn.MODEL, [0, 1, 2, 3]),
        (ModelColumn.HERE, [0, 1, 2, 3]),
        (ModelColumn.SIZE, [0, 2, 3, 1]),  # one that is not known comes last
        (ModelColumn.PIXELS, [0, 1, 2, 3]),
        (ModelColumn.PATCH, [0, 3, 2, 1]),
        (ModelColumn.SPEED, [2, 0, 1, 3]),  # one that is not known comes last
        (ModelColumn.MEASURED, [2, 0, 1, 3]),
        (ModelColumn.LICENCE, [3, 0, 1, 2]),  # those that forbid come last
        (ModelColumn.DATA, [0, 1, 2, 3]),
        (ModelColumn.NOTE, [1, 0, 2, 3]),
    ],
)
def test_sorts_by_what_a_column_means(shown, hub, column, expected):
    shown.sort(column, Qt.SortOrder.AscendingOrder)
    assert names(shown) == [hub.entries[place].name for place in expected]
    assert shown.entry(shown.index(0, 0)).name == hub.entries[expected[0]].name


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"search": "WEB vit-l"}, [3]),
        ({"search": "tissue"}, [1]),
        ({"search": "commercial"}, [2]),
        ({"search": "nothing like it"}, []),
        ({"here": True}, [0]),
        ({"here": True, "search": "web"}, []),
        ({"architectures": ("ViT-L-14", "ViT-H-14")}, [3]),
        ({"architectures": ()}, [2, 3]),
    ],
)
def test_is_narrowed(shown, hub, asked, expected):
    shown.narrow(**{"search": "", "here": False, **asked})
    assert names(shown) == [hub.entries[place].name for place in expected]
    shown.narrow("", here=False)
    assert len(names(shown)) == 4


def test_what_a_licence_forbids_comes_first(hub):
    free, bound = hub.entries[1], hub.entries[2]
    assert license_in_words(free) == "MIT"
    assert license_in_words(bound) == "⚠ forbids commercial use (CC-BY-NC-4.0)"
    assert "<b>⚠ Its licence, CC-BY-NC-4.0, forbids commercial use.</b>" in describe_model(bound)
    assert "forbids" not in describe_model(free)


def test_says_where_it_is_and_how_finely_it_sees(hub):
    here, unknown, large = hub.entries[0], hub.entries[1], hub.entries[3]
    assert "on this machine" in describe_model(here)
    assert "12 x 12 patches of 8" in describe_model(here)
    assert "about 2.8 GB" in describe_model(large)
    assert "describe_model" not in describe_model(unknown)
    assert "Biomedical: stained tissue." in describe_model(unknown)


def test_says_which_package_is_missing(hub):
    entry = hub.entries[1]
    assert "not installed</b>: pip install no_such_package" in describe_model(entry)
    assert "which is installed" in describe_model(replace(entry, needs="json"))


def test_what_others_wrote_is_no_markup(hub):
    assert "<script>" not in describe_model(
        replace(hub.entries[0], note="<script>", data="<script>")
    )
