"""Built-in messages as a mail client parses them."""

from functools import cache
from html.parser import HTMLParser

from referrals.channels.template_context import EXAMPLE_CONTEXT
from referrals.channels.templates import Templates

TEMPLATES = Templates()
LOCALES = ["en", "de"]
VOID = {"meta", "link", "br", "img", "hr", "o:allowpng"}


class Page(HTMLParser):
    """Parsed HTML of an email: `text`, `links`, `tags` with attributes, unclosed and unexpected tags."""

    def __init__(self, html):
        super().__init__()
        self.text, self.links, self.tags, self.opened, self.wrong = [], [], [], [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "a":
            self.links.append(dict(attrs)["href"])
        if tag not in VOID:
            self.opened.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self.opened or self.opened.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data):
        if "style" not in self.opened:
            self.text.append(data)


@cache
def page(html):
    return Page(html)


def render(name, locale="en", **changed):
    return TEMPLATES.render(name, locale, {**EXAMPLE_CONTEXT, **changed})
