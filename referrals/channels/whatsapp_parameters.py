"""What fills a WhatsApp template that Meta has approved."""

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

MAX_PARAMETER = 160
"""Characters of a parameter; a longer one is cut, for Meta refuses a message that grows beyond its limit."""


class EmptyParameter(TemplateError):
    """A place of a WhatsApp template that nothing fills: Meta refuses the message."""


@dataclass(frozen=True)
class WhatsAppRenderer:
    """One message of one file, about these variables; every value is rendered by itself."""

    template: Template
    variables: Mapping[str, Any]

    def message(self, front: FrontMatter) -> WhatsAppMessage | None:
        """None where the file has no WhatsApp message.

        Raises:
            EmptyPlace: Nothing fills one of its places.
            TemplateError: One of its expressions cannot be rendered.
        """
        told = front.whatsapp
        if told is None:
            return None
        locale = str(self.template.name).partition("/")[0]
        return WhatsAppMessage(
            template=told.template,
            language=told.language or locale.replace("-", "_"),
            category="utility" if front.purpose == "service" else "marketing",
            header=self._parameters("header", told.header),
            body=self._parameters("body", told.body),
            buttons=tuple(self._value("buttons", number) for number in range(len(told.buttons))),
        )

    def _parameters(
        self, part: str, places: tuple[Placeholder, ...]
    ) -> tuple[WhatsAppParameter, ...]:
        return tuple(self._parameter(place, part, number) for number, place in enumerate(places))

    def _parameter(self, place: Placeholder, *path: int | str) -> WhatsAppParameter:
        if place.kind != "currency":
            return WhatsAppParameter(
                truncate(self._value(*path, place.kind), MAX_PARAMETER), place.kind
            )
        currency, amount = self._value(*path, "currency"), self._value(*path, "amount")
        try:
            shown = format_money(amount, currency, self.variables["locale"])
        except InvalidOperation:
            problem = f"{amount!r} is no amount of money"
            line = block_line(self.template, block_name((*path, "amount")))
            raise TemplateError(problem, self.template.name, line) from None
        return WhatsAppParameter(one_line(shown), "currency", currency, amount)

    def _value(self, *path: int | str) -> str:
        name = block_name(path)
        text = one_line(render_block(self.template, name, self.variables))
        if not text:
            problem = "this place of the WhatsApp template can be empty"
            raise EmptyParameter(problem, self.template.name, block_line(self.template, name))
        return text
