#!/bin/sh
# The study of docs/results/conventions.md: about two hours on two cores, in parts if need be.
#
#     sh docs/results/conventions.sh out/conventions
#
# Started again, it goes on where it was. Draws come a few at a time, so that at any moment all arms have about as many.
set -e
out=${1:?"name a folder for the results, as in: sh docs/results/conventions.sh out/conventions"}
python=${PYTHON:-python}

study() { # bundle, sizes, then options
    bundle=$1 sizes=$2
    shift 2
    case $bundle in
        heart_fd) grid="[48,48,24]" ;;
        red_nucleus_fd) grid="[64,64,48]" ;;
    esac
    "$python" -m monai_freq.study run "bundles/$bundle" --sizes $sizes --draws "$draws" --steps 240 --output_dir "$out" \
        "$@" "image_size=$grid" "phantom#size=$grid" phantom#cases=52 val_cases=6 test_cases=24 psd_interval=1000
}

for draws in 2 4 6 8 10; do
    for bundle in heart_fd red_nucleus_fd; do
        study $bundle "4 8" --arms none early --set
        study $bundle "4 8" --arms early --set convention=equation1 released
        study $bundle "4 8" --arms early --set theta=0.05 0.2 0.4
        study $bundle 8 --arms late --set
    done
done
"$python" -m monai_freq.study report "$out"
