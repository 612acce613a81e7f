"""Scores: how much a person would like a picture, how much of a subject or a prompt is in it, how various pictures are."""
