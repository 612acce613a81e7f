"""The pocket model: the embedded default (loader, recipe, weights)."""
