"""Names of templates, which come from campaign files."""

import pytest

from referrals.channels.errors import TemplateError
from referrals.channels.template_context import EXAMPLE_CONTEXT
from referrals.channels.templates import Templates


@pytest.mark.parametrize(
    "name",
    [
        "../en/milestone",
        "en/milestone",
        "/etc/passwd",
        "_layout",
        "Milestone",
        "",
        "a" * 64,
        "milestone\n",
        "milestone.jinja",
        "mile-stone",
        "\x00",
    ],
)
def test_a_name_that_could_be_a_path_is_refused(name):
    with pytest.raises(TemplateError, match="must be 1 to 63 lower-case letters"):
        Templates().render(name, "en", EXAMPLE_CONTEXT)
    with pytest.raises(TemplateError, match="must be 1 to 63 lower-case letters"):
        Templates().check(name, "code_published")
