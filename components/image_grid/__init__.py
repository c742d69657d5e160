"""The gallery: every picture, smooth at 100,000 of them, with filter, selection and lightbox."""

from components.image_grid.image_grid import SHEETS, ImageGrid, Removal

__all__ = ["SHEETS", "ImageGrid", "Removal"]
