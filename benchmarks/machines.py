"""The machine of a run: the kind of its processor, and one line about all that the figures depend on."""

from __future__ import annotations

import os
import platform
import re
from datetime import date
from importlib.metadata import version
from pathlib import Path

import torch

__all__ = ["kind", "machine", "short_name"]

#: What torch calls a level of vector instructions -> what everybody does
_LEVELS = {"AVX512": "AVX-512", "NO AVX": "no AVX2", "DEFAULT": "no AVX2"}
#: What differs between machines of one kind, or says nothing: trademarks, clock rates, numbers of cores.
_NOISE = r"\((?:R|TM|C)\)|@.*|\b(?:\d+-Core|Processor|CPU)\b"


def kind() -> str:
    """Short name of the kind of machine: processor, level of its vector instructions, and the GPU if there is one.

    The level is the one that torch uses. It tells generations apart whose names clouds hide.
    """
    level = torch.backends.cpu.get_cpu_capability()
    gpu = [torch.cuda.get_device_name()] if torch.cuda.is_available() else []
    return ", ".join([short_name(_model()), _LEVELS.get(level, level), *gpu])


def short_name(model: str) -> str:
    """Name of a processor that all machines of its kind share.

    >>> short_name("Intel(R) Xeon(R) Platinum 8370C CPU @ 2.80GHz"), short_name("AMD EPYC 7763 64-Core Processor")
    ('Intel Xeon Platinum 8370C', 'AMD EPYC 7763')
    """
    return " ".join(re.sub(_NOISE, " ", model).split())


def machine(threads: int, commit: str) -> str:
    """One line about the day, the machine and the versions, on which the figures depend."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no CUDA device was present"
    versions = f"Python {platform.python_version()}, torch {torch.__version__}, monai {version('monai')}"
    cpu = f"{_model()}, {os.cpu_count()} cores, {threads} intra-op thread{'s' if threads > 1 else ''}"
    return f"{date.today().isoformat()}, commit {commit}; {cpu}; {gpu}; {versions}."


def _model() -> str:
    """Name of the processor, as the system gives it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
