"""The first call of what is compiled when it is first used, in a new process: nothing on disk yet, then from disk."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import measure
from builds import TODAY
from measure import Clocks, Target, Times

#: What a user calls first, on a small image -> its imports, its call
CALLS: dict[str, tuple[str, str]] = {
    "`nonlocal_means`, 2D": (
        "from monai_freq.spectral.nonlocal_means import nonlocal_means",
        "nonlocal_means(torch.rand(1, 64, 64), 0.1, spatial_dims=2, sigma=0.05)",
    ),
    "`nonlocal_means`, 3D": (
        "from monai_freq.spectral.nonlocal_means import nonlocal_means",
        "nonlocal_means(torch.rand(1, 24, 24, 24), 0.1, spatial_dims=3, sigma=0.05)",
    ),
    "`PhotonNoise`": (
        "from monai_freq.transforms import PhotonNoise",
        "PhotonNoise(4096.0, 90, extent_mm=260)(torch.zeros(1, 64, 64))",
    ),
    "`split`": (
        "from monai_freq.spectral.bands import split",
        "split(torch.rand(1, 1, 64, 64, 32), 0.1, spatial_dims=3)",
    ),
}
COLD, WARM = "nothing on disk", "from disk"
BOUNDS = {COLD: 15.0, WARM: 1.0}


def main() -> None:
    """Time the first calls in turn, print, and write the section."""
    arguments = measure.options(__doc__ or "", rounds=3)
    found: dict[str, Times] = {name: {COLD: [], WARM: []} for name in CALLS}
    for _ in range(1 if arguments.quick else arguments.rounds):
        for name, times in found.items():
            with tempfile.TemporaryDirectory() as cache:
                for state in (COLD, WARM):
                    times[state].append(first_call(*CALLS[name], cache))
    measure.publish("First call", report(found), arguments)


def first_call(imports: str, call: str, cache: str) -> Clocks:
    """Time of a call in a new process that has made the imports, with its compiled code in a folder."""
    beside = str(Path(__file__).parent)
    lines = (
        f"import json, sys; sys.path.append({beside!r}); import measure, torch; {imports}",
        f"spent = measure.timed(lambda: {call})",
        "print(json.dumps([spent.wall, spent.cpu]))",
    )
    return Clocks(*json.loads(TODAY.run(["-c", "\n".join(lines)], {"NUMBA_CACHE_DIR": cache}).splitlines()[-1]))


def report(found: Mapping[str, Times]) -> Iterator[measure.Part]:
    """Parts of the section."""
    yield (
        "Seconds of the first call in a new process, on a small image, after its imports: with an empty folder for "
        "compiled code, so that all loops are compiled, and again with what the first process has left there."
    )
    yield measure.targets_table(targets(found))
    yield measure.table(["call", *BOUNDS], rows(found))


def rows(found: Mapping[str, Times]) -> Iterator[Sequence[object]]:
    for name, times in found.items():
        yield [name, *(measure.median(times[state]) for state in BOUNDS)]


def targets(found: Mapping[str, Times]) -> Iterator[Target]:
    for name, times in found.items():
        for state, bound in BOUNDS.items():
            yield f"{name}: seconds of the first call, {state}", measure.median(times[state]), bound, False


if __name__ == "__main__":
    main()
