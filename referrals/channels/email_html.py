"""The HTML of a mail, from MJML."""

import re
from collections.abc import Iterator

from mjml import mjml2html

_ELEMENT = re.compile(
    r"mjml|mj-(all|accordion(-element|-text|-title)?|attributes|body|breakpoint|button|carousel(-image)?|class|column"
    r"|divider|font|group|head|hero|image|navbar(-link)?|preview|raw|section|social(-element)?|spacer|style|table|text"
    r"|title|wrapper)"
)
_TAG = re.compile(r"<(?P<end>/?)(?P<name>mj[a-z-]*)\b(?P<rest>[^<>]*)>")
_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_POSITION = re.compile(r"position (\d+):(\d+)")
_EXCERPT = 80


def mjml_to_html(mjml: str) -> str:
    """A whole document that is responsive, from MJML whose values are escaped.

    Raises:
        ValueError: It is no MJML; the sentence has the element at fault, where that is known.
    """
    try:
        return str(mjml2html(mjml))
    except ValueError as error:
        place = _POSITION.search(str(error))
        at = f", at {mjml[int(place[1]) : int(place[2])][:_EXCERPT]!r}" if place else ""
        problem = _POSITION.sub("", str(error)).removesuffix(" at ")
        raise ValueError(f"its mail is no MJML: {problem}{at}") from error


def mjml_problems(source: str) -> Iterator[tuple[int, str]]:
    """Line and problem of the elements in a template that are unknown, or not closed.

    The renderer takes many of them without a word, and what is in them vanishes from the mail.
    """
    source = _JINJA.sub(lambda part: "\n" * part[0].count("\n"), source)
    opened: list[tuple[str, int]] = []
    for tag in _TAG.finditer(source):
        name, line = tag["name"], source.count("\n", 0, tag.start()) + 1
        if not _ELEMENT.fullmatch(name):
            yield line, f"MJML has no element <{name}>"
        elif not tag["end"] and not tag["rest"].endswith("/"):
            opened.append((name, line))
        elif tag["end"] and (not opened or opened.pop()[0] != name):
            yield line, f"</{name}> closes what is not open"
    for name, line in opened:
        yield line, f"<{name}> is never closed"
