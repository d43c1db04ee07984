from __future__ import annotations

from dataclasses import replace

from napari_clip_heatmap._napari.views.model_table import describe_model, license_in_words


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
