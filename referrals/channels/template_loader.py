"""Load template files: separate the front matter from the Jinja source."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from jinja2 import FileSystemLoader
from jinja2.exceptions import TemplateSyntaxError
from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from referrals.channels.front_matter import FrontMatter, block_name, expressions
from referrals.domain.syntax_messages import describe_yaml_error
from referrals.domain.validation_messages import field_path, validation_message
from referrals.errors import ReferralsError
from referrals.yaml_nodes import NodeReader

KeyPath = tuple[int | str, ...]

_FRONT_MATTER = re.compile(
    r"---[ \t]*\r?\n(?P<yaml>.*?)^---[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE
)


class TemplateLoader(FileSystemLoader):
    """Loads the Jinja source of a file and remembers its front matter.

    Each expression of the front matter becomes a block on the line where it stands. It is compiled with the file, and
    rendered values are never parsed as YAML.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        super().__init__(folders, encoding="utf-8-sig", followlinks=True)
        self._front_matters: dict[str, FrontMatter] = {}

    def get_source(self, environment: Any, template: str) -> tuple[str, str, Callable[[], bool]]:
        source, filename, up_to_date = super().get_source(environment, template)
        found = _FRONT_MATTER.match(source)
        if source.startswith("---") and not found:
            problem = "the line of --- that ends the front matter is missing"
            raise FrontMatterError(problem, 1, template, filename)
        front_matter = FrontMatter()
        if found:
            front_matter, lines = _FrontMatterParser(template, filename).parse(found["yaml"])
            blocks = _to_blocks(front_matter, lines, found[0].count("\n"))
            source = blocks + source[found.end() :]
        self._front_matters[filename] = front_matter
        return source, filename, up_to_date

    def front_matter(self, filename: str | None) -> FrontMatter:
        """Return the front matter of a file that has been loaded."""
        return self._front_matters[str(filename)]


def _to_blocks(front_matter: FrontMatter, lines: dict[KeyPath, int], height: int) -> str:
    """Return Jinja of `height` lines with a block for each expression, so that line numbers stay right."""
    # Jinja knows blocks wherever they stand; inside this condition they are not printed in place.
    text = ["{% if false %}", *[""] * (height - 2), "{% endif %}"]
    for path, expression in expressions(front_matter):
        line = lines.get(path) or lines[path[:3]]
        text[line] += (
            f"{{% block {block_name(path)} %}}{' '.join(expression.split())}{{% endblock %}}"
        )
    return "\n".join(text) + "\n"


class FrontMatterError(TemplateSyntaxError, ReferralsError):
    """Error of the front matter, in our own words."""


class _FrontMatterParser:
    """Parses the YAML of one file; errors are Jinja syntax errors with the line in the file."""

    def __init__(self, template: str, filename: str) -> None:
        self._template = template
        self._filename = filename
        self._reader = NodeReader()

    def parse(self, text: str) -> tuple[FrontMatter, dict[KeyPath, int]]:
        """Return the front matter and the line of each key. Raises TemplateSyntaxError."""
        try:
            node = YAML(typ="safe", pure=True).compose(text)
            data = self._reader.read(node) if node else {}
            for path, line, problem in self._reader.problems:
                hint = "; put expressions in quotes" if "keys" in problem else ""
                raise self._error(f"{field_path(path)}: {problem}{hint}".lstrip(": "), line + 1)
            return FrontMatter.model_validate(data), self._reader.lines
        except MarkedYAMLError as error:
            line = error.problem_mark.line + 2 if error.problem_mark else 1
            raise self._error(
                f"invalid YAML: {describe_yaml_error(error.problem)}", line
            ) from error
        except YAMLError as error:
            raise self._error(f"invalid YAML: {describe_yaml_error(str(error))}", 1) from error
        except ValidationError as error:
            raise self._invalid_field(error) from error

    def _invalid_field(self, error: ValidationError) -> "FrontMatterError":
        first = error.errors(include_url=False, include_input=False)[0]
        path, lines = first["loc"], self._reader.lines
        known = (path[:length] for length in range(len(path), -1, -1) if path[:length] in lines)
        line = lines.get(next(known, ()), 0)
        return self._error(
            f"{field_path(path)}: {validation_message(first)}".lstrip(": "), line + 1
        )

    def _error(self, problem: str, line: int) -> "FrontMatterError":
        return FrontMatterError(problem, line, self._template, self._filename)
