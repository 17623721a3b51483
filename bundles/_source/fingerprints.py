"""Say that the rendered bundles train what they trained before: a study of the earlier files then goes on with these.

    python bundles/_source/fingerprints.py

adds the fingerprints of the files as they are now to ``monai_freq/study/run/fingerprints.json``. Where they train other
networks than before, delete the earlier fingerprints there first.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

from monai_freq.study.run.spec import Run

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "monai_freq/study/run/fingerprints.json"


def fingerprints(bundles: Path = ROOT / "bundles") -> Iterator[tuple[str, str]]:
    """Group and fingerprint of each bundle, with and without each overlay, of a training and of a whole run."""
    for folder in (bundles / task.stem for task in sorted((ROOT / "bundles/_source/tasks").glob("*.json"))):
        for overlay in ("", "paper", "patches"):
            if overlay and not (folder / f"configs/{overlay}.json").is_file():
                continue
            run = Run(bundle=folder.name, folder=str(folder), settings={"overlay": overlay} if overlay else {})
            for workflows in (["train"], ["train", "evaluate"]):
                yield " ".join([folder.name, *workflows, overlay]).strip(), run.fingerprint(*workflows)


def main(bundles: str = str(ROOT / "bundles")) -> None:
    """Add the fingerprints of a folder of bundles to the table."""
    groups: dict[str, list[str]] = json.loads(TABLE.read_text())
    for group, fingerprint in fingerprints(Path(bundles)):
        groups[group] = list(dict.fromkeys([*groups.get(group, []), fingerprint]))
    TABLE.write_text(json.dumps(groups, indent=2) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
