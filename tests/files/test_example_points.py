"""Points of an example in CSV: as people and napari write them, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Points
from npe2 import PluginManager

from napari_clip_heatmap.errors import PromptError
from napari_clip_heatmap.files.example_points import read_example_points


def write(tmp_path, text):
    path = tmp_path / "points.csv"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "text",
    [
        "y,x,sign\n1,2,+\n3.5,4,-\n5,6,\n",
        "\ufeffindex,Y,X,Label\n0,1,2,1\n1,3.5,4,0\n2,5,6,positive\n",
        "index,axis-0,axis-1,sign\n0,1,2,+\n1,3.5,4,negative\n2,5,6,+1\n",
        '"x","y","sign"\n"2","1","true"\n"4","3.5","-1"\n"6","5","yes"\n',
    ],
)
def test_points_and_signs_are_read(tmp_path, text):
    positive, negative = read_example_points(write(tmp_path, text))
    assert positive.tolist() == [[1, 2], [5, 6]]
    assert negative.tolist() == [[3.5, 4]]


def test_without_signs_all_points_are_positive(tmp_path):
    positive, negative = read_example_points(write(tmp_path, "y,x\n1,2\n"))
    assert positive.shape == (1, 2)
    assert negative.shape == (0, 2)


def test_what_napari_writes_is_read(tmp_path):
    layer = Points(np.array([[1.0, 2.0], [3.0, 4.0]]), features={"sign": ["+", "-"]})
    PluginManager.instance().discover()  # napari's own writers
    (path,) = layer.save(str(tmp_path / "saved.csv"), plugin="napari")
    positive, _ = read_example_points(type(tmp_path)(path))
    assert positive[0].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "positions"),
        ("a,b\n1,2\n", "positions"),
        ("y,x,sign,label\n1,2,+,+\n", "only one"),
        ("y,x\n1,\n", "line 2"),
        ("y,x\n1,two\n", "line 2"),
        ("y,x,sign\n1,2,+\n1,2,maybe\n", "line 3"),
        ('y,x\n"1,2\n', "table"),
    ],
)
def test_what_is_no_table_of_points_is_refused_in_words(tmp_path, text, said):
    with pytest.raises(PromptError, match=said):
        read_example_points(write(tmp_path, text))


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(PromptError, match="cannot be read"):
        read_example_points(tmp_path / "none.csv")
