"""Memory that a run has freed: kept for its next tensors, instead of being handed back to the system each time."""

from __future__ import annotations

import ctypes
import os

__all__ = ["keep_freed_memory"]

#: of glibc's malloc.h
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
#: bytes of a block that is still taken from the kept memory; glibc before 2.35 refuses more than the second
_LARGEST = (2**30, 2**25)
_ALL = 2**31 - 1
#: environment variables in which a user has chosen; of the last, what is about memory
_CHOICES = ("MALLOC_MMAP_MAX_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TOP_PAD_", "MALLOC_TRIM_THRESHOLD_")
_TUNABLES = "GLIBC_TUNABLES"


def keep_freed_memory() -> bool:
    """Have the C library keep what is freed for the next request of this process, and of those that it forks.

    glibc returns large blocks to the system as soon as they are freed. A training step frees and asks for the same
    hundreds of megabytes again, and the kernel then fills each page with zeros anew. For a small network on a CPU that
    took a few percent of the time of a step on an idle machine, and a quarter beside other work. No number changes. The
    largest amount that a process holds at a time stays the same within a few percent; it is given back when the process
    ends.

    Returns:
        Whether it does; False with another C library, and where an environment variable, such as
        ``MALLOC_TRIM_THRESHOLD_``, says how glibc is to do it.

    Reference:
        The GNU C Library Reference Manual, "Malloc Tunable Parameters".

    Example:
        >>> import sys
        >>> keep_freed_memory() in ((True, False) if sys.platform == "linux" else (False,))
        True
    """
    if any(name in os.environ for name in _CHOICES) or "glibc.malloc." in os.environ.get(_TUNABLES, ""):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # of another C library; of Windows, which has no None
        return False
    kept = any(mallopt(_MMAP_THRESHOLD, size) for size in _LARGEST)
    return bool(kept and mallopt(_TRIM_THRESHOLD, _ALL))
