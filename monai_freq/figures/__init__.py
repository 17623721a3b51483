"""Figures with matplotlib, without a display."""

from .canvas import as_bytes, literal, new_figure
from .cases import DrawnCase, show_bands, show_regions
from .legend import legend_above, tidy
from .planes import PLANES, center_of, show_plane, three_planes
from .spectra import density_curve, density_map, mark_bands

__all__ = [
    "PLANES",
    "DrawnCase",
    "as_bytes",
    "center_of",
    "density_curve",
    "density_map",
    "legend_above",
    "literal",
    "mark_bands",
    "new_figure",
    "show_bands",
    "show_plane",
    "show_regions",
    "three_planes",
    "tidy",
]
