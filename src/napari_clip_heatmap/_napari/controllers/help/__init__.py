"""What a newcomer is told, and which prompts begin."""
