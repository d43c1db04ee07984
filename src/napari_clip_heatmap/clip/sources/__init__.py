"""Where weights come from: names, folders, checkpoints, other libraries' formats."""
