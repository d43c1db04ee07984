"""Many images, stacks, plates and slides: jobs that go on where they were cut, on many workers."""
