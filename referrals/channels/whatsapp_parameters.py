"""Render the parameters of an approved WhatsApp template from a message's front matter."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import InvalidOperation
from typing import Any

from jinja2 import Template

from referrals.channels.errors import TemplateError
from referrals.channels.front_matter import FrontMatter, Placeholder, block_name
from referrals.channels.jinja_environment import block_line, render_block
from referrals.channels.localisation import format_money, one_line, truncate
from referrals.channels.message_content import WhatsAppMessage, WhatsAppParameter

MAX_PARAMETER_LENGTH = 160
"""Characters; a longer parameter is truncated, because Meta rejects messages above its limit."""


class EmptyParameter(TemplateError):
    """A placeholder of a WhatsApp template has no value; Meta would reject the message."""


@dataclass(frozen=True)
class WhatsAppRenderer:
    """Renders each parameter separately, from one template file and one set of variables."""

    template: Template
    variables: Mapping[str, Any]

    def render(self, front_matter: FrontMatter) -> WhatsAppMessage | None:
        """Return None if the file has no WhatsApp message.

        Raises:
            EmptyParameter: A placeholder has no value.
            TemplateError: An expression cannot be rendered.
        """
        whatsapp = front_matter.whatsapp
        if whatsapp is None:
            return None
        locale = str(self.template.name).partition("/")[0]
        return WhatsAppMessage(
            template=whatsapp.template,
            language=whatsapp.language or locale.replace("-", "_"),
            category="utility" if front_matter.purpose == "service" else "marketing",
            header=self._parameters("header", whatsapp.header),
            body=self._parameters("body", whatsapp.body),
            buttons=tuple(self._value("buttons", index) for index in range(len(whatsapp.buttons))),
        )

    def _parameters(
        self, part: str, placeholders: tuple[Placeholder, ...]
    ) -> tuple[WhatsAppParameter, ...]:
        return tuple(
            self._parameter(placeholder, part, index)
            for index, placeholder in enumerate(placeholders)
        )

    def _parameter(self, placeholder: Placeholder, *path: int | str) -> WhatsAppParameter:
        kind = placeholder.kind
        if kind != "currency":
            return WhatsAppParameter(truncate(self._value(*path, kind), MAX_PARAMETER_LENGTH), kind)
        currency, amount = self._value(*path, "currency"), self._value(*path, "amount")
        try:
            shown = format_money(amount, currency, self.variables["locale"])
        except InvalidOperation:
            problem = f"{amount!r} is not an amount of money"
            line = block_line(self.template, block_name(("whatsapp", *path, "amount")))
            raise TemplateError(problem, self.template.name, line) from None
        return WhatsAppParameter(one_line(shown), "currency", currency, amount)

    def _value(self, *path: int | str) -> str:
        name = block_name(("whatsapp", *path))
        text = one_line(render_block(self.template, name, self.variables))
        if not text:
            problem = "this placeholder of the WhatsApp template can be empty"
            raise EmptyParameter(problem, self.template.name, block_line(self.template, name))
        return text
