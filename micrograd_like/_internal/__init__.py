"""Helpers that several rooms of the package share and nobody outside needs."""
