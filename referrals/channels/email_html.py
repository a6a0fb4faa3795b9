"""Email HTML from MJML, and checks of the MJML in templates."""

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
_MAX_EXCERPT_LENGTH = 80


def mjml_to_html(mjml: str) -> str:
    """Return a complete responsive document; values in the MJML must be escaped already.

    Raises:
        ValueError: The MJML is invalid; the text quotes the element at fault, if known.
    """
    try:
        return str(mjml2html(mjml))
    except ValueError as error:
        position = _POSITION.search(str(error))
        at = ""
        if position:
            at = f", at {mjml[int(position[1]) : int(position[2])][:_MAX_EXCERPT_LENGTH]!r}"
        raise ValueError(f"the email is not valid MJML{at}") from error


def mjml_problems(source: str) -> Iterator[tuple[int, str]]:
    """Yield line and problem for each MJML element that is unknown or not closed.

    The MJML renderer accepts many of them silently, and their content is missing from the email.
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
            yield line, f"</{name}> has no opening tag"
    for name, line in opened:
        yield line, f"<{name}> is never closed"
