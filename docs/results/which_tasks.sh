#!/bin/sh
# The trainings of docs/results/which_tasks.md, on tasks held back from the rule: about two hours of one core.
#
#     python docs/results/which_tasks.py predict out/which_tasks    # before them
#     sh docs/results/which_tasks.sh out/which_tasks
#     python docs/results/which_tasks.py test out/which_tasks
#
# Started again, it goes on where it was. Draws come a few at a time, so that at any moment all arms have about as many.
set -e
out=${1:?"name a folder for the results, as in: sh docs/results/which_tasks.sh out/which_tasks"}
python=${PYTHON:-python}

for draws in 2 4 6 8 10; do
    for task in "hippocampus_fd [40,40,32]" "spleen_fd [48,48,24]" "dentate_nucleus_fd [48,48,32]"; do
        bundle=${task% *} grid=${task#* }
        for arms in "none --set" "early --set theta=0.05 0.1 0.3"; do
            "$python" -m monai_freq.study run "bundles/$bundle" --sizes 8 --draws "$draws" --steps 240 --output_dir "$out" \
                --arms $arms "image_size=$grid" "phantom#size=$grid" phantom#cases=52 val_cases=6 test_cases=24 psd_interval=1000
        done
    done
done
