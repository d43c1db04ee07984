"""The tiles of planes: read, encoded, kept until their image is done."""
