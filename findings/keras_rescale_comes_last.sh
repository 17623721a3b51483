#!/usr/bin/env bash
# Keras: ImageDataGenerator(rescale=1/255, preprocessing_function=preprocess_input), as RadImageNet's programs load images.
# One would guess that rescale, which is written first, comes first: images in [0, 1] less the means 103.939, 116.779 and
# 123.68, as a public report on these programs reads it (https://github.com/BMEII-AI/RadImageNet/issues/18).
# What happens: the function is applied first and the rescaling last, whatever the order of the arguments, so that the network
# sees (blue, green, red - means) / 255, between -.49 and .59. Whoever takes the guess for weights feeds about -104.
# Seen with keras-preprocessing 1.1.2 (that of the TensorFlow 2 of these programs) and with keras 3.15.1.
# Source: https://github.com/keras-team/keras-preprocessing/blob/1.1.2/keras_preprocessing/image/image_data_generator.py
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0
"$folder/venv/bin/pip" install --quiet keras-preprocessing==1.1.2 keras==3.15.1 numpy==2.4.6 scipy==1.17.1 pillow==12.1.1
KERAS_BACKEND=torch "$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import numpy as np
from keras.applications.imagenet_utils import preprocess_input
from keras.src.legacy.preprocessing.image import ImageDataGenerator as NewGenerator
from keras_preprocessing.image import ImageDataGenerator

for name in ("keras-preprocessing", "keras", "numpy"):
    print(name, version(name))
white = np.full((2, 2, 3), 255.0, dtype="float32")
means = np.array([103.939, 116.779, 123.68])
guessed, happens = 255 / 255 - means, (255 - means) / 255
for generator in (ImageDataGenerator, NewGenerator):
    for options in (
        {"rescale": 1 / 255, "preprocessing_function": preprocess_input},
        {"preprocessing_function": preprocess_input, "rescale": 1 / 255},
    ):
        seen = generator(**options).standardize(white.copy())[0, 0]
        print(generator.__module__, "arguments", *options, "-> a white pixel is", seen)
        assert np.allclose(seen, happens, atol=1e-5), "the behaviour has changed"
print("guessed:", guessed)
PYTHON
