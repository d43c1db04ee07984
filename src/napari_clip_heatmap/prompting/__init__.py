"""What the user may write for a prompt, and files with sets of prompts; knows no model."""
