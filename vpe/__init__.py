"""Comments → preferences: pure Python, no host."""
