#!/bin/sh
# The study of four sizes that docs/results/hippocampus.md names: about five hours of one core for the main table, ten with the variants.
#
#     sh docs/results/hippocampus.sh /data/Task04_Hippocampus out/hippocampus
#
# Chosen before the first run: the paper's division (166 cases for training, 42 for validation, 52 for testing), sizes and
# draws; the bundle's network, batches of 2 and learning rate; for all the same number of steps, 664, which are 8 epochs of
# all 166 cases, so that the report can judge whether they have converged. The weights are those of the best validation.
#
# Started again, it goes on where it was. Draws come a few at a time, so that at any moment all arms have about as many.
set -e
data=${1:?"name the data and a folder for the results, as in: sh docs/results/hippocampus.sh /data/Task04_Hippocampus out"}
out=${2:?"name a folder for the results, as in: sh docs/results/hippocampus.sh /data/Task04_Hippocampus out/hippocampus"}
python=${PYTHON:-python}

study() { # sizes, then options
    sizes=$1
    shift
    "$python" -m monai_freq.study run bundles/hippocampus_fd --data "hippocampus_fd=$data" --sizes $sizes \
        --draws "$draws" --steps 664 --output_dir "$out" "$@" val_cases=42 test_cases=52 psd_interval=1000
}

draws=1
study all --arms none early late --set
for draws in 2 4 6 8 10; do
    study "4 17 83" --arms none early late --set
done
for draws in 2 4 6 8 10; do
    study "17 4" --arms early --set theta=0.05 0.2 0.3
    study "17 4" --arms early --set convention=equation1 released
done
"$python" -m monai_freq.study report "$out"
