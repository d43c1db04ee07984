"""Controllers: they listen to the dock's state and views, and act on the viewer."""
