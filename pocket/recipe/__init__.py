"""How the shipped weights were made; nothing here is imported when the pack runs."""
