"""The documentation is held to the code: parameters, links, and every example in it."""

import dataclasses
import inspect
import re
import sys
from pathlib import Path

import pytest
from numba import config

import spikesim as sp
from docs import build_rules
from tests.test_learning_contract import rules

PROJECT = Path(__file__).parent.parent
PAGES = sorted(
    path
    for folder, pattern in (("", "*.md"), ("docs", "**/*.md"), ("experiments", "*.md"))
    for path in (PROJECT / folder).glob(pattern)
    if path.name != "CHANGELOG.md"
)
MODULES = [
    sp, sp.comparison, sp.datasets, sp.encoding, sp.estimators, sp.layered, sp.learning, sp.ledger,
    sp.plotting, sp.recording,
]  # fmt: skip


def _documented():
    """Return every public class and function of the package, by full name."""
    found = {}
    for module in MODULES:
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.isclass(value) or inspect.isfunction(value):
                found[f"{value.__module__}.{value.__qualname__}"] = value
    for value in list(found.values()):
        if inspect.isclass(value):
            for name, method in vars(value).items():
                function = getattr(method, "__func__", method)
                # Without the compiler a kernel that a class holds is a function, too.
                private = name.startswith("_") or getattr(function, "__name__", "").startswith("_")
                if inspect.isfunction(function) and not private:
                    found[f"{value.__module__}.{function.__qualname__}"] = function
    return dict(sorted(found.items()))


DOCUMENTED = _documented()


def _section(documentation, title):
    """Return the names that a section of a numpydoc docstring lists, None without it."""
    match = re.search(
        rf"^{title}\n-+\n(.*?)(?=^\S[^\n]*\n-{{3,}}\n|\Z)", documentation, re.DOTALL | re.MULTILINE
    )
    if match is None:
        return None
    names = []
    for line in match[1].splitlines():
        if line and not line[0].isspace():
            names += [name.strip().lstrip("*") for name in line.split(" : ")[0].split(",")]
    return names


def _parameters(value):
    """Return the names of the parameters of a function, or of making an instance of a class."""
    signature = inspect.signature(value)
    return [name for name in signature.parameters if name not in ("self", "cls")]


@pytest.mark.parametrize("name", DOCUMENTED)
def test_documented_parameters_are_those_of_the_signature(name):
    value = DOCUMENTED[name]
    documentation = inspect.getdoc(value) or ""
    assert documentation, f"{name} has no docstring"
    listed = _section(documentation, "Parameters")
    if inspect.isclass(value) and listed is None:
        listed = _section(documentation, "Attributes")
        if listed is None:
            # A protocol or an error: nobody makes one by calling it with parameters.
            assert not dataclasses.is_dataclass(value) or not dataclasses.fields(value)
            return
        if dataclasses.is_dataclass(value):
            public = [f.name for f in dataclasses.fields(value) if not f.name.startswith("_")]
            assert listed == public
        return
    if listed is None:
        # A short method needs no table where one sentence says it.
        method = "." in value.__qualname__
        assert not _parameters(value) or (method and len(documentation.splitlines()) < 12)
        return
    assert listed == _parameters(value)


def _links():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
            if not target.startswith(("http://", "https://", "mailto:")):
                yield page, target


@pytest.mark.parametrize(("page", "target"), list(_links()), ids=lambda value: Path(value).name)
def test_links_resolve(page, target):
    path, _, anchor = target.partition("#")
    destination = (page.parent / path).resolve() if path else page
    assert destination.exists(), f"{page.name} links to {target}"
    if anchor:
        titles = re.findall(r"^#+ (.*)$", destination.read_text(encoding="utf-8"), re.MULTILINE)
        slugs = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
        assert anchor in slugs


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_paths_named_in_a_page_exist(page):
    """A path in backticks with a folder in it is one of the project."""
    text = page.read_text(encoding="utf-8")
    for path in re.findall(r"`((?:spikesim|docs|tests|experiments)/[\w./-]*)`", text):
        assert (PROJECT / path).exists(), f"{page.name} names {path}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_tables_are_whole(page):
    """A table has a head, and as many cells in each row: a blank line within would end it."""
    for table in re.findall(r"^(?:\|.*\n)+", page.read_text(encoding="utf-8"), re.MULTILINE):
        rows = table.splitlines()
        assert len(rows) > 2 and re.fullmatch(r"\|(:?-+:?\|)+", rows[1].replace(" ", "")), rows[0]
        assert len({len(re.split(r"(?<!\\)\|", row)) for row in rows}) == 1, rows[0]


@pytest.mark.parametrize(("folder", "start"), [(".", "# Exp"), ("benchmarks", "`benchmarks/`")])
def test_every_experiment_has_its_row(folder, start):
    """A file of experiments that can be run is in the table, and the table names no other."""
    home = PROJECT / "experiments"
    text = (home / "README.md").read_text(encoding="utf-8")
    table = re.search(r"^\|.*?\n\n", text[text.index(start) :], re.DOTALL | re.MULTILINE)[0]
    named = {name for row in table.splitlines() for name in re.findall(r"`(\w+\.py)`", row)}
    found = {
        path.name
        for path in (home / folder).glob("*.py")
        if re.search(
            r"^def main\(.*^if __name__", path.read_text("utf-8"), re.DOTALL | re.MULTILINE
        )
    }
    assert named == found


# What is too much without the compiler: of a page, (what it says, what is tried instead).
SMALLER = {
    "analysis.md": [("model, 800", "model, 160"), ("model, 200", "model, 40")],
    "datasets.md": [("epochs=40", "epochs=5")],
    "estimators.md": [
        ("= load_iris(return_X_y=True)", "= (a[::5] for a in load_iris(return_X_y=True))"),
        ("SpikingClassifier(random_state=0), X", "SpikingClassifier(epochs=2, random_state=0), X"),
        ("epochs=10", "epochs=2"),
        ("epochs=20", "epochs=2"),
    ],
    "trained_is_simulated.md": [("epochs=200, seed", "epochs=20, seed"), ("2000.0", "200.0")],
}


@pytest.mark.parametrize("page", sorted((PROJECT / "docs").rglob("*.md")), ids=lambda p: p.name)
def test_python_blocks_run(page, tmp_path, monkeypatch):
    """The blocks of a page run one after another in one namespace, in an empty folder.

    A block that starts with ``# FILE`` is written to that file instead, for the next to import.
    The README has a test of its own.
    """
    import matplotlib.pyplot

    matplotlib.use("Agg")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    modules = set(sys.modules)
    names = {"__name__": "__main__"}
    text = page.read_text(encoding="utf-8")
    for said, instead in SMALLER.get(page.name, []) if config.DISABLE_JIT else []:
        assert said in text
        text = text.replace(said, instead)
    for block in re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        written = re.match(r"# (\w+\.py)\n", block)
        if written:
            Path(written[1]).write_text(block, encoding="utf-8")
        else:
            exec(compile(block, str(page), "exec"), names)
    matplotlib.pyplot.close("all")
    for name in set(sys.modules) - modules:
        if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in (
            sys.modules[name].__file__ or ""
        ):
            del sys.modules[name]


def test_every_page_is_reached_from_the_index():
    """A folder may have an index of its own, which the one of all links."""
    docs = PROJECT / "docs"
    indices = {path.parent: path.read_text(encoding="utf-8") for path in docs.rglob("index.md")}
    for page in docs.rglob("*.md"):
        home = docs if page.name == "index.md" or page.parent not in indices else page.parent
        if page != docs / "index.md":
            assert f"({page.relative_to(home).as_posix()})" in indices[home], page


def test_the_pages_of_the_rules_are_those_that_their_docstrings_make():
    """If this fails: ``python docs/build_rules.py``."""
    made = build_rules.pages()
    found = {path.name: path.read_text(encoding="utf-8") for path in build_rules.FOLDER.iterdir()}
    assert set(found) == set(made)
    for name, text in made.items():
        assert found[name] == text, name


def test_every_rule_has_its_page():
    index = (build_rules.FOLDER / "index.md").read_text(encoding="utf-8")
    names = {kind.__name__ for kind in rules()}
    assert names == set(build_rules.rules())
    assert all(f"[{name}](" in index for name in names)


_RULE = r"""Move.

.. math:: w \leftarrow 2 w

*Each synapse must know* itself.

*Works* at times; *fails* at others.

References
----------
Nobody 1900.
"""


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("*Each synapse must know* itself.", r"of Mine does not say \*Each synapse must know\*"),
        ("*Works* at times; ", r"of Mine does not say \*Works\*"),
        ("; *fails* at others", r"of Mine does not say \*Fails\*"),
        (".. math:: w \\leftarrow 2 w", "of Mine has no equation"),
        ("Nobody 1900.\n", "of Mine has no section References"),
    ],
)
def test_a_docstring_that_lacks_a_part_is_named(part, message):
    assert part in _RULE
    with pytest.raises(ValueError, match=message):
        build_rules.parse("Mine", _RULE.replace(part, ""))


def test_a_docstring_becomes_markdown():
    text = r"""Move it.

    All :math:`w_i`, as :class:`~spikesim.learning.Perceptron` does with ``None``:

    .. math::

        w_i &\leftarrow 2 w_i \\
        b &\leftarrow 0

    *Each synapse must know* :math:`a
    + b` and this.

    *Works* now. *Fails* later.

    Build it yourself.

    Parameters
    ----------
    rate, other : float, default 1
        In :math:`\eta` of
        something.

    References
    ----------
    Nobody 1900.
    """
    parts = build_rules.parse("Mine", inspect.cleandoc(text))
    assert parts == {
        "summary": "Move it.",
        "how": [
            "All $`w_i`$, as [Perceptron](perceptron.md) does with `None`:",
            "```math\n\\begin{aligned}\nw_i &\\leftarrow 2 w_i \\\\\nb &\\leftarrow 0\n"
            "\\end{aligned}\n```",
        ],
        "know": ["Each synapse must know $`a + b`$ and this."],
        "works": ["It works now."],
        "fails": ["It fails later."],
        "more": ["Build it yourself."],
        "parameters": ["- `rate`, `other` (float, default 1): In $`\\eta`$ of something."],
        "sources": "Nobody 1900.",
    }


def test_vocabulary_is_used():
    """No parameter of the public interface is called by a name that means several things."""
    for name, value in DOCUMENTED.items():
        try:
            parameters = _parameters(value)
        except ValueError:
            continue
        assert not {"alpha", "beta", "tau"} & set(parameters), name
