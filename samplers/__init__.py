"""Shift, guidance and their bridge to the host's samplers."""
