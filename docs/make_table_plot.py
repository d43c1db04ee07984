"""Make the plot of docs/tutorials/table.md by running the page's own code.

python docs/make_table_plot.py
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from PIL import Image
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser

from napari_clip_heatmap.files.sample_files import write_samples

DOCS = Path(__file__).parent.absolute()


def main() -> None:
    """Run the examples in a folder of their own, and keep the plot."""
    os.environ["MPLBACKEND"] = "agg"
    page = Sybil(parsers=[PythonCodeBlockParser()]).parse(DOCS / "tutorials" / "table.md")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        write_samples(Path("samples"))
        for example in page.examples():
            example.evaluate()
        plot = Image.open("plot.png").convert("RGB").quantize(256)
        plot.save(DOCS / "pictures" / "table.png", optimize=True)
        os.chdir(DOCS)


if __name__ == "__main__":
    main()
