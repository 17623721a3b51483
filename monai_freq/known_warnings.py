"""Warnings that libraries give about calls of their own, which whoever runs a bundle can do nothing about."""

from __future__ import annotations

import logging
import warnings

__all__ = ["silence_known_warnings"]

#: beginning of the message, category and module that it is said of: those of a caller's own code have another module
_KNOWN: tuple[tuple[str, type[Warning], str], ...] = (
    # MONAI 1.6, of every configuration: that it is code, which `python -m monai_freq run --help` says once
    ("parsing config_file ", UserWarning, r"monai\.bundle\.scripts"),
    # MONAI 1.6, of each image that it is to load, where pydicom is installed, for formats that need a GPU
    ("NvImgCodecPydicomReader: nvImageCodec decoder", UserWarning, r"monai\.data\.image_reader"),
    # MONAI 1.6's own calls
    (r"monai\.metrics\.utils get_mask_edges:always_return_as_numpy", FutureWarning, r"monai\.utils\.deprecate_utils"),
    (r"`torch\.cuda\.amp\.GradScaler", FutureWarning, r"monai\.engines\.trainer"),
    # torch's own calls, as torch 2.15 says it
    (r"`torch\.jit\.\w+` is deprecated", FutureWarning, r"torch\."),
)


def silence_known_warnings() -> None:
    """Leave out, from now on, the few warnings that MONAI and torch give about calls of their own.

    A program that runs bundles calls it; an import of this package does not.

    Example:
        >>> with warnings.catch_warnings(record=True, action="always") as heard:
        ...     silence_known_warnings()
        ...     warnings.warn("the learning rate is 0", stacklevel=1)
        >>> [str(one.message) for one in heard]
        ['the learning rate is 0']
    """
    for message, category, module in _KNOWN:
        warnings.filterwarnings("ignore", message, category, module)
    for name in ("monai.bundle.workflows", "monai.data.nvimgcodec_pydicom_plugin"):
        logging.getLogger(name).addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    """MONAI 1.6 says of a second configuration where it looks for files, which ours have beside the first."""
    known = ("Not all config files are in ", "nvImageCodec is not available")
    return not record.getMessage().startswith(known)
