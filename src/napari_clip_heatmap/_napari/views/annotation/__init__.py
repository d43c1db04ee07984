"""What is on screen of objects: controls, plots, a table, questions."""
