"""Damaged files for every reader of monai_freq.data: each is read correctly or refused in a clear DataError.

A worker process damages and reads one file after another, with little memory above what it has; this process watches
it, and sees a crash, a hang and a violation. Ends with 1 if there was one.

    python tests/reliability/fuzz.py --files 12000
"""

import argparse
import json
import os
import resource
import select
import subprocess
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from pathlib import Path
from random import Random
from time import perf_counter

from mutations import mutated
from targets import DICOM, TARGETS, make_dicom, make_files

SECONDS = 20  # that one file may take
SPARE = 1 << 30  # bytes of address space above what the worker has when all libraries are loaded
CODE = ("os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "subprocess.Popen", "pty.spawn")
FORBIDDEN = (*CODE, "socket.connect", "ctypes.dlopen", "pickle.find_class", "os.remove", "os.rename", "os.mkdir")


class Watch:
    """What Python's audit events tell of a read: programs, connections, files beyond the folder of the damaged one."""

    def __init__(self, root: Path) -> None:
        self.allowed = (str(root), sys.prefix, sys.base_prefix, str(Path(__file__).parent.parent.parent))
        self.reading = False
        self.seen: list[str] = []

    def __call__(self, event: str, arguments: tuple) -> None:
        if not self.reading:
            return
        if event in FORBIDDEN:
            self.seen.append(f"{event} {arguments!r}"[:200])
        if event == "open" and isinstance(arguments[0], str | bytes):
            path, mode = os.path.abspath(os.fsdecode(arguments[0])), arguments[1] or "r"
            if set(mode) & set("wax+") or not path.startswith(self.allowed):
                self.seen.append(f"open {path} {mode}"[:200])


def work(root: Path, first: int, count: int, seed: int, dicom: bool) -> None:
    """Damage and read the files from ``first`` on, one line of JSON for each."""
    targets = DICOM if dicom else TARGETS
    originals = {target.file: (root / target.file).read_bytes() for target in targets}
    for target in targets:
        target.read(root)  # loads every library, and shows that the valid file is read
    _limit_memory()
    watch = Watch(root)
    sys.addaudithook(watch)
    for number in range(first, count):
        target = targets[number % len(targets)]
        random = Random(f"{target.file} {seed} {number}")
        content = mutated(originals[target.file], target.kind, random)
        _say({"begins": number})
        _replace(root / target.file, content)
        before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, perf_counter()
        watch.reading = True
        result = _outcome(target, root)
        watch.reading = False
        if watch.seen or (root / "pwned").exists() or Path("pwned").exists():
            result = f"violation: {watch.seen or 'code of the file has run'}"
            watch.seen = []
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        _say({"ends": number, "result": result, "mb": grown, "s": perf_counter() - start})
        _replace(root / target.file, originals[target.file])


def _limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * os.sysconf("SC_PAGE_SIZE") + SPARE
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _replace(path: Path, content: bytes) -> None:
    aside = path.with_name("aside")
    aside.write_bytes(content)
    aside.replace(path)  # as another file: one that is changed in place would be another test


def _say(line: dict) -> None:
    print(json.dumps(line), flush=True)


def _outcome(target, root: Path) -> str:
    from monai_freq.data import DataError

    try:
        target.read(root)
    except DataError as error:
        lines = str(error).splitlines()
        clear = root.name in str(error) and 1 <= len(lines) <= 3 and len(str(error)) < 1500
        return "refused" if clear else f"unclear: {str(error)[:300]!r}"
    except BaseException as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        return f"{type(error).__name__} in {where.name}: {' '.join(str(error).split())[:200]}"
    return "read"


def watched(root: Path, files: int, seed: int, dicom: bool) -> list[dict]:
    """Results of all files: those of the worker, and of those that ended it."""
    found: list[dict] = []
    while len(found) < files:
        options = ["--worker", str(root), "--first", str(len(found)), "--files", str(files), "--seed", str(seed)]
        command = [sys.executable, __file__, *options, *(["--dicom"] if dicom else [])]
        process = subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdout is not None
        assert process.stderr is not None
        begun, ended = None, "hang"
        while select.select([process.stdout], [], [], SECONDS + 40 * (begun is None))[0]:
            line = process.stdout.readline()
            if not line:
                ended = "crash"
                break
            said = json.loads(line)
            begun = said.get("begins", begun)
            if "ends" in said:
                found.append(said)
        process.kill()
        code = process.wait()
        if len(found) < files:
            errors = process.stderr.read().decode(errors="replace")
            if begun != len(found):
                raise SystemExit(f"The worker failed before a file: {errors[-2000:]}")
            found.append({"ends": begun, "result": f"{ended} (exit code {code}): {errors[-200:]}", "mb": 0, "s": 0})
        process.stdout.close()
        process.stderr.close()
    return found


def report(found: list[dict], targets: list) -> int:
    """Print a table, and the violations; how many there were."""
    faults = 0
    print(f"{'format':10} {'files':>7} {'refused':>8} {'read':>7} {'faults':>7} {'slowest':>9} {'memory':>9}")
    kinds = dict.fromkeys(target.kind.removesuffix(".gz") for target in targets)
    for kind in kinds:
        of_kind = [each for each in found if targets[each["ends"] % len(targets)].kind.removesuffix(".gz") == kind]
        counts = Counter(each["result"] for each in of_kind)
        bad = len(of_kind) - counts["refused"] - counts["read"]
        faults += bad
        slowest, most = (max((each[key] for each in of_kind), default=0) for key in ("s", "mb"))
        line = f"{kind:10} {len(of_kind):7} {counts['refused']:8} {counts['read']:7} {bad:7}"
        print(f"{line} {slowest:7.2f} s {most:6.0f} MB")
    print(f"{'all':10} {len(found):7} {faults:24} faults")
    for each in found:
        if each["result"] not in ("refused", "read"):
            print(f"file {each['ends']} ({targets[each['ends'] % len(targets)].file}): {each['result']}")
    return faults


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=12000, help="damaged files in all")
    parser.add_argument("--seed", type=int, default=0, help="of the damage")
    parser.add_argument("--dicom", action="store_true", help="DICOM files only")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--first", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        warnings.simplefilter("ignore")  # what libraries say of damaged files
        work(options.worker, options.first, options.files, options.seed, options.dicom)
        return
    with tempfile.TemporaryDirectory() as folder:
        make_dicom(Path(folder, "dicom")) if options.dicom else make_files(Path(folder))
        found = watched(Path(folder), options.files, options.seed, options.dicom)
    sys.exit(report(found, DICOM if options.dicom else TARGETS) > 0)


if __name__ == "__main__":
    main()
