"""ImageNet's classes merged into three by WordNet's hierarchy."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

from ..errors import DataError
from ..quoting import named
from .refusals import read_at_most, refusing

__all__ = ["SUPERCLASSES", "read_hierarchy", "superclass_labels"]

#: what the classes of ImageNet are merged to, in the order of their labels
SUPERCLASSES = ("living thing", "artifact", "miscellaneous")
ROOTS = ("n00004258", "n00021939")  # of the first two, in the order in which they claim a word
MOST_BYTES = 64 * 2**20


def superclass_labels(wnids: Iterable[str], hierarchy: str | os.PathLike[str]) -> dict[str, int]:
    """Assign each class to *living thing* (0), *artifact* (1) or *miscellaneous* (2).

    A word may have several parents, and so be under both. The rule is fixed and does not depend on the order of the
    file: a word is a living thing if any of its ancestors, or it itself, is n00004258; else an artifact if any is
    n00021939; else miscellaneous.

    Args:
        wnids: WordNet IDs such as ``n02084071``.
        hierarchy: path of ``wordnet.is_a.txt``, see :func:`monai_freq.data.wordnet.read_hierarchy`.

    Returns:
        WordNet ID -> label.

    Raises:
        DataError: the hierarchy is faulty or does not know a class.

    Reference:
        J. Deng et al., ImageNet: a large-scale hierarchical image database, CVPR (2009),
        doi:10.1109/CVPR.2009.5206848.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "wordnet.is_a.txt").write_text("n00004258 n02084071\\nn00021939 n02958343\\n")
        ...     superclass_labels(["n02084071", "n02958343"], f"{folder}/wordnet.is_a.txt")
        {'n02084071': 0, 'n02958343': 1}
    """
    parents = read_hierarchy(hierarchy)
    known = set(parents).union(*parents.values())
    labels = {}
    for wnid in wnids:
        if wnid not in known:
            raise DataError(f"{hierarchy} does not know the class {wnid}.\nTake the file from image-net.org as it is.")
        ancestors = _ancestors(wnid, parents)
        claims = [label for label, root in enumerate(ROOTS) if root in ancestors]
        labels[wnid] = claims[0] if claims else len(ROOTS)
    return labels


def read_hierarchy(file: str | os.PathLike[str]) -> dict[str, set[str]]:
    r"""Read ``wordnet.is_a.txt``: lines of a parent and a child, both WordNet IDs.

    Args:
        file: the text file.

    Returns:
        Child -> parents.

    Raises:
        DataError: the file is missing or has another content, or a word is its own ancestor.

    Reference:
        G. A. Miller, WordNet: a lexical database for English, Communications of the ACM 38 (1995),
        doi:10.1145/219717.219748.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     _ = Path(folder, "wordnet.is_a.txt").write_text("n00004258 n02084071\nn00021939 n02958343\n")
        ...     read_hierarchy(f"{folder}/wordnet.is_a.txt")
        {'n02084071': {'n00004258'}, 'n02958343': {'n00021939'}}
    """
    parents: dict[str, set[str]] = defaultdict(set)
    with refusing(file, "Take wordnet.is_a.txt from image-net.org."):
        text = read_at_most(file, MOST_BYTES).decode("ascii")
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if words and (len(words) != 2 or not all(re.fullmatch(r"n[0-9]{8}", word) for word in words)):
            raise DataError(
                f"Line {number} of {named(file)} must hold two WordNet IDs, a parent and a child, got {line[:60]!r}.\n"
                "Take the file from image-net.org as it is."
            )
        if words:
            parents[words[1]].add(words[0])
    if not parents:
        raise DataError(f"{file} is empty.\nTake the file from image-net.org as it is.")
    _refuse_cycle(parents, Path(file))
    return dict(parents)


def _refuse_cycle(parents: Mapping[str, set[str]], file: Path) -> None:
    try:
        TopologicalSorter(parents).prepare()
    except CycleError as error:
        cycle = " is a ".join(reversed(error.args[1]))
        raise DataError(
            f"{file} goes round in a circle: {cycle[:200]}.\nTake the file from image-net.org as it is."
        ) from error


def _ancestors(wnid: str, parents: Mapping[str, set[str]]) -> set[str]:
    found, ahead = {wnid}, [wnid]
    while ahead:
        new = parents.get(ahead.pop(), set()) - found
        found |= new
        ahead += new
    return found
