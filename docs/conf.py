"""Configuration of Sphinx, which builds the documentation: ``make docs``.

The source folder is the root of the repository. A page therefore reads the same on a code host as on the site, and
Sphinx checks every relative link between README, pages, bundles and benchmarks. This file adds what only the site has:
the sidebar, and the pictures of the transforms in the reference.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

import monai_freq
from monai_freq.transforms import Keyed, RandKeyed

ROOT = Path(__file__).parent.parent
PICTURES = ROOT / "docs/images/transforms"

project = "monai_freq"
author = "the monai_freq authors"
copyright = f"{author}, Apache-2.0"
version = release = monai_freq.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.mathjax",
    "sphinx-mathjax-offline",  # puts MathJax beside the pages: formulas need no network
    "sphinx_copybutton",
]

root_doc = "docs/index"
include_patterns = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "docs/**.md",
    "bundles/*/docs/README.md",
    "benchmarks/*.md",
    "tutorials/*.md",
    "tutorials/*.ipynb",
]
exclude_patterns = [".*", "out*", "build", "dist", "docs/_build", "bundles/*/runs", "bundles/*/.cache"]

#: page -> title of a group in the sidebar -> pages of the group; a name with a star stands for existing pages
CONTENTS = {
    "docs/index": {
        "Tutorial": ["README: all on one page </README>", "tutorial", "/tutorials/*"],
        "How to": [
            *(
                "neighbours",
                "own_data",
                "dicom",
                "patches",
                "image_files",
                "audit",
                "own_classifier",
                "add_transforms",
                "torchio",
                "export",
                "model_hub",
                "nnunet",
                "watch_training",
                "lightning",
                "plain_loop",
                "auto3dseg",
                "study",
                "transfer",
            ),
            "bundles",
        ],
        "Reference": ["reference/index", "transforms", "bundle_pages"],
        "Explanation": [
            "explanation/low_and_high",
            "explanation/psd",
            "explanation/delta_ood",
            "explanation/spectral_decoupling",
            "explanation/phantoms",
        ],
        "Results": ["results/*", "results/*/report", "results/*/table*", "/benchmarks/RESULTS", "reliability*"],
        "Project": ["/CHANGELOG", "/CONTRIBUTING*"],
    },
    "docs/bundle_pages": {"": ["/bundles/*/docs/README"]},
    "docs/reference/index": {
        "": [
            *("transforms", "networks", "losses", "handlers", "torchio", "lightning", "nnunet", "auto3dseg"),
            *(
                "data",
                "phantoms",
                "spectral",
                "artifact_kernels",
                "seeding",
                "study",
                "audit",
                "figures",
                "documents",
                "bundle",
                "errors",
            ),
        ]
    },
}

myst_enable_extensions = ["dollarmath"]
myst_fence_as_directive = ["math"]  # the notation of code hosts for formulas
myst_heading_anchors = 3
nb_execution_mode = "off"  # a test runs the notebooks; the repository has their results

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 100
toc_object_entries_show_parents = "hide"
napoleon_custom_sections = ["Shape", "Reference"]
napoleon_use_rtype = False

nitpicky = True
nitpick_ignore_regex = [
    ("py:.*", r"(torch|torchio|monai|numpy|np|pandas|matplotlib|ignite|lightning)\..*"),
    ("py:.*", r"(collections|contextlib|pathlib|typing|os|argparse)\..*"),
    ("py:class", r"[A-Z]\w*|nn\.Module"),  # annotations of a class's arguments appear as written
    ("py:class", r".*\.[RT]"),
    ("py:exc", r"[A-Z]\w*"),
]

html_theme = "furo"
html_title = f"monai_freq {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_additional_pages = {"index": "to_contents.html"}
templates_path = ["_templates"]
html_theme_options = {"navigation_with_keys": True}
html_show_sourcelink = False
html_copy_source = False
copybutton_prompt_text = r">>> |\.\.\. "
copybutton_prompt_is_regexp = True

linkcheck_anchors_ignore_for_url = [r"https://github\.com/.*"]


def add_contents(_: Sphinx, page: str, source: list[str]) -> None:
    """Append the groups of the sidebar to a page."""
    for title, pages in CONTENTS.get(page, {}).items():
        there = [name for name in pages if "*" not in name or any_file(page, name)]
        options = [":hidden:", ":glob:"] + ([f":caption: {title}"] if title else [])
        source[0] += "\n".join(["", "", "```{toctree}", *options, "", *there, "```"])


def any_file(page: str, pattern: str) -> bool:
    """Whether a pattern of the sidebar stands for any page."""
    folder = ROOT if pattern.startswith("/") else (ROOT / page).parent
    return any(folder.glob(pattern.lstrip("/").rstrip("*") + "*"))


def add_picture(_: Sphinx, what: str, name: str, described: Any, __: Any, lines: list[str]) -> None:
    """Add the picture of a transform to its description; the dictionary form refers to the array form."""
    if what != "class" or not name.startswith("monai_freq.transforms.") or issubclass(described, (Keyed, RandKeyed)):
        return
    short = name.rpartition(".")[2]
    for picture in PICTURES.glob("*.png"):
        if picture.stem.replace("_", "") == short.removeprefix("Rand").removesuffix("d").lower():
            alternative = f"   :alt: an image before and after {short}, and the spectra"
            place = [*lines, ""].index("") + 1  # after the first paragraph
            lines[place:place] = [f".. image:: /{picture.relative_to(ROOT)}", alternative, ""]


def keep_one_return_type(_: Sphinx, __: str, ___: str, content: nodes.Element) -> None:
    """Remove the second return type: autodoc adds one to each list of fields, before and after the shapes."""
    found = [field for field in content.findall(nodes.field) if field[0].astext() == "rtype"]
    for field in found[1:]:
        field.parent.remove(field)


def setup(app: Sphinx) -> None:
    """Connect the functions of this file."""
    app.connect("source-read", add_contents)
    app.connect("autodoc-process-docstring", add_picture)
    app.connect("object-description-transform", keep_one_return_type, priority=900)
