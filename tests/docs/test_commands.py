"""Every command and every request that the documentation names exists, with its options and parameters."""

import re
import shlex
from functools import cache

import pytest
import typer.main
from starlette.routing import compile_path
from typer.core import TyperGroup

from entrypoints.api.main import create_app
from entrypoints.cli.main import app
from tests.docs import pages
from tests.docs.pages import blocks, code_in

PAGES = [page for page in pages.PAGES if page.name != "CHANGELOG.md"]
"""Pages about the present. The changelog also names what was there once."""

OUR_COMMAND = re.compile(r"^(?:\$ )?(referrals [^\n]*(?:\\\n[^\n]*)*)", re.MULTILINE)
FILE = re.compile(r"[\w/.-]+\.(yaml|json|ndjson|csv)")
PIPES = re.compile(r"\s(?:[|>]|<<).*")
REQUEST = re.compile(r"(GET|PUT|POST|PATCH|DELETE) (/\S*)")
OF_OTHERS = ("/v3/events", "/{waba}/message_templates", "/v1/publications")
"""Paths of the vendors' APIs."""


def commands_in_blocks():
    for block in blocks("sh", "console", "shell"):
        for command in OUR_COMMAND.findall(block.text):
            yield pytest.param(command, id=f"{block}: {command}")


def commands_in_sentences():
    for page in PAGES:
        for code in code_in(page):
            if code.startswith("referrals "):
                yield pytest.param(code, id=f"{page}: {code}")


def resolve(words):
    """Return the context of the command that the words name, and what follows."""
    command = typer.main.get_command(app)
    context = command.context_class(command, info_name="referrals")
    while isinstance(command, TyperGroup) and words and not words[0].startswith("-"):
        found = command.get_command(context, words[0])
        assert found, f"no command {words[0]}"
        command, words = found, words[1:]
        context = command.context_class(command, info_name=command.name, parent=context)
    return context, words


@pytest.mark.parametrize("text", list(commands_in_blocks()))
def test_a_command_can_be_parsed_as_it_is_written(text, tmp_path, monkeypatch):
    words = shlex.split(PIPES.sub("", text), comments=True)
    context, arguments = resolve(words[1:])
    monkeypatch.chdir(tmp_path)
    for name in filter(FILE.fullmatch, arguments):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    context.command.parse_args(context, arguments)


@pytest.mark.parametrize("text", list(commands_in_sentences()))
def test_a_command_in_a_sentence_exists_with_its_options(text):
    context, arguments = resolve(shlex.split(text)[1:])
    known = {option for parameter in context.command.params for option in parameter.opts}

    assert {word for word in arguments if word.startswith("--")} <= known


@cache
def routes():
    paths = create_app().openapi()["paths"]
    return [
        (method.upper(), compile_path(path)[0])
        for path, operations in paths.items()
        for method in operations
    ]


def requests():
    for page in PAGES:
        for code in code_in(page):
            for method, path in REQUEST.findall(code):
                if not path.startswith(OF_OTHERS):
                    yield pytest.param(method, path, id=f"{page}: {method} {path}")


@pytest.mark.parametrize(("method", "path"), list(requests()))
def test_a_request_has_a_route(method, path):
    plain = re.sub(r"[{}]", "", path.partition("?")[0]).rstrip(".,")

    assert [m for m, pattern in routes() if m == method and pattern.match(plain)] == [method]
