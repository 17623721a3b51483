"""Folds: exact sizes, whole patients, kept proportions, and a file that fits its data or is refused."""

import json
import random
import re
import tracemalloc
from collections import Counter
from itertools import combinations, product

import numpy as np
import pytest
from refusals import refusal

from monai_freq.data import DataError, compare_folds, divide_folds, fold_items, plan_folds, read_folds, save_folds

PARTS = ["train", "val", "test"]


def patients(seed, count, most, root="/data"):
    chance = random.Random(seed)
    items = []
    for patient in range(count):
        rate = chance.random()
        for number in range(chance.randint(1, most)):
            image = f"{root}/ground_truth_train_{patient % 7:03}.hdf5#{patient * most + number}"
            items.append({"image": image, "label": int(chance.random() < rate), "patient": f"P{patient}"})
    return items


def knees(count=60, root="/data"):
    return [{"image": f"{root}/vol{i % 3}/{i}.pck#12", "label": int(i % 3 == 0), "exam": str(i)} for i in range(count)]


def groups_of(items):
    return {item["patient"] for item in items}


def sized(sizes, labels=1):
    groups = [number for number, size in enumerate(sizes) for _ in range(size)]
    return [{"image": f"{i}.png", "label": i * i % labels, "patient": group} for i, group in enumerate(groups)]


def test_no_patient_is_in_two_parts_whatever_the_groups():
    for seed in range(150):
        chance = random.Random(seed)
        items = patients(seed, chance.randint(3, 40), chance.choice([1, 2, 5, 20]))
        names = chance.sample(sorted(groups_of(items)), len(groups_of(items)))
        part_of = dict(zip(names, ["train", "val", *chance.choices([*PARTS, "none"], k=len(names))], strict=False))
        held = Counter(part_of[item["patient"]] for item in items)
        test = chance.choice([None, held["test"]])
        sizes = [held["train"], held["val"], len(items) - held["train"] - held["val"] if test is None else test]
        plan = plan_folds(items, train=sizes[0], val=sizes[1], test=test, folds=3, seed=seed)
        for fold in range(3):
            parts = fold_items(items, plan, fold)
            assert list(parts) == PARTS
            assert all(not groups_of(parts[one]) & groups_of(parts[two]) for one, two in combinations(PARTS, 2))
            assert [len(part) for part in parts.values()] == sizes
            images = [item["image"] for part in parts.values() for item in part]
            assert len(set(images)) == len(images)


def test_a_division_is_found_wherever_there_is_one():
    found, refused, helped = 0, 0, 0
    for seed in range(12):
        chance = random.Random(seed)
        sizes = [chance.randint(1, chance.choice([2, 3, 6])) for _ in range(chance.randint(2, 6))]
        items = sized(sizes, labels=chance.choice([1, 2, 3]))
        divisions = set()
        for parts in product(range(4), repeat=len(sizes)):  # 3: in no part
            held = [sum(size for size, part in zip(sizes, parts, strict=True) if part == wanted) for wanted in range(4)]
            divisions |= {tuple(held[:3])} if held[3] else {tuple(held[:3]), (held[0], held[1], None)}
        for train, val in product(range(1, len(items)), repeat=2):
            for test in (None, *range(len(items) - train - val + 1)):
                settings = {"train": train, "val": val, "test": test, "seed": seed}
                if (train, val, test) in divisions:
                    parts = divide_folds(items, folds=1, **settings)
                    rest = len(items) - train - val
                    assert [len(part) for part in parts.values()] == [train, val, rest if test is None else test]
                    found += 1
                    continue
                message = refusal(plan_folds, items, **settings)
                refused += 1
                if "Possible: " in message:
                    numbers = [int(number) for number in re.findall(r"\d+", message.split("Possible: ")[1])]
                    assert tuple(numbers if test is not None else [*numbers, None]) in divisions
                    helped += 1
    assert min(found, refused, helped) > 100


@pytest.mark.parametrize(
    ("sizes", "parts"),
    [
        ([1, 1, 1, 1, 2, 2, 2], [2, 2, 3]),  # four single samples, once nearest, would leave none for the three
        ([2, 3, 3, 4], [4, 2, None]),  # 3 + 3 holds no two
        ([1] * 4 + [2] * 300, [300, 100, 203]),  # of hundreds, as of few
    ],
)
def test_the_nearest_groups_make_way_for_those_that_can_be_divided(sizes, parts):
    items, settings = sized(sizes, labels=3), dict(zip(PARTS, parts, strict=True))
    plan = plan_folds(items, **settings)
    for fold in plan["folds"]:
        assert [len(fold["train"]), len(fold["val"])] == parts[:2]
    assert len(plan["test"]) == (len(items) - sum(parts[:2]) if parts[2] is None else parts[2])
    assert plan_folds(random.Random(0).sample(items, len(items)), **settings) == plan
    assert plan_folds(items, folds=7, **settings)["folds"][:5] == plan["folds"]


def test_the_papers_numbers():
    items = patients(0, 812, 3)
    plan = plan_folds(items)
    share = np.mean([item["label"] for item in items])
    tests, validations = [], []
    for fold in range(5):
        parts = fold_items(items, plan, fold)
        assert [len(parts[part]) for part in PARTS] == [375, 125, len(items) - 500]
        for part in parts.values():
            assert abs(sum(item["label"] for item in part) - share * len(part)) < 2
        tests.append(frozenset(item["image"] for item in parts["test"]))
        validations.append(frozenset(item["image"] for item in parts["val"]))
    assert len(set(tests)) == 1
    assert len(set(validations)) == 5


def test_items_come_back_whole_and_untouched():
    items = [{**item, "diagnosis": 2} for item in knees()]
    before = [dict(item) for item in items]
    parts = divide_folds(items, train=30, val=10, group_key="exam")
    assert items == before
    assert sorted((item for part in parts.values() for item in part), key=lambda item: int(item["exam"])) == items


def test_order_and_folder_do_not_matter_and_the_seed_does():
    settings = {"train": 30, "val": 10, "group_key": "exam"}
    plan = plan_folds(knees(), **settings)
    for seed in range(3):
        assert plan_folds(random.Random(seed).sample(knees(), 60), **settings) == plan
    assert plan_folds(knees(root="/elsewhere/copy"), **settings) == plan
    assert plan_folds(knees(root="relative"), **settings) == plan
    moved = fold_items(knees(root="/elsewhere"), plan, 2)
    assert moved["val"] == [
        {**item, "image": item["image"].replace("/data", "/elsewhere")} for item in fold_items(knees(), plan, 2)["val"]
    ]
    assert len({json.dumps(plan_folds(knees(), seed=seed, **settings)["test"]) for seed in range(10)}) == 10


def test_more_folds_leave_the_first_alone():
    few, many = (plan_folds(knees(), train=30, val=10, folds=folds, group_key="exam") for folds in (2, 7))
    assert many["folds"][:2] == few["folds"]
    assert many["test"] == few["test"]


def test_every_sample_is_validated_sooner_or_later():
    plan = plan_folds(knees(), train=30, val=10, folds=60, group_key="exam")
    validated = [name for fold in plan["folds"] for name in fold["val"]]
    counts = [validated.count(name) for name in plan["folds"][0]["train"] + plan["folds"][0]["val"]]
    assert min(counts) >= 3  # 15 expected, with an SD of 3.4
    assert max(counts) <= 30


def test_a_plan_is_the_same_in_every_version():
    items = [{"image": f"vol01/{i}.pck#12", "label": i % 2, "exam": str(i)} for i in range(12)]
    plan = plan_folds(items, train=6, val=2, folds=2, seed=3, group_key="exam")
    assert [plan["test"], *([fold["val"] for fold in plan["folds"]])] == FIXED


def test_a_number_of_test_samples_leaves_others_unused():
    parts = divide_folds(knees(), train=30, val=10, test=12, group_key="exam")
    assert [len(parts[part]) for part in PARTS] == [30, 10, 12]


def test_samples_by_themselves_and_labels_of_text():
    items = [{"image": f"{i}.png", "label": ("torn", "healthy", "thin")[i % 3]} for i in range(30)]
    parts = divide_folds(items, train=12, val=6, group_key=None)
    for part in parts.values():
        assert len({sum(item["label"] == name for item in part) for name in ("torn", "healthy", "thin")}) == 1


def test_sizes_that_groups_cannot_make_are_refused_with_those_they_can():
    items = [{"image": f"{i}.png", "label": i % 2, "patient": i // 7} for i in range(70)]
    message = refusal(plan_folds, items, train=30, val=10)
    assert "No set of whole groups holds 40 samples for training and validation together" in message
    assert "10 groups of 7 to 7 samples" in message
    assert "The nearest possible: 35 and 42." in message
    message = refusal(plan_folds, items, train=32, val=10)
    assert "10 samples for validation" in message
    assert "The nearest possible: 7 and 14." in message
    message = refusal(plan_folds, items, train=28, val=14, test=8)
    assert "8 samples for testing" in message
    assert [len(part) for part in divide_folds(items, train=28, val=14).values()] == [28, 14, 28]


def test_too_few_samples():
    assert "There are 60 samples, fewer than 375 for training" in refusal(plan_folds, knees(), group_key="exam")
    assert "There are 0 samples" in refusal(plan_folds, [])
    assert "and 30 for testing" in refusal(plan_folds, knees(), train=30, val=10, test=30, group_key="exam")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": None}, "The label of vol0/3.pck#12 must be an integer or a text, got None"),
        ({"label": 1.0}, "must be an integer or a text, got 1.0"),
        ({"exam": ["a"]}, "The group of vol0/3.pck#12 must be"),
        ({"image": "/data/vol0/0.pck#12"}, "The image vol0/0.pck#12 is listed twice"),
    ],
)
def test_a_faulty_item_is_refused(change, message):
    items = [{**item, **(change if number == 3 else {})} for number, item in enumerate(knees())]
    assert message in refusal(plan_folds, items, train=30, val=10, group_key="exam")


def test_a_missing_key_is_named():
    assert "Item 0 (/data/vol0/0.pck#12) has no 'patient'" in refusal(plan_folds, knees(), train=30, val=10)
    assert "Item 0 (None) has no 'image'" in refusal(plan_folds, [{"label": 1, "patient": 1}])


@pytest.mark.parametrize(("name", "value"), [("train", 0), ("val", 0), ("folds", 0), ("test", -1)])
def test_settings_are_refused_by_name(name, value):
    with pytest.raises(ValueError, match=f"'{name}' must be at least .*, got {value}"):
        plan_folds(knees(), **{"train": 30, "val": 10, "group_key": "exam", name: value})


@pytest.mark.parametrize("fold", [-1, 5])
def test_a_fold_that_is_not_there(fold):
    with pytest.raises(ValueError, match=rf"'fold' must be in \[0, 4\], got {fold}"):
        divide_folds(knees(), fold, train=30, val=10, group_key="exam")


def test_a_file_is_written_once_and_used_again(tmp_path):
    file, settings = tmp_path / "run" / "folds.json", {"train": 30, "val": 10, "group_key": "exam"}
    first = divide_folds(knees(), 1, file=file, **settings)
    content = file.read_bytes()
    assert [path.name for path in file.parent.iterdir()] == ["folds.json"]
    assert divide_folds(knees(), 1, file=file, **settings) == first
    assert file.read_bytes() == content
    save_folds(plan_folds(knees(), **settings), file)
    assert file.read_bytes() == content
    assert read_folds(file) == plan_folds(knees(), **settings)


def test_a_file_that_was_edited_by_hand_is_followed(tmp_path):
    file, settings = tmp_path / "folds.json", {"train": 30, "val": 10, "group_key": "exam"}
    plan = plan_folds(knees(), **settings)
    fold = plan["folds"][0]
    fold["train"][0], fold["val"][0] = fold["val"][0], fold["train"][0]
    save_folds(plan, file)
    names = {item["image"].removeprefix("/data/") for item in divide_folds(knees(), file=file, **settings)["val"]}
    assert names == set(fold["val"])


def test_a_file_of_other_settings_or_data_is_refused(tmp_path):
    file, settings = tmp_path / "folds.json", {"train": 30, "val": 10, "group_key": "exam"}
    divide_folds(knees(), file=file, **settings)
    message = refusal(divide_folds, knees(), file=file, **{**settings, "val": 11}, seed=4)
    assert f"{file} was made with other settings: val is 10, not 11; seed is 0, not 4" in message
    changed = knees()
    changed[5]["label"] = 1
    message = refusal(divide_folds, changed, file=file, **settings)
    assert "the label of vol2/5.pck#12 is 1 in the first, 0 in the second" in message
    assert "samples: 1 only in the first" in refusal(divide_folds, knees(61), file=file, **settings)
    assert "samples: 2 only in the second" in refusal(divide_folds, knees(58), file=file, **settings)


def test_a_comparison_says_what_differs():
    plan = plan_folds(knees(), train=30, val=10, group_key="exam")
    assert compare_folds(plan, plan) == []
    found = compare_folds(plan, plan_folds(knees(), train=30, val=10, seed=1, folds=4, group_key="exam"))
    assert "seed is 0 in the first, 1 in the second" in found
    assert "5 folds in the first, 4 in the second" in found
    assert any(phrase.startswith("test: ") for phrase in found)
    assert any(phrase.startswith("val of fold 3: ") for phrase in found)


def test_a_group_or_a_sample_in_two_parts_is_refused(tmp_path):
    file = tmp_path / "folds.json"
    items = patients(0, 40, 3)
    plan = plan_folds(items, train=20, val=10)
    for one, other in (("train", "val"), ("train", "test"), ("val", "test")):
        broken = json.loads(json.dumps(plan))
        parts = {**broken["folds"][0], "test": broken["test"]}
        parts[other].append(parts[one][0])
        save_folds(broken, file)
        message = refusal(read_folds, file)
        assert f"is in {one} and {other}" in message
        assert str(file) in message
    for name in ("nowhere.pck#1", plan["test"][0]):
        save_folds({**plan, "test": [*plan["test"], name]}, file)
        assert "in fold 0, 'test'" in refusal(read_folds, file)


def test_mutated_files_are_read_or_refused(tmp_path):
    file, chance, refusals = tmp_path / "folds.json", random.Random(0), []
    save_folds(plan_folds(knees(12), train=6, val=2, folds=2, group_key="exam"), file)
    whole = file.read_bytes()
    for _ in range(400):
        mutated = bytearray(whole)
        mutated[chance.randrange(len(mutated))] = chance.randrange(256)
        file.write_bytes(mutated[: chance.choice([len(whole), chance.randrange(len(whole))])])
        try:
            assert set(read_folds(file)) == {"settings", "samples", "test", "folds"}
        except DataError as error:
            refusals.append(str(error))
    assert len(refusals) > 200
    assert all(str(file) in message for message in refusals)


@pytest.mark.parametrize("content", ["[" * 100000, "1", "{}", '{"version": 1}', '{"version": 2}', "\x00"])
def test_files_of_another_kind(tmp_path, content):
    (tmp_path / "folds.json").write_text(content)
    assert str(tmp_path / "folds.json") in refusal(read_folds, tmp_path / "folds.json")


def test_a_file_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    assert "cannot be written" in refusal(
        divide_folds, knees(), file=tmp_path / "file" / "folds.json", train=30, val=10, group_key="exam"
    )


FIXED = [["1.pck#12", "10.pck#12", "5.pck#12", "6.pck#12"], ["11.pck#12", "8.pck#12"], ["3.pck#12", "8.pck#12"]]


def test_a_source_of_many_classes_is_divided_in_little_memory():
    items = [{"image": f"/data/n{i % 1000:08}/{i}.JPEG", "label": i % 1000} for i in range(20_000)]
    tracemalloc.start()
    plan = plan_folds(items, train=15_000, val=2_000, folds=1, group_key=None)
    assert tracemalloc.get_traced_memory()[1] < 5_000 * len(items)  # 1.28 million pictures in a few GB
    tracemalloc.stop()
    assert Counter(plan["samples"][name]["label"] for name in plan["folds"][0]["val"]) == dict.fromkeys(range(1000), 2)


def test_a_link_to_another_image_is_that_image(tmp_path):
    for name in ("0.pck", "1.pck"):
        (tmp_path / name).touch()
    (tmp_path / "2.pck").symlink_to(tmp_path / "1.pck")
    items = [{"image": f"{tmp_path}/{number}.pck#12", "label": number % 2} for number in range(3)]
    message = refusal(plan_folds, items, train=1, val=1, group_key=None)
    assert message.startswith(f"{tmp_path}/1.pck#12 and {tmp_path}/2.pck#12 are one image, by a link.")
    items[2]["image"] = f"{tmp_path}/2.pck#13"
    assert plan_folds(items, train=1, val=1, group_key=None)["folds"]


@pytest.mark.parametrize("name", ["version", "samples", "test", "train"])
def test_a_name_that_occurs_twice_in_a_file_of_folds(tmp_path, name):
    file = tmp_path / "folds.json"
    save_folds(plan_folds(knees(), train=30, val=10, group_key="exam"), file)
    text = file.read_text()
    file.write_text(text.replace(f'"{name}":', f'"{name}": null, "{name}":', 1))
    assert f'cannot be read: the name "{name}" occurs twice' in refusal(read_folds, file)
