"""Conversion of YAML nodes to plain values, with the line of each value.

Only the types of JSON are supported: mappings with text keys, lists, text, numbers, true, false and null. Dates stay
text, so that their offset is kept; words such as NO stay text. Aliases, tags and duplicate keys are problems: an alias
can make a small file huge, and a duplicate key hides a value.
"""

from collections.abc import Callable
from typing import Any

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

Path = tuple[int | str, ...]


def _text(text: str) -> str:
    # JSON escapes a character outside the basic multilingual plane as two surrogates, which YAML does not join.
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
    """Reader of one document. After `read`, `lines` has the line of each path, `problems` the path, line and message."""

    def __init__(self) -> None:
        self.lines: dict[Path, int] = {}
        self.problems: list[tuple[Path, int, str]] = []
        self._seen: set[Node] = set()

    def read(self, node: Node, path: Path = ()) -> Any:
        """Return the value of the node at the path."""
        if node in self._seen:  # the node's own line is that of its anchor
            line = self.lines.get(path) or self.lines[path[:-1]]
            return self._problem(
                path, line, "must not be a YAML alias (*name); repeat the value instead"
            )
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
                self._problem(path, _line(key_node), "must have text keys")
                continue
            key = _text(key_node.value)
            if key in values:
                first = self.lines[*path, key]
                self._problem(
                    (*path, key), _line(key_node), f"is a duplicate key, first used on line {first}"
                )
                continue
            self.lines[*path, key] = _line(key_node)
            values[key] = self.read(value_node, (*path, key))
        return values

    def _problem(self, path: Path, line: int, message: str) -> None:
        self.problems.append((path, line, message))


def _line(node: Node) -> int:
    return int(node.start_mark.line) + 1
