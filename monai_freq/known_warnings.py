"""Warnings of libraries about their own calls: the user of a bundle can do nothing about them."""

from __future__ import annotations

import logging
import warnings

__all__ = ["silence_known_warnings"]

#: start of the message, category, and module of the call; warnings about a caller's own code have another module
_KNOWN: tuple[tuple[str, type[Warning], str], ...] = (
    # MONAI 1.6 warns that each configuration is code; `python -m monai_freq run --help` says so once
    ("parsing config_file ", UserWarning, r"monai\.bundle\.scripts"),
    # MONAI 1.6 warns at each image, where pydicom is installed, of formats that need a GPU
    ("NvImgCodecPydicomReader: nvImageCodec decoder", UserWarning, r"monai\.data\.image_reader"),
    # MONAI 1.6's own calls
    (r"monai\.metrics\.utils get_mask_edges:always_return_as_numpy", FutureWarning, r"monai\.utils\.deprecate_utils"),
    (r"`torch\.cuda\.amp\.GradScaler", FutureWarning, r"monai\.engines\.trainer"),
    # torch's own calls, in the words of torch 2.15
    (r"`torch\.jit\.\w+` is deprecated", FutureWarning, r"torch\."),
)


def silence_known_warnings() -> None:
    """Silence the few warnings that MONAI and torch give about their own calls, from now on.

    A program that runs bundles calls this function; an import of this package does not.

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
    """Whether a log record is news: MONAI 1.6 logs that a second configuration lies in another folder, as ours do."""
    known = ("Not all config files are in ", "nvImageCodec is not available")
    return not record.getMessage().startswith(known)
