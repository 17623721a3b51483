"""How the report of a transfer study is to be read."""

from __future__ import annotations

from .effects import AS_ACCURATE, LEARNED
from .statistics import ENOUGH_POINTS

__all__ = ["METHODS"]

METHODS = (
    "p is the fraction of positive training and validation images that have the artifact. Clean test set: no image has "
    "it. I.I.D.: the fraction p of the positives. O.O.D.: all negatives and no positive.",
    "delta_ood(p) = AUC_ood(0) − AUC_ood(p), paired by fold and seed: what the shortcut costs on top of what the "
    "artifact costs a network that has never met it in training, the p = 0 control.",
    f"A source counts in a setting only when the mean AUC of its control is at least {LEARNED}, both I.I.D. and O.O.D. "
    "Otherwise it is inconclusive (†, hollow): a network that has learned little has little to lose.",
    "The unit is the fold. Seeds are averaged within each fold first, as those of one fold share its images and are no "
    "independent evidence; SD and Student's 95% interval are over folds. All folds share one test set, and their "
    "training sets overlap: the intervals are about the luck of training and of the draw of its images, not about that "
    "of the test images, and are rather too narrow. They are not corrected for their number.",
    "Several seeds are several trainings from the start, pre-training included where the study repeats it. Whether a "
    "difference is of the source or of one lucky pre-training is seen from its sign in each seed, not from its "
    "interval.",
    f"Sources whose accuracies differ by more than {AS_ACCURATE} are not equally learned, and accuracies of tasks with "
    "different numbers of classes are hard to compare at all.",
    "Learning priority: magnitude spectrum of the loss's gradient with respect to the input, averaged over rings, "
    "scaled from 0 to 1 per image, mean over images. Its centroid is its mean frequency without DC, in cycles per "
    "voxel: low up to 1/6, mid up to 1/3, high up to 1/2. That of a source is measured on the source's images, "
    "all others on the target's. The centroid before fine-tuning is of the runs with the lowest p.",
    "Overlap: sum over frequencies of the smaller one of learning priority and artifact density, each with a sum of 1; "
    "of each run without the artifact in training (p = 0), mean over folds. DC counts here, unlike in the centroid: a "
    "loss can depend on the brightness, and an artifact can shift it.",
    "Spearman's rho is over sources and settings that count, and again over all. Its p-value is that of all orders of "
    "up to 8 points, of 20000 random ones of more; it takes the points for independent, which those of one source are "
    f"not, and is for orientation. Fewer than {ENOUGH_POINTS} points are too few to tell.",
)
