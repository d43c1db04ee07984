"""Examples: prompts made by clicking on places."""
