from __future__ import annotations

import copy

import numpy as np
import pytest

from napari_clip_heatmap.annotation.object_table import Table
from napari_clip_heatmap.errors import SettingsError


@pytest.fixture
def table():
    return Table({"label": np.array([1, 2, 5]), "prompt": np.array(["a", "b", "a"], object)})


def test_columns_are_there_by_name(table):
    assert table.names == ("label", "prompt")
    assert len(table) == 3
    assert table["label"] is table.label
    assert list(table.rows())[1] == {"label": 2, "prompt": "b"}


def test_rows_can_be_chosen(table):
    assert table.where(table["prompt"] == "a")["label"].tolist() == [1, 5]


def test_pandas_has_the_same(table):
    frame = table.to_pandas()
    assert list(frame.columns) == ["label", "prompt"]
    assert frame["label"].tolist() == [1, 2, 5]


def test_a_table_can_be_copied(table):
    assert copy.copy(table)["label"].tolist() == [1, 2, 5]


def test_a_column_that_is_not_there_is_named(table):
    with pytest.raises(AttributeError, match="no column 'area'; it has label, prompt"):
        table.area  # noqa: B018


def test_columns_of_different_length_are_refused():
    with pytest.raises(SettingsError, match="equally long"):
        Table({"a": np.zeros(2), "b": np.zeros(3)})
