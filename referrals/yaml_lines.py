"""Lines of the fields that errors name, in a YAML text that has been parsed before."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ruamel.yaml import YAML

from referrals.domain.validation_messages import field_path
from referrals.errors import FieldError
from referrals.yaml_nodes import NodeReader


def add_lines(errors: Sequence[FieldError], text: str) -> list[FieldError]:
    """Return the errors with the line of each field, or of its nearest existing parent."""
    reader = NodeReader()
    reader.read(YAML(typ="safe", pure=True).compose(text))
    lines = {field_path(path): line for path, line in reader.lines.items()}
    return [replace(error, line=error.line or _find(error.field, lines)) for error in errors]


def _find(field: str, lines: Mapping[str, int]) -> int | None:
    while field and field not in lines:
        field = field[: max(field.rfind("."), field.rfind("["), 0)]
    return lines.get(field)
