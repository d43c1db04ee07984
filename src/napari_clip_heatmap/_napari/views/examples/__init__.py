"""Controls and menus for prompts made by clicking on places."""
