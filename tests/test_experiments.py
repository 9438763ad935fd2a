"""Each experiment runs at its smallest size, through the public interface alone."""

import ast
import dataclasses
import importlib
import re
from pathlib import Path

import pytest

import spikesim
from spikesim.ledger import contents
from spikesim.ledger.rows import read_chapter

FOLDER = Path(__file__).parents[1] / "experiments"
NAMES = sorted(
    path.stem for path in FOLDER.glob("*.py") if "class Config" in path.read_text(encoding="utf-8")
)
CHAPTERS = sorted(path.stem for path in (FOLDER / "seeds").glob("[!_]*.py"))
SOURCES = sorted([*FOLDER.glob("*.py"), *(FOLDER / "seeds").glob("*.py")])


def test_experiments_are_found():
    assert {"iris", "rate_code", "tour", "xor"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_experiment_runs_at_smoke_size(name, tmp_path, monkeypatch, capsys):
    module = importlib.import_module(f"experiments.{name}")
    monkeypatch.chdir(tmp_path)
    config = module.Config.smoke()
    assert dataclasses.is_dataclass(config)
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(config, dataclasses.fields(config)[0].name, None)
    returned = []
    run = module.run
    monkeypatch.setattr(module, "run", lambda c: returned.append(run(c)) or returned[-1])
    module.main(["--smoke", "--out", "here"])
    assert isinstance(returned[0], dict) and returned[0]
    assert capsys.readouterr().out.strip()
    assert [path.name for path in tmp_path.iterdir()] == ["here"]
    assert any(path.suffix == ".png" for path in tmp_path.rglob("*"))


@pytest.mark.parametrize("name", CHAPTERS)
def test_chapter_of_the_ledger_runs_at_smoke_size(name, tmp_path, monkeypatch, capsys):
    """It gives the rows that the ledger expects of it, each with its figure."""
    module = importlib.import_module(f"experiments.seeds.{name}")
    monkeypatch.chdir(tmp_path)
    config = module.Config.smoke()
    assert type(module.Config.quick()) is type(module.Config()) is type(config)
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(config, dataclasses.fields(config)[0].name, None)
    module.main(["--smoke", "--out", "here"])
    assert capsys.readouterr().out.strip()
    assert [path.name for path in tmp_path.iterdir()] == ["here"]
    rows, hypotheses, command, budget = read_chapter(tmp_path / "here")
    assert [row.id for row in rows] == list(contents.CHAPTERS[name])
    assert {found.id for found in hypotheses} <= set(contents.HYPOTHESES)
    assert (command, budget) == (f"python experiments/seeds/{name}.py --smoke", "smoke")
    for row in rows:
        assert all((tmp_path / "here" / f"{row.figure}{end}").is_file() for end in (".svg", ".png"))
        assert row.claim.strip() and row.quantity.strip() and len(row.text) > 80
        assert set(re.findall(r"\bS\d\.\d+", row.text)) <= set(contents.IDS)
    assert all(set(found.rows) <= set(contents.IDS) for found in hypotheses)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_experiment_uses_public_names_only(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("spikesim"):
            public = importlib.import_module(node.module).__all__
            assert all(alias.name in public for alias in node.names)
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            modules = [getattr(node, "module", None) or ""] + [a.name for a in node.names]
            assert not any("._" in m or m.startswith("_") for m in modules if m != "__future__")
        if isinstance(node, ast.Attribute) and isinstance(node.value, (ast.Name, ast.Attribute)):
            assert not (node.attr.startswith("_") and _root(node) == "sp"), node.attr
            if _root(node) == "sp" and isinstance(node.value, ast.Name):
                assert node.attr in spikesim.__all__, node.attr


def _root(node):
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
