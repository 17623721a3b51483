"""Figures on the style of the code: the table of CONTRIBUTING.md.

python benchmarks/tree.py
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import median, quantiles

PACKAGE = Path(__file__).parents[1] / "monai_freq"

Function = ast.FunctionDef | ast.AsyncFunctionDef
Public = Function | ast.ClassDef


def main() -> None:
    """Print the table."""
    sources = {file: file.read_text() for file in sorted(PACKAGE.rglob("*.py"))}
    trees = {file: ast.parse(source) for file, source in sources.items()}
    functions = [node for tree in trees.values() for node in ast.walk(tree) if isinstance(node, Function)]
    documented = [node for tree in trees.values() for node in public(tree)]
    rows = {
        "modules, lines": f"{len(sources)}, {sum(map(lines, sources.values())):,}",
        "lines of a module, median / p95": middle_and_end(map(lines, sources.values())),
        "lines of a function's body, median / p95": middle_and_end(map(body_lines, functions)),
        "annotated functions": share(map(annotated, functions)),
        "comments per 100 lines of code": f"{comment_rate(sources.values()):.1f}",
        "depth of our own inheritance": str(depth(trees.values())),
        "public docstrings with `>>>`": share(">>>" in (ast.get_docstring(node) or "") for node in documented),
    }
    print("| | here |", "|---|---|", *(f"| {what} | {figure} |" for what, figure in rows.items()), sep="\n")


def lines(source: str) -> int:
    """Number of lines of a module, with its docstrings."""
    return len(source.splitlines())


def body_lines(function: Function) -> int:
    """Number of lines of a function below its signature and docstring."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def annotated(function: Function) -> bool:
    """Whether a function's result and all its arguments have types."""
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    named = [argument for argument in arguments if argument.arg not in ("self", "cls")]
    return function.returns is not None and all(argument.annotation for argument in named)


def public(tree: ast.Module) -> Iterator[Public]:
    """Functions and classes that a module names in its ``__all__``."""
    names = {
        name
        for node in tree.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__"
        for name in (ast.literal_eval(node.value) if not _unpacks(node.value) else [])
    }
    yield from (node for node in tree.body if isinstance(node, Public) and node.name in names)


def _unpacks(value: ast.expr) -> bool:
    return any(isinstance(node, ast.Starred) for node in ast.walk(value))


def comment_rate(sources: Iterable[str]) -> float:
    """Comments per 100 lines that hold code."""
    comments, code = 0, 0
    for source in sources:
        tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
        comments += sum(token.type == tokenize.COMMENT for token in tokens)
        blank = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.STRING)
        code += len({token.start[0] for token in tokens if token.type not in blank})
    return 100 * comments / code


def depth(trees: Iterable[ast.Module]) -> int:
    """Longest chain of our own classes."""
    bases = {
        node.name: {getattr(base, "id", "") for base in node.bases}
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
    }

    def chain(name: str) -> int:
        return 1 + max((chain(base) for base in bases[name] if base in bases), default=0)

    return max(map(chain, bases))


def middle_and_end(figures: Iterable[int]) -> str:
    """Median and 95th percentile."""
    values = sorted(figures)
    return f"{median(values):.0f} / {quantiles(values, n=20)[-1]:.0f}"


def share(flags: Iterable[bool]) -> str:
    """Percentage of the flags that are true."""
    values = list(flags)
    return f"{100 * sum(values) / len(values):.0f}%"


if __name__ == "__main__":
    main()
