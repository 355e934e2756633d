"""Figures; one module per kind. Each has a `draw` that gives figures by file name."""
