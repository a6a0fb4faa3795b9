"""From YAML's nodes to plain values and the line that each stands on.

Only what JSON has too is read: mappings with text keys, lists, text, numbers, true, false and null. A date
stays text, so that its offset survives; a word such as NO stays text. Aliases, tags and a key that is there twice
are problems: the first can make a small file huge, the last hides half of what was written.
"""

from collections.abc import Callable
from typing import Any

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

Path = tuple[int | str, ...]


def _text(text: str) -> str:
    # JSON writes a character beyond the basic plane as two escapes, which YAML reads as two halves.
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def _number(kind: type[int] | type[float]) -> Callable[[str], int | float | str]:
    def parse(text: str) -> int | float | str:
        try:
            return kind(text)
        except ValueError:
            return text

    return parse


_TAG = "tag:yaml.org,2002:"
_SCALARS: dict[str, Callable[[str], Any]] = {
    f"{_TAG}null": lambda _: None,
    f"{_TAG}bool": lambda text: {"true": True, "false": False}.get(text.lower(), text),
    f"{_TAG}int": _number(int),
    f"{_TAG}float": _number(float),
    f"{_TAG}str": _text,
    f"{_TAG}timestamp": _text,
    f"{_TAG}merge": _text,
    f"{_TAG}value": _text,
}


class NodeReader:
    """Reads one document; `lines` and `problems` (path, line, message) tell of it afterwards."""

    def __init__(self) -> None:
        self.lines: dict[Path, int] = {}
        self.problems: list[tuple[Path, int, str]] = []
        self._seen: set[Node] = set()

    def read(self, node: Node, path: Path = ()) -> Any:
        """The value of the node, which stands at the path."""
        if node in self._seen:  # the node stands where its anchor does, not where the alias does
            line = self.lines.get(path) or self.lines[path[:-1]]
            return self._problem(path, line, "must not be an alias (*name): write the value out")
        self._seen.add(node)
        self.lines.setdefault(path, _line(node))
        if isinstance(node, MappingNode) and node.tag == f"{_TAG}map":
            return self._mapping(node, path)
        if isinstance(node, SequenceNode) and node.tag == f"{_TAG}seq":
            return [self.read(item, (*path, index)) for index, item in enumerate(node.value)]
        if isinstance(node, ScalarNode) and node.tag in _SCALARS:
            return _SCALARS[node.tag](node.value)
        return self._problem(
            path, _line(node), f"must not have the tag {str(node.tag).replace(_TAG, '!!')}"
        )

    def _mapping(self, node: MappingNode, path: Path) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                self._problem(path, _line(key_node), "must have text as keys")
                continue
            key = _text(key_node.value)
            if key in values:
                first = self.lines[*path, key]
                self._problem(
                    (*path, key), _line(key_node), f"is there twice, first on line {first}"
                )
                continue
            self.lines[*path, key] = _line(key_node)
            values[key] = self.read(value_node, (*path, key))
        return values

    def _problem(self, path: Path, line: int, message: str) -> None:
        self.problems.append((path, line, message))


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1
