"""Own words for the errors of parsers: JSON, YAML and Jinja. Their own texts speak of tokens and nodes, and change with their versions."""

import json
import re
from collections.abc import Sequence

Rules = Sequence[tuple[str, str]]
"""Regular expressions and the messages for texts that they match; `{0}` is the first group."""

_JSON: Rules = (
    ("^Expecting value", "a value is missing"),
    ("^Expecting property name", "a key in double quotes is missing"),
    ("^Expecting ':'", "a colon is missing after a key"),
    ("^Expecting ','", "a comma or a closing bracket is missing"),
    ("^Illegal trailing comma", "nothing follows a comma"),
    ("^Unterminated string", "the closing quotation mark of a text is missing"),
    ("^Invalid control character", "a text contains a line break or another control character"),
    (r"^Invalid \\+", "a text contains an unknown escape sequence"),
    ("^Extra data", "more text follows the end"),
)
_YAML: Rules = (
    ("could not find expected ':'", "a colon is missing after a key"),
    (
        "mapping values are not allowed",
        "a colon stands where no key can be; indent the line like its neighbours, or quote the text",
    ),
    ("sequence entries are not allowed", "a list item stands where no list can be"),
    ("found character (.+) that cannot start", "a value cannot start with {0}; put it in quotes"),
    ("expected <block end>", "the line is not indented like those before it"),
    ("expected ',' or", "a comma or a closing bracket is missing"),
    ("unexpected end of stream", "a closing quotation mark or bracket is missing"),
    ("expected the node content", "a value is missing"),
    ("undefined alias '?([^']*)'?", "there is no anchor {0}"),
    ("unknown escape character", "a text in double quotes has an unknown escape sequence"),
    ("single document|document separator|another document", "there is more than one document"),
)
_JINJA: Rules = (
    ("^Encountered unknown tag '([^']*)'", "there is no tag {0}"),
    ("^No (filter|test) named '([^']*)'", "there is no {0} {1}"),
    ("^[Uu]nexpected end of (template|file)", "the end of a tag or block is missing"),
    ("^Missing end of (comment|raw)", "the end of a {0} is missing"),
    ("^block '([^']*)' defined twice", "the block {0} is defined twice"),
    (r"got 'end of (?:statement block|print statement)'", "an expression or a name is missing"),
    ("^(?:expected token .*, got|Expected an expression, got) '(.*)'", "{0} is unexpected here"),
    ("^unexpected (?:char )?'(.*?)'", "{0} is unexpected here"),
    ("^'([^']*)' is undefined", "there is no variable {0}"),
    ("division by zero", "division by zero"),
    (
        "^unsupported operand|not supported between|can only concatenate",
        "the values do not go together",
    ),
    ("has no (?:attribute|element) '?([^']*)'?", "there is no value {0}"),
)


def reword(text: str, rules: Rules, otherwise: str) -> str:
    """Return the message of the first rule that the text matches."""
    for pattern, message in rules:
        if match := re.search(pattern, text):
            return message.format(*match.groups())
    return otherwise


def describe_json_error(error: json.JSONDecodeError) -> str:
    """Return what is wrong, without its place."""
    return reword(error.msg, _JSON, "the syntax is wrong")


def describe_yaml_error(problem: str | None) -> str:
    """Return what is wrong, without its place."""
    return reword(problem or "", _YAML, "check the indentation, quotes and brackets")


def describe_jinja_error(message: str | None) -> str:
    """Return what is wrong with a template, or with a value that it shows."""
    return reword(message or "", _JINJA, "the expression is wrong")
