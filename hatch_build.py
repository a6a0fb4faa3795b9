"""Refuse to build a wheel or an sdist: the engine runs from its checkout, with its templates and migrations."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class EditableOnly(BuildHookInterface[Any]):
    """Let an editable installation pass and stop every other build."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        if version != "editable":
            raise RuntimeError(
                "No package is built of the engine: run `make install` in a checkout."
            )
