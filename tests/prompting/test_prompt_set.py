from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from napari_clip_heatmap.errors import PromptError
from napari_clip_heatmap.prompting.language import TEMPLATES, parse_prompt
from napari_clip_heatmap.prompting.prompt_set import (
    SUFFIXES,
    Entry,
    PromptSet,
    find_set,
    load_set,
    save_set,
    shipped_set,
    shipped_sets,
)

text = st.text(
    st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1, max_size=12
)


def readable(line):
    try:
        return parse_prompt(line).text == line and not line.startswith("#")
    except PromptError:
        return False


prompts = st.builds(
    Entry,
    prompt=text.filter(readable),
    colormap=st.sampled_from(["", "magenta", "viridis"]),
)
sets = st.builds(
    PromptSet,
    name=text,
    description=st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=20),
    templates=st.sampled_from([*TEMPLATES, ("a {} here", "{}")]),
    prompts=st.lists(prompts, min_size=1, max_size=5).map(tuple),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(sets)
def test_yaml_holds_all_csv_the_table_and_txt_the_words(tmp_path, one):
    for suffix in SUFFIXES:
        save_set(one, tmp_path / f"set{suffix}")
    assert load_set(tmp_path / "set.yaml") == load_set(tmp_path / "set.yml") == one
    assert load_set(tmp_path / "set.csv").prompts == one.prompts
    assert [each.prompt for each in load_set(tmp_path / "set.txt").prompts] == [
        each.prompt for each in one.prompts
    ]


def test_a_table_from_a_spreadsheet_and_a_list_with_remarks(tmp_path):
    table = tmp_path / "table.csv"
    table.write_bytes(b"\xef\xbb\xbfprompt,colormap\r\nnuclei,\r\na | b,gray\r\n,\r\n")
    assert load_set(table).prompts == (
        Entry(prompt="nuclei"),
        Entry(prompt="a | b", colormap="gray"),
    )
    lines = tmp_path / "lines.txt"
    lines.write_text("# organelles\n\n nuclei \nmitochondria - background\n", encoding="utf-8")
    assert load_set(lines).lines == ("nuclei", "mitochondria - background")
    assert load_set(lines).name == "lines"


@pytest.mark.parametrize(
    ("name", "content", "reported"),
    [
        ("a.yaml", "prompts: [nuclei, 3]", "prompts 2"),
        ("a.yaml", "prompts: []", "prompts"),
        ("a.yaml", "prompts: [nuclei]\ncolor: red", "color"),
        ("a.yaml", "{", "understood"),
        ("a.yaml", "nuclei", "a list of prompts"),
        ("a.yaml", "templates: holography\nprompts: [nuclei]", "holography"),
        ("a.yaml", "prompts: ['nuclei |']", "a word is missing"),
        ("a.yaml", "!!python/object/apply:os.getcwd []", "understood"),
        ("a.yaml", "[" * 5000 + "]" * 5000, "nested"),
        ("a.yaml", "a: &a [x]\nprompts: [*a, *a]", "alias"),
        ("a.yaml", "prompts: &p [nuclei, *p]", "alias"),
        ("a.yaml", "1: 2\nprompts: [nuclei]", "key 1"),
        ("a.yaml", "prompts: [2024-01-01]", "prompts 1"),
        ("a.yaml", "prompts:\n- {prompt: nuclei, colormap: [jet]}", "colormap"),
        ("a.yaml", "prompts: ['" + "x" * 20000 + "']", "20000 characters"),
        ("a.csv", "name\nnuclei\n", "column"),
        ("a.csv", "prompt,Prompt\na,b\n", "exactly one"),
        ("a.csv", "prompt\nnuclei, small\n", "double quotes"),
        ("a.csv", "prompt,color\nnuclei,red\n", "prompts 1 color"),
        ("a.txt", "# nothing\n", "prompts"),
        ("a.txt", "nuclei\n" * 200_000, "MB"),
        ("a.md", "nuclei", "accepted"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_with_its_name_and_the_place(
    tmp_path, name, content, reported
):
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    with pytest.raises(PromptError, match=reported) as caught:
        load_set(path)
    assert name in str(caught.value)


def test_what_cannot_be_read_or_written_is_told(tmp_path):
    with pytest.raises(PromptError, match="cannot be read"):
        load_set(tmp_path / "absent.yaml")
    (tmp_path / "latin.txt").write_bytes("Übersicht".encode("latin-1"))
    with pytest.raises(PromptError, match="UTF-8"):
        load_set(tmp_path / "latin.txt")
    one = PromptSet(prompts=["nuclei"])
    with pytest.raises(PromptError, match="no ending"):
        save_set(one, tmp_path / "set.doc")
    with pytest.raises(PromptError, match="cannot be written"):
        save_set(one, tmp_path / "absent" / "set.txt")


def test_the_shipped_sets_are_good_and_found_by_name():
    assert {"blood smear", "everyday objects", "histology", "organelles"} == set(shipped_sets())
    for name in shipped_sets():
        assert len(find_set(name).lines) >= 4
        assert find_set(name) == shipped_set(name)
    with pytest.raises(PromptError, match="organelles"):
        find_set("plants")


@pytest.mark.parametrize(
    "content",
    [
        "Prompt;Colormap\nnuclei;gray\nactin, thin;\n",
        'PROMPT,colormap\nnuclei,gray\n"actin, thin",\n',
        " prompt \tcolormap\nnuclei\tgray\nactin, thin\t\n",
    ],
)
def test_headers_in_any_case_and_other_separators_read_the_same(tmp_path, content):
    path = tmp_path / "a.csv"
    path.write_text(content, encoding="utf-8")
    assert load_set(path).prompts == (
        Entry(prompt="nuclei", colormap="gray"),
        Entry(prompt="actin, thin"),
    )


@pytest.mark.parametrize("separator", ["\x85", "\u2028", "\u2029", "\x0b", "\n", "\ufeff"])
def test_rare_line_breaks_survive_in_yaml(tmp_path, separator):
    text = f"a{separator}b"
    chosen = PromptSet(
        name=text,
        description=f"{text}{separator}",
        prompts=(Entry(prompt="nuclei", colormap=f" {text}{separator}"),),
    )
    save_set(chosen, tmp_path / "a.yaml")
    assert load_set(tmp_path / "a.yaml") == chosen


def test_a_colormap_is_read_without_blanks_around_it(tmp_path):
    (tmp_path / "a.csv").write_text("prompt, colormap\nnuclei, gray\x85\n", encoding="utf-8")
    assert load_set(tmp_path / "a.csv").prompts[0].colormap == "gray"
