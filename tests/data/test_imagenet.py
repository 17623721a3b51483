"""ImageNet's classes by folder, and merged into three whatever the hierarchy's order."""

import random
from itertools import pairwise
from pathlib import Path

import pytest
from PIL import Image
from refusals import refusal

from monai_freq.data import SUPERCLASSES, DataError, check_images, read_imagenet, superclass_labels
from monai_freq.data.wordnet import read_hierarchy

LIVING, ARTIFACT, ENTITY = "n00004258", "n00021939", "n00001740"
ANIMAL, DOG, TOOL, GUIDE_DOG, ROCK = "n00015388", "n02084071", "n04451818", "n02109525", "n09416076"
# The guide dog is a dog and, for once, a tool.
EDGES = [(ENTITY, LIVING), (ENTITY, ARTIFACT), (ENTITY, ROCK), (LIVING, ANIMAL), (ANIMAL, DOG), (ARTIFACT, TOOL)]
EDGES += [(TOOL, GUIDE_DOG), (DOG, GUIDE_DOG)]


@pytest.fixture
def hierarchy(tmp_path):
    return write(tmp_path / "wordnet.is_a.txt", EDGES)


def write(path, edges):
    path.write_text("".join(f"{parent} {child}\n" for parent, child in edges))
    return path


@pytest.fixture
def folder(tmp_path):
    for wnid in (TOOL, DOG, ROCK, GUIDE_DOG):
        (tmp_path / "train" / wnid).mkdir(parents=True)
        for number in range(3):
            name = f"{wnid}_{number}.{('JPEG', 'png', 'jpg')[number]}"
            Image.new("RGB", (8, 8), (number, 0, 0)).save(tmp_path / "train" / wnid / name)
    (tmp_path / "train" / DOG / "._of_macos.png").touch()
    (tmp_path / "train" / "readme.txt").touch()
    return tmp_path / "train"


def test_a_class_is_its_number_in_the_order_of_ids(folder):
    items = read_imagenet(folder)
    assert [(item["wnid"], item["label"]) for item in items[::3]] == [(DOG, 0), (GUIDE_DOG, 1), (TOOL, 2), (ROCK, 3)]
    assert items[0]["image"] == f"{folder}/{DOG}/{DOG}_0.JPEG"
    assert [item["image"] for item in items] == sorted(item["image"] for item in items)
    check_images(items, size=(8, 8))


def test_classes_are_merged_into_three(folder, hierarchy):
    labels = {item["wnid"]: item["label"] for item in read_imagenet(folder, hierarchy)}
    assert labels == {DOG: 0, GUIDE_DOG: 0, TOOL: 1, ROCK: 2}
    assert [SUPERCLASSES[labels[wnid]] for wnid in (DOG, TOOL, ROCK)] == ["living thing", "artifact", "miscellaneous"]


def test_several_parents_follow_the_rule_in_any_order(tmp_path):
    words = [ENTITY, LIVING, ARTIFACT, ANIMAL, DOG, TOOL, GUIDE_DOG, ROCK]
    for seed in range(20):
        edges = random.Random(seed).sample(EDGES, len(EDGES))
        found = superclass_labels(words, write(tmp_path / "is_a.txt", edges))
        assert list(found.values()) == [2, 0, 1, 0, 0, 1, 0, 2]


def test_labels_agree_with_brute_force_on_random_hierarchies(tmp_path):
    for seed in range(30):
        chance = random.Random(seed)
        words = [LIVING, ARTIFACT, *(f"n{number:08}" for number in chance.sample(range(10**6, 10**8), 60))]
        edges = [
            (words[chance.randrange(i)], words[i]) for i in range(2, 62) for _ in range(chance.choice([1, 1, 2, 3]))
        ]
        edges += [(ENTITY, LIVING), (ENTITY, ARTIFACT)]
        found = superclass_labels(words, write(tmp_path / "is_a.txt", edges))

        def under(word, root, edges=edges):
            return word == root or any(under(parent, root) for parent, child in edges if child == word)

        expected = {word: 0 if under(word, LIVING) else 1 if under(word, ARTIFACT) else 2 for word in words}
        assert found == expected


def test_a_deep_hierarchy_is_no_recursion(tmp_path):
    words = [LIVING, *(f"n{number:08}" for number in range(10**7, 10**7 + 5000))]
    path = write(tmp_path / "is_a.txt", pairwise(words))
    assert superclass_labels(words[-1:], path) == {words[-1]: 0}


@pytest.mark.parametrize(
    ("edges", "cycle"),
    [
        ([(DOG, DOG)], f"{DOG} is a {DOG}"),
        ([(DOG, ANIMAL), (ANIMAL, DOG)], f"{ANIMAL} is a {DOG} is a {ANIMAL}"),
        ([(DOG, ANIMAL), (ANIMAL, TOOL), (TOOL, DOG), (TOOL, ROCK)], "goes round in a circle"),
        ([*EDGES, (GUIDE_DOG, ANIMAL)], f"{ANIMAL} is a {GUIDE_DOG} is a {DOG} is a {ANIMAL}"),
    ],
)
def test_a_cycle_is_refused(tmp_path, edges, cycle):
    message = refusal(read_hierarchy, write(tmp_path / "wordnet.is_a.txt", edges))
    assert "wordnet.is_a.txt goes round in a circle" in message
    assert cycle in message


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"n00004258\n", "Line 1 of .* must hold two WordNet IDs"),
        (b"n00004258 n00015388\nn00004258 dog\n", "Line 2 of .* got 'n00004258 dog'"),
        (b"n00004258 n00015388 n02084071\n", "Line 1"),
        ("n００００４２５８ n00015388\n".encode(), "cannot be read"),
        (b"\x89PNG\r\n", "cannot be read"),
    ],
)
def test_a_faulty_hierarchy_is_refused(tmp_path, content, reason):
    (tmp_path / "wordnet.is_a.txt").write_bytes(content)
    with pytest.raises(DataError, match=reason):
        read_hierarchy(tmp_path / "wordnet.is_a.txt")


def test_mutated_hierarchies_are_read_or_refused(hierarchy):
    whole, chance, refusals = hierarchy.read_bytes(), random.Random(0), []
    for _ in range(500):
        mutated = bytearray(whole)
        mutated[chance.randrange(len(mutated))] = chance.choice(b"0123456789n \n\xff")
        hierarchy.write_bytes(mutated)
        try:
            assert set(superclass_labels([DOG, TOOL], hierarchy).values()) <= {0, 1, 2}
        except DataError as error:
            refusals.append(str(error))
    assert len(refusals) > 50
    assert all(str(hierarchy) in message for message in refusals)


def test_classes_unknown_to_the_hierarchy_or_the_list(folder, hierarchy):
    (folder / "n99999999").mkdir()
    (folder / "n99999999" / "x.png").touch()
    assert f"{hierarchy} does not know the class n99999999" in refusal(read_imagenet, folder, hierarchy)
    message = refusal(read_imagenet, folder, classes=[DOG, TOOL, ROCK, GUIDE_DOG])
    assert f"{folder}/n99999999 is not among the 4 of 'classes'" in message


def test_a_validation_folder_takes_the_labels_of_the_training_folder(folder):
    classes = sorted({item["wnid"] for item in read_imagenet(folder)})
    for path in (folder / DOG).iterdir():
        path.unlink()
    (folder / DOG).rmdir()
    labels = {item["wnid"]: item["label"] for item in read_imagenet(folder, classes=classes)}
    assert labels == {GUIDE_DOG: 1, TOOL: 2, ROCK: 3}


def test_folders_that_are_missing_or_empty(folder):
    assert "does not exist" in refusal(read_imagenet, folder / "nowhere")
    assert f"Did you mean {folder}?" in refusal(read_imagenet, folder.parent)
    (folder / "n00000001").mkdir()
    assert "n00000001 holds no picture" in refusal(read_imagenet, folder)


def test_a_picture_in_two_classes(folder):
    (folder / ROCK / "more.png").symlink_to(folder / DOG / f"{DOG}_1.png")
    assert refusal(read_imagenet, folder).startswith(
        f"{folder}/{DOG}/{DOG}_1.png and {folder}/{ROCK}/more.png are one file"
    )
    (folder / ROCK / "more.png").unlink()
    (folder / "n99999999").symlink_to(folder / DOG)
    assert "are one file, by a link" in refusal(read_imagenet, folder)


def test_a_class_listed_twice_is_refused(folder):
    with pytest.raises(ValueError, match="'classes' must be different WordNet IDs"):
        read_imagenet(folder, classes=[DOG, TOOL, ROCK, GUIDE_DOG, DOG])


def test_what_is_no_picture_is_counted_and_named(tmp_path, caplog):
    caplog.set_level("INFO")
    folder = tmp_path / "n02084071"
    folder.mkdir()
    (folder / "d.png").mkdir()
    for name in ("a.JPEG", "b.tif", "notes.txt", ".DS_Store"):
        (folder / name).touch()
    assert [Path(item["image"]).name for item in read_imagenet(tmp_path)] == ["a.JPEG", "b.tif"]
    assert caplog.messages == [
        f"3 entries of {folder} left out, as they are no picture by name: .DS_Store, d.png/, notes.txt."
    ]
