#!/usr/bin/env bash
# One would guess: Image.open of a path and of the same file opened before give the same picture.
# What happens: not for an uncompressed TIFF whose orientation tag turns it by a quarter (5 to 8), as slide scanners and
# cameras write them. Pillow turns a TIFF as it loads it, which it does not do to JPEG or PNG, and exchanges width and height
# when it opens it. A file that it is given by name it maps to memory with these, before it turns it: the rows have the
# wrong length, and the picture is scrambled. A stream, or LZW compression, gives the right picture.
# Seen with pillow 13.0.0. Source: PIL/TiffImagePlugin.py (_setup, load_end) and PIL/ImageFile.py (load, use_mmap).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pillow==13.0.0 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys

import numpy as np
import PIL
from PIL import Image

print("pillow", PIL.__version__)
stored = np.arange(54, dtype=np.uint8).reshape(6, 9)
upright = np.rot90(stored, -1)  # what orientation 6 means
found = []
for compression in ("raw", "tiff_lzw"):
    Image.fromarray(stored).save("a.tif", tiffinfo={274: 6}, compression=compression)
    with open("a.tif", "rb") as stream:
        of_stream = np.array(Image.open(stream))
    by_name = np.array(Image.open("a.tif"))
    found.append((np.array_equal(by_name, upright), np.array_equal(of_stream, upright)))
    print(f"{compression}: upright when opened by name {found[-1][0]}, as a stream {found[-1][1]}")
    print(f"  by name, {by_name.shape}: {by_name[0].tolist()} ...; upright, {upright.shape}: {upright[0].tolist()} ...")
sys.exit(found != [(False, True), (True, True)])
PYTHON
