"""Images read from files, as their own metadata say they are to be seen."""
