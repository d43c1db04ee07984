"""The napari plugin: the only folder that knows napari, magicgui and Qt."""
