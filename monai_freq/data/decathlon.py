"""Folders in the layout of the Medical Segmentation Decathlon (MSD)."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import DataError
from ..json_files import read_json
from ..quoting import named, shown
from .nifti import case_name, is_nifti_name
from .refusals import refusing
from .same_images import repeated_image
from .tables import plain_name

__all__ = ["Decathlon", "read_decathlon"]

INDEX = "dataset.json"
PARTS = ("imagesTr", "labelsTr", "imagesTs")
SHOWN = 3  # names in a message


@dataclass(frozen=True)
class Decathlon:
    """What an MSD folder holds; all paths are absolute.

    Args:
        root: the folder with ``dataset.json``.
        name: the task's name as printed there.
        labels: name of each label value, background included.
        modality: name of each image channel.
        training: labelled cases, ``{"image": path, "label": path}`` each, in the order of ``dataset.json``. An image is
            a file or the folder of a DICOM series, a label a file.
        test: images without labels.
        unlisted: files and folders beside those, or in ``imagesTr``, ``labelsTr`` or ``imagesTs``, that are not listed.

    Example:
        >>> heart = Decathlon(Path("/data/heart"), "Heart", {0: "background", 1: "left atrium"}, {0: "MRI"}, (), ())
        >>> heart.labels[1]
        'left atrium'
    """

    root: Path
    name: str
    labels: dict[int, str]
    modality: dict[int, str]
    training: tuple[dict[str, str], ...]
    test: tuple[str, ...]
    unlisted: tuple[str, ...] = ()

    @property
    def remarks(self) -> tuple[str, ...]:
        """One line on files that are not used, and one on pairs whose names differ, as far as there are any."""
        return tuple(filter(None, (self._on_unlisted(), self._on_unlike_names())))

    def _on_unlisted(self) -> str:
        by_folder: dict[str, list[str]] = defaultdict(list)
        for path in self.unlisted:
            folder, name = os.path.split(os.path.relpath(path, self.root))
            by_folder[folder or "the folder itself"].append(shown(name) + "/" * os.path.isdir(path))
        parts = [
            f"{len(names)} {_counted(names)} of {shown(folder)} "
            f"({', '.join(names[:SHOWN])}{', ...' if len(names) > SHOWN else ''})"
            for folder, names in sorted(by_folder.items())
        ]
        return f"{self.root / INDEX} does not list {', '.join(parts)}: not used." if parts else ""

    def _on_unlike_names(self) -> str:
        unlike = [case for case in self.training if not _go_together(*map(case_name, case.values()))]
        if not unlike:
            return ""
        image, label = (shown(os.path.relpath(path, self.root)) for path in unlike[0].values())
        differ = f"The names of {len(unlike)} of {len(self.training)} pairs differ, as {image} and {label} do"
        return f"{differ}: is each label that of its image?"


def _counted(names: Sequence[str]) -> str:
    if not any(name.endswith("/") for name in names):
        return "file" if len(names) == 1 else "files"
    return "folder" if len(names) == 1 else "files and folders"


def _go_together(one: str, other: str) -> bool:
    """Whether names are equal, but for an ending set off as in ``la_003_0000`` and ``la_003-seg``."""
    short, long = sorted((one, other), key=len)
    return long.startswith(short) and not long[len(short) : len(short) + 1].isalnum()


def read_decathlon(dataset_dir: str | os.PathLike[str]) -> Decathlon:
    """Read an MSD folder's ``dataset.json`` and check that every file it lists is there.

    macOS's ``._*`` companions are skipped; a missing ``test`` list counts as empty. Files that are there but not listed
    are in ``unlisted``, and ``remarks`` names them. The voxels are not opened: :func:`monai_freq.data.check_cases` does
    that.

    Args:
        dataset_dir: the folder that holds ``dataset.json``, e.g. an unpacked ``Task02_Heart``.

    Raises:
        DataError: the folder or ``dataset.json`` is missing or malformed, or has a key twice; a listed file is missing,
            outside the folder or listed twice, under whatever path; or an image is paired with the label of another.

    Reference:
        Antonelli et al., The Medical Segmentation Decathlon, Nature Communications 13, 4128 (2022),
        doi:10.1038/s41467-022-30695-9.

    Example:
        >>> import tempfile
        >>> from monai_freq.phantoms import write_phantom
        >>> settings = {"cases": 1, "test_cases": 1, "size": (16, 16, 16)}
        >>> dataset = read_decathlon(write_phantom("hippocampus", tempfile.mkdtemp(), **settings))
        >>> dataset.labels, Path(dataset.training[0]["label"]).name, Path(dataset.test[0]).name
        ({0: 'background', 1: 'Anterior', 2: 'Posterior'}, 'hippocampus_001.nii.gz', 'hippocampus_002.nii.gz')
    """
    root = Path(os.path.abspath(Path(dataset_dir).expanduser()))
    index = _Index(_index_file(root))
    training = tuple(index.pairs("training"))
    if not training:
        raise DataError(f"The list 'training' in {index.file} is empty. {index.REMEDY}")
    test = tuple(index.images("test")) if "test" in index.content else ()
    images, masks = [case["image"] for case in training] + list(test), [case["label"] for case in training]
    _refuse_missing([path for case in training for path in case.values()] + list(test), images, root)
    name, labels, modality = index.text("name"), index.names("labels"), index.names("modality")
    index.require_different("labels", labels)
    _refuse_duplicates(images, masks, index.file)
    _refuse_crossed(training, images, index.file)
    return Decathlon(root, name, labels, modality, training, test, _unlisted(root, {*images, *masks}))


def _unlisted(root: Path, listed: set[str]) -> tuple[str, ...]:
    """Files and folders beside listed ones, or in the Decathlon's folders; in ``root`` itself, NIfTI files alone."""
    folders = {os.path.dirname(path) for path in listed} | {str(root / part) for part in PARTS}
    used = listed | {os.fspath(parent) for path in listed for parent in Path(path).parents}
    found = []
    for folder in filter(os.path.isdir, folders):
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if not entry.name.startswith(".")]
        if Path(folder) == root:
            names = [name for name in names if is_nifti_name(name) and (root / name).is_file()]
        found += [path for name in names if (path := os.path.join(folder, name)) not in used]
    return tuple(sorted(found))


def _index_file(root: Path) -> Path:
    if not root.exists():
        raise DataError(
            f"The folder {root} does not exist.\nDownload the task from medicaldecathlon.com, unpack it, and let "
            f"--dataset_dir name the folder with {INDEX}."
        )
    if not root.is_dir():
        raise DataError(f"{root} is a file. Unpack it if it is an archive, and let --dataset_dir name the folder.")
    if not (root / INDEX).is_file():
        below = sorted(entry.parent for entry in root.glob(f"*/{INDEX}"))
        hint = f"Did you mean {below[0]}?" if below else "Is the archive unpacked, and is this the task's own folder?"
        raise DataError(f"The folder {root} holds no {INDEX}.\n{hint} Point --dataset_dir to the folder that holds it.")
    return root / INDEX


class _Index:
    """The parsed ``dataset.json``: each method fetches one key and refuses a value of another type.

    Args:
        file: path of ``dataset.json``.

    Raises:
        DataError: the file is not a JSON object in UTF-8, or has a key twice in an object.
    """

    REMEDY = "Correct it or take the file from medicaldecathlon.com."

    def __init__(self, file: Path) -> None:
        self.file = file
        with refusing(file, self.REMEDY, OSError, ValueError):
            try:
                self.content = read_json(file, alike=plain_name)
            except json.JSONDecodeError as error:
                what = f"{shown(error.msg.removesuffix(' at'))} at line {error.lineno}, column {error.colno}"
                raise DataError(f"{named(file)} is not valid JSON: {what}. {self.REMEDY}") from error
        self._expect(isinstance(self.content, dict), "", "an object", self.content)

    def text(self, key: str) -> str:
        """Fetch a string."""
        value = self._get(key)
        self._expect(isinstance(value, str), f"'{key}' ", "a string", value)
        return str(value)

    def names(self, key: str) -> dict[int, str]:
        """Fetch a mapping such as ``{"0": "background", "1": "left atrium"}``, keys turned to integers."""
        value = self._get(key)
        wanted = 'an object such as {"0": "name", "1": "name"}'
        self._expect(isinstance(value, dict) and len(value) > 0, f"'{key}' ", wanted, value)
        for number, name in value.items():
            plain = number.isascii() and number.isdecimal() and len(number) < 20
            self._expect(plain and isinstance(name, str), f"'{key}' ", wanted, value)
        numbers = [int(number) for number in value]
        twice = [number for place, number in enumerate(numbers) if number in numbers[:place]]  # as "1" and "01" are
        if twice:
            raise DataError(f"'{key}' in {self.file} has the number {twice[0]} twice. {self.REMEDY}")
        return dict(zip(numbers, value.values(), strict=True))

    def require_different(self, key: str, names: dict[int, str]) -> None:
        """Refuse two numbers of one name."""
        numbers: dict[str, int] = {}
        for number, name in names.items():
            if (other := numbers.setdefault(plain_name(name), number)) != number:
                both = f"both {other} and {number}"
                raise DataError(f"'{key}' in {self.file} calls {both} {shown(name)!r}. Give each its own name.")

    def pairs(self, key: str) -> Iterator[dict[str, str]]:
        """Fetch a list of ``{"image": path, "label": path}``."""
        for entry in self._list(key):
            fits = isinstance(entry, dict) and all(isinstance(entry.get(part), str) for part in ("image", "label"))
            self._expect(fits, f"An entry of '{key}' ", 'an object {"image": path, "label": path}', entry)
            if not _is_companion(entry["image"]):
                yield {part: self._inside(entry[part]) for part in ("image", "label")}

    def images(self, key: str) -> Iterator[str]:
        """Fetch a list of paths."""
        for entry in self._list(key):
            self._expect(isinstance(entry, str), f"An entry of '{key}' ", "a path", entry)
            if not _is_companion(entry):
                yield self._inside(entry)

    def _list(self, key: str) -> list[Any]:
        value = self._get(key)
        self._expect(isinstance(value, list), f"'{key}' ", "a list", value)
        return list(value)

    def _get(self, key: str) -> Any:
        if key not in self.content:
            raise DataError(f"The key '{key}' is missing in {named(self.file)}. {self.REMEDY}")
        return self.content[key]

    def _expect(self, fits: bool, subject: str, wanted: str, value: object) -> None:
        if not fits:
            got = json.dumps(value)
            got = got if len(got) <= 60 else f"{got[:57]}..."
            raise DataError(f"{subject}in {named(self.file)} must be {wanted}, got {got}. {self.REMEDY}".lstrip())

    def _inside(self, entry: str) -> str:
        # Lexical on purpose: files may be symbolic links that the user has placed, but the list must not climb out.
        root = self.file.parent
        path = os.path.normpath(root / entry)
        if not Path(path).is_relative_to(root) or Path(path) == root:
            raise DataError(
                f"{named(self.file)} lists {shown(entry)!r}, which leaves the folder. Paths must stay in {named(root)}."
            )
        return path


def _is_companion(entry: str) -> bool:
    return Path(entry).name.startswith("._")


def _refuse_duplicates(images: Sequence[str], labels: Sequence[str], index: Path) -> None:
    twice = repeated_image([*images, *labels])
    if twice is None:
        return
    kinds = ["image" if path in images else "label" for path in twice]
    first, second = (shown(str(Path(path).relative_to(index.parent))) for path in twice)
    if first != second:
        raise DataError(
            f"{named(index)} lists {first} and {second}, which are one file, by a link. Keep one, or copy the file."
        )
    if {*images} & {*labels}:
        raise DataError(f"{named(index)} lists {first} as an image and as a label. Correct the list.")
    if kinds[0] == "image":
        raise DataError(f"{named(index)} lists the image {first} more than once. Keep one entry for each image.")
    raise DataError(f"{named(index)} lists the label {first} for more than one image. Each image needs its own label.")


def _refuse_crossed(training: Sequence[dict[str, str]], images: Sequence[str], index: Path) -> None:
    names = {case_name(image) for image in images}
    crossed = next((case for case in training if case_name(case["image"]) != case_name(case["label"]) in names), None)
    if crossed is None:
        return
    image, label = (shown(str(Path(crossed[part]).relative_to(index.parent))) for part in ("image", "label"))
    name = shown(case_name(label))
    raise DataError(
        f"{named(index)} pairs {image} with {label}, the label of another image by its name ({name}).\n"
        "Correct the list, or give an image and its label one name."
    )


def _refuse_missing(paths: Sequence[str], images: Collection[str], root: Path) -> None:
    series = {path for path in images if os.path.isdir(path)}  # which check_cases reads
    missing = [path for path in paths if path not in series and not os.path.isfile(path)]  # any name may be listed
    if missing:
        name = shown(str(Path(missing[0]).relative_to(root)))
        others = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise DataError(
            f"{name}{others} is listed in {named(root / INDEX)} but missing. "
            f"Unpack the archive again, or take it out of {INDEX}."
        )
