from __future__ import annotations

from dataclasses import replace

from napari_clip_heatmap._napari.views.model_table import about, licence_in_words


def test_what_a_licence_forbids_comes_first(hub):
    free, bound = hub.entries[1], hub.entries[2]
    assert licence_in_words(free) == "MIT"
    assert licence_in_words(bound) == "⚠ forbids commercial use (CC-BY-NC-4.0)"
    assert "<b>⚠ Its licence, CC-BY-NC-4.0, forbids commercial use.</b>" in about(bound)
    assert "forbids" not in about(free)


def test_says_where_it_is_and_how_finely_it_sees(hub):
    here, unknown, large = hub.entries[0], hub.entries[1], hub.entries[3]
    assert "on this machine" in about(here)
    assert "12 x 12 patches of 8" in about(here)
    assert "about 2.8 GB" in about(large)
    assert "about" not in about(unknown)
    assert "Biomedical: stained tissue." in about(unknown)


def test_says_which_package_is_missing(hub):
    entry = hub.entries[1]
    assert "not installed</b>: pip install no_such_package" in about(entry)
    assert "which is installed" in about(replace(entry, needs="json"))


def test_what_others_wrote_is_no_markup(hub):
    assert "<script>" not in about(replace(hub.entries[0], note="<script>", data="<script>"))
