"""Pictures with matplotlib, without a display."""

from .canvas import new_figure
from .planes import PLANES, center_of, show_plane, three_planes
from .spectra import density_curve, density_map

__all__ = ["PLANES", "center_of", "density_curve", "density_map", "new_figure", "show_plane", "three_planes"]
