"""Files of prompts with any content."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import strategies as st

from napari_clip_heatmap.prompting.prompt_set import load_set, save_set

plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
tree = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner)
)
entry = st.text(max_size=9) | st.fixed_dictionaries(
    {}, optional={"prompt": st.text(max_size=9) | tree, "colormap": st.just("jet") | tree}
)
sets = st.fixed_dictionaries(
    {}, optional={"prompts": st.lists(entry, max_size=4) | tree, "name": tree, "templates": tree}
)
prompt = st.text("abcdefgh \u00b5|-", min_size=1, max_size=12).map(lambda text: f"x{text}y")
good_sets = st.fixed_dictionaries(
    {
        "prompts": st.lists(
            prompt
            | st.fixed_dictionaries(
                {"prompt": prompt}, optional={"colormap": st.sampled_from(["jet", "gray"])}
            ),
            min_size=1,
            max_size=5,
        )
    },
    optional={
        "name": st.text(max_size=9),
        "templates": st.sampled_from(["plain", ["a photo of {}"], ["{}", "one {}"]]),
    },
)
"""Most of these are accepted, so that what follows reading is tried, too."""
json_text = st.one_of(
    good_sets.map(json.dumps),
    (sets | tree).map(json.dumps),
    st.text(alphabet='{}[]",:\\ \n0a', max_size=60),
    st.integers(1, 60_000).map(lambda depth: "[" * depth),
)
yaml_text = st.one_of(
    good_sets.map(yaml.safe_dump),
    (sets | tree).map(json.dumps),
    st.text(alphabet="[]{}&*!:,-#'\" \n\tab1|>%@", max_size=60),
    st.integers(1, 60_000).map(lambda depth: "[" * depth),
    st.integers(1, 40).map(
        lambda n: "\n".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(n))
    ),
    st.just("prompts: [nuclei]\n"),
)
csv_text = st.one_of(
    st.text(alphabet='prompt,;\t"\n\r\x00a', max_size=60),
    st.lists(st.lists(st.text(max_size=6), min_size=1, max_size=3).map(",".join), max_size=4).map(
        lambda rows: "prompt,colormap\n" + "\n".join(rows)
    ),
    st.integers(1, 200_000).map(lambda n: 'prompt\n"' + "a" * n),
    st.lists(prompt, min_size=1, max_size=4).map(lambda rows: "prompt\n" + "\n".join(rows)),
)


@pytest.mark.parametrize(
    ("ending", "content"),
    [(".yaml", yaml_text), (".csv", csv_text), (".txt", st.text()), (".json", json_text)],
)
def test_files_of_prompts(fuzz, tmp_path, ending, content):
    path, again = tmp_path / f"set{ending}", tmp_path / "again.yaml"

    def read(data):
        path.write_bytes(data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass"))
        found = load_set(path)
        assert found.lines
        save_set(found, again)
        assert load_set(again) == found

    fuzz(content | st.binary(max_size=40), read)
