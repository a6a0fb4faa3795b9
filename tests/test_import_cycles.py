"""No two modules import each other, directly or through others: at the top, within a function or under TYPE_CHECKING."""

import ast
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = (
    "activities",
    "benchmarks",
    "entrypoints",
    "inbox",
    "referrals",
    "simulation",
    "workflows",
)
Graph = dict[str, set[str]]


def module_name(file: Path, root: Path) -> str:
    parts = file.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported_names(file: Path, module: str) -> Iterator[str]:
    """Absolute names of all that a file imports, wherever the statement stands."""
    package = module.split(".") if file.name == "__init__.py" else module.split(".")[:-1]
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*base, *filter(None, [node.module])])
            yield from (f"{source}.{alias.name}" for alias in node.names)


def import_graph(root: Path, files: list[Path]) -> Graph:
    """The modules that each module imports; `from package import module` means that module."""
    sources = {module_name(file, root): file for file in files}

    def resolve(name: str) -> str:
        return name if name in sources else name.rpartition(".")[0]

    return {
        module: {resolve(name) for name in imported_names(file, module)} & sources.keys() - {module}
        for module, file in sources.items()
    }


def cycles(graph: Mapping[str, set[str]]) -> list[str]:
    """One cycle after another, each broken where it closes so that the next one shows."""
    remaining = {module: set(imported) for module, imported in graph.items()}
    found = []
    while True:
        try:
            TopologicalSorter(remaining).prepare()
        except CycleError as error:
            imported, importer = error.args[1][:2]
            found.append(" <- ".join(error.args[1]))
            remaining[importer].discard(imported)
        else:
            return found


def test_no_import_cycles():
    files = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]
    graph = import_graph(ROOT, [*files, ROOT / "plugin.py", ROOT / "worker.py"])
    assert cycles(graph) == []


@pytest.mark.parametrize(
    "statement",
    [
        "import pkg.a",
        "from pkg import a",
        "from . import a",
        "from .a import name",
        "def f():\n    from pkg.a import name",
        "if TYPE_CHECKING:\n    from pkg.a import name",
    ],
)
def test_every_form_of_import_counts(tmp_path, statement):
    package = tmp_path / "pkg"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "a.py").write_text("from pkg.b import x")
    (package / "b.py").write_text(statement)

    assert cycles(import_graph(tmp_path, list(package.glob("*.py"))))
