"""What a job can be given: files, folders, stacks, plates; each found and read by its own kind."""
