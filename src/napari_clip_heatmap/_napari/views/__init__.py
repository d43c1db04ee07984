"""What is on screen: Qt and magicgui only, no decisions."""
