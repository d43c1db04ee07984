"""Write the table of architectures that the catalog of models reads.

Run it after a family of image towers was added, or for a newer open_clip:
``python docs/make_architectures.py``.
"""

from __future__ import annotations

import json
from pathlib import Path

from open_clip.pretrained import list_pretrained

from napari_clip_heatmap.clip import catalog as architectures
from napari_clip_heatmap.clip.catalog import TABLE_NAME, format_table, read_architecture


def main() -> None:
    """Measure every architecture that has released weights."""
    listed = dict.fromkeys(arch for arch, _ in list_pretrained())
    table = {
        name: format_table(read_architecture(name)) for name in ("demo", "BiomedCLIP", *listed)
    }
    rows = (f"  {json.dumps(name)}: {json.dumps(entry)}" for name, entry in table.items())
    path = Path(architectures.__file__).with_name(TABLE_NAME)
    path.write_text("{\n" + ",\n".join(rows) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
