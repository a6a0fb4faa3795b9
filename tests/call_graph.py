"""Static call graph of the product: functions by `module.name`, with the functions that each one refers to."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("activities", "inbox", "referrals", "workflows", "simulation", "entrypoints")
Function = ast.FunctionDef | ast.AsyncFunctionDef


def modules() -> dict[str, ast.Module]:
    """Return the syntax tree of each product module by its dotted name."""
    files = [ROOT / "plugin.py", ROOT / "worker.py"]
    for package in PACKAGES:
        files += sorted((ROOT / package).rglob("*.py"))
    return {_dotted(file): ast.parse(file.read_text("utf-8")) for file in files}


def functions(tree: ast.Module) -> Iterator[tuple[str, Function]]:
    """Yield the functions and methods of a module with their qualified names."""
    for node in tree.body:
        if isinstance(node, Function):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            for method in node.body:
                if isinstance(method, Function):
                    yield f"{node.name}.{method.name}", method


@cache
def call_graph() -> dict[str, frozenset[str]]:
    """Return the functions that each function refers to, resolved through imports, `self` and class names.

    A reference counts as a call, so that callbacks are included. Calls through protocols are not resolved.
    """
    trees = modules()
    known = {f"{module}.{name}" for module, tree in trees.items() for name, _ in functions(tree)}
    graph = {}
    for module, tree in trees.items():
        imports = _imports(tree)
        for name, function in functions(tree):
            owner = name.rpartition(".")[0]
            found = {_resolve(node, module, owner, imports) for node in ast.walk(function)}
            graph[f"{module}.{name}"] = frozenset(found & known) - {f"{module}.{name}"}
    return graph


def longest_path(start: str, *, until: str) -> list[str]:
    """Return the longest chain of calls from a function to one of the module `until`.

    Raises:
        ValueError: functions call each other in a cycle.
    """
    graph, finished, open_calls = call_graph(), {}, []

    def visit(function: str) -> list[str]:
        if function in open_calls:
            raise ValueError(f"cycle of calls: {[*open_calls, function]}")
        if function not in finished:
            open_calls.append(function)
            tails = [] if _module(function) == until else map(visit, sorted(graph[function]))
            tail = max(tails, key=len, default=[])
            reaches = tail or _module(function) == until
            finished[function] = [function, *tail] if reaches else []
            open_calls.pop()
        return finished[function]

    return visit(start)


def _module(function: str) -> str:
    """Return the module of a function, without the class of a method."""
    parts = [part for part in function.split(".")[:-1] if not part[0].isupper()]
    return ".".join(parts)


def _dotted(file: Path) -> str:
    path = file.relative_to(ROOT).with_suffix("")
    return ".".join(part for part in path.parts if part != "__init__")


def _imports(tree: ast.Module) -> dict[str, str]:
    return {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def _resolve(node: ast.AST, module: str, owner: str, imports: dict[str, str]) -> str:
    """Return the dotted name that a name or attribute refers to; an unresolved one is not in the graph."""
    match node:
        case ast.Name(id=name):
            return imports.get(name, f"{module}.{name}")
        case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name):
            return f"{module}.{owner}.{name}"
        case ast.Attribute(value=ast.Name(id=base), attr=name):
            return f"{imports.get(base, f'{module}.{base}')}.{name}"
    return ""
