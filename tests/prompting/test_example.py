"""The record of an example: what it keeps, what it refuses, and its way into a file and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_clip_heatmap.errors import MESSAGE_LIMIT, PromptError
from napari_clip_heatmap.prompting.example import Example
from napari_clip_heatmap.prompting.language import distinct, parse_prompt
from napari_clip_heatmap.prompting.prompt_set import Entry, PromptSet, load_set, save_set


def make(name="my vesicles", direction=(0.6, 0.8), **changed):
    values = {
        "model": "demo",
        "weights_sha256": "a" * 64,
        "positive": 3,
        "negative": 2,
        "words": "vesicles",
        "weight": 0.5,
        "recipe": "a recipe",
        "dependence": 1.5,
        "leave_one_out": 0.9,
        "background": 0.1,
        "foreground": 0.4,
        "token": 2 * np.array(direction, np.float32),
        "spread": 0.7,
    }
    return Example(name=name, direction=np.array(direction, np.float32), **{**values, **changed})


directions = arrays(np.float32, st.integers(1, 40), elements=st.floats(-1, 1, width=32)).filter(
    lambda each: np.linalg.norm(each) > 1e-3
)
names = st.text(min_size=1, max_size=40).filter(
    lambda text: text.strip().rstrip(", ") and "|" not in text and "-" not in text
)


@given(direction=directions, name=names, left=st.none() | st.floats(0, 1))
def test_a_record_gives_back_the_example(direction, name, left):
    direction = direction / np.linalg.norm(direction)
    title = parse_prompt(name).text
    example = make(title, direction, leave_one_out=left)
    assert Example.restore(example.describe()) == example
    assert hash(Example.restore(example.describe())) == hash(example)


@given(direction=directions, name=names)
def test_a_set_with_examples_goes_to_a_file_and_back(tmp_path_factory, direction, name):
    example = make(parse_prompt(name).text, direction / np.linalg.norm(direction))
    path = tmp_path_factory.mktemp("sets") / "mixed.yaml"
    rows = (Entry(prompt="nuclei - background"), Entry(prompt=example.name, example=example))
    save_set(PromptSet(name="mixed", prompts=rows), path)
    assert load_set(path).rows == ("nuclei - background", example)
    assert load_set(path).lines == ("nuclei - background", example.name)


def test_an_example_alone_goes_to_a_file_and_back(tmp_path):
    example = make()
    path = example.save(tmp_path / "mine.yaml")
    assert Example.load(path) == example
    assert Example.load(str(path)).direction.dtype == np.float32


def test_a_direction_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        make().direction[0] = 1


def test_examples_differ_where_anything_in_them_does():
    assert make() == make()
    assert make() != make(weight=0.4)
    assert make() != make(direction=(0.8, 0.6))
    assert make() != "my vesicles"


def test_other_weights_are_refused_in_words():
    make().require_model("demo", "a" * 64)
    with pytest.raises(PromptError) as refused:
        make(name="x" * 500, model="y" * 500).require_model("z" * 500, "b" * 64)
    message = str(refused.value)
    assert len(message) <= MESSAGE_LIMIT
    assert "aaaaaaaaaaaa" in message
    assert "bbbbbbbbbbbb" in message
    assert "Encoding.example" in message


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"direction": "AAAA"}, "direction"),
        ({"direction": "not base64!"}, "damaged"),
        ({"direction": 7}, "0 numbers"),
        ({"direction": "AACAPw=="}, "'token' has 2 numbers"),
        ({"token": "AAAA"}, "damaged"),
        ({"token": "AADAfwAAwH8="}, "finite"),
        ({"positive": -1}, "positive"),
        ({"positive": 1.5}, "positive"),
        ({"weight": float("nan")}, "weight"),
        ({"model": 3}, "model"),
        ({"name": "a | b"}, "synonyms"),
        ({"name": " "}, "blank|word"),
        ({"extra": 1}, "unknown 'extra'"),
    ],
)
def test_a_damaged_record_is_refused_in_words(changed, said):
    record = {**make().describe(), **changed}
    with pytest.raises(PromptError, match=said):
        Example.restore(record)


def test_a_record_that_lacks_something_is_refused():
    for key in make().describe():
        record = make().describe()
        del record[key]
        with pytest.raises(PromptError, match=f"no '{key}'"):
            Example.restore(record)
    with pytest.raises(PromptError, match="mapping"):
        Example.restore("vesicles")


def test_files_for_examples_are_yaml_and_hold_one(tmp_path):
    with pytest.raises(PromptError, match=r"\.yaml"):
        make().save(tmp_path / "mine.txt")
    path = tmp_path / "words.yaml"
    save_set(PromptSet(prompts=(Entry(prompt="nuclei"),)), path)
    with pytest.raises(PromptError, match="not one example"):
        Example.load(path)


@pytest.mark.parametrize("ending", ["csv", "txt"])
def test_files_that_hold_words_only_refuse_examples(tmp_path, ending):
    rows = (Entry(prompt="nuclei"), Entry(prompt="my vesicles", example=make()))
    with pytest.raises(PromptError, match="my vesicles"):
        save_set(PromptSet(prompts=rows), tmp_path / f"set.{ending}")
    assert not (tmp_path / f"set.{ending}").exists()


def test_an_entry_has_the_name_of_its_example(tmp_path):
    path = make().save(tmp_path / "mine.yaml")
    path.write_text(path.read_text().replace("prompt: my vesicles", "prompt: others"))
    with pytest.raises(PromptError, match="another name"):
        load_set(path)


def test_an_example_counts_once_and_shares_its_name_with_no_words():
    example, same = make(), make()
    rows = distinct(["nuclei", example, same, "nuclei"])
    assert [each.row for each in rows] == ["nuclei", example]
    assert [each.compared for each in rows] == [True, False]
    assert [each.row for each in distinct(example)] == [example]
    for other in ("my vesicles", "my  vesicles", make(weight=0.1)):
        with pytest.raises(PromptError, match="called"):
            distinct([example, other])
