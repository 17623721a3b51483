"""The mathematics of spatial frequencies: torch tensors in, torch tensors out."""

from ..lazy import lazy_submodules

__all__ = [
    "attenuation",
    "band_grid",
    "band_match",
    "bands",
    "basis",
    "cache",
    "compiled",
    "flags",
    "frequency_axis",
    "frequency_unit",
    "hann",
    "kaiser_bessel",
    "learning_priority",
    "noise_sigma",
    "nonlocal_means",
    "patch_averages",
    "patch_kernel",
    "photon_kernels",
    "photon_statistics",
    "polar_grid",
    "polar_kernels",
    "polar_spectrum",
    "precision",
    "psd",
    "ramp_filter",
    "scalars",
    "theta",
    "tomography",
    "whiten",
]

__getattr__, __dir__ = lazy_submodules(__name__, __all__)
