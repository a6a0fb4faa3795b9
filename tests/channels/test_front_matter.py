"""Front matter: the purpose of a message and the parameters of its WhatsApp template."""

import pytest

from referrals.channels.errors import TemplateError
from referrals.channels.message_content import WhatsAppMessage, WhatsAppParameter
from referrals.channels.template_context import EXAMPLE_CONTEXT
from referrals.channels.templates import Templates
from referrals.channels.whatsapp_parameters import MAX_PARAMETER_LENGTH

BLOCKS = (
    "{% block subject %}Hello{% endblock %}{% block text %}Hello{% endblock %}"
    "{% block html %}<p>Hello</p>{% endblock %}"
)
WHATSAPP = """\
purpose: service
whatsapp:
  template: hello
  text: "Hello {{1}}, you get {{2}} on {{3}}. See you!"
  header: ["{{ campaign.name }}"]
  body:
    - "{{ recipient.name }}"
    - {currency: "{{ reward.currency }}", amount: "{{ reward.amount }}"}
    - date_time: "{{ due_at | date('short') }}"
  buttons: ["{{ advocate.code | urlencode }}"]
"""


@pytest.fixture
def hello(tmp_path):
    """Write the message `hello` with this front matter and return its `Templates`."""

    def write(front, locale="en", blocks=BLOCKS):
        (tmp_path / locale).mkdir(exist_ok=True)
        text = f"---\n{front}---\n{blocks}" if front is not None else blocks
        (tmp_path / locale / "hello.jinja").write_text(text)
        return Templates(tmp_path)

    return write


def render(templates, locale="en", **changed):
    return templates.render("hello", locale, {**EXAMPLE_CONTEXT, **changed})


def test_a_whatsapp_message_is_filled_in_order_with_typed_parameters(hello):
    assert render(hello(WHATSAPP)).whatsapp == WhatsAppMessage(
        template="hello",
        language="en",
        category="utility",
        header=(WhatsAppParameter("Spring referrals"),),
        body=(
            WhatsAppParameter("Ada"),
            WhatsAppParameter("€25.00", "currency", "EUR", "25.00"),
            WhatsAppParameter("3/18/26", "date_time"),
        ),
        buttons=("SPRING-7K2M-9QXD",),
    )


def test_money_and_dates_are_shown_as_the_reader_writes_them(hello):
    templates = hello(WHATSAPP, "de")

    _, money, day = render(templates, "de").whatsapp.body

    assert (money.text, day.text) == ("25,00 €", "18.03.26")


@pytest.mark.parametrize(
    ("locale", "option", "language"),
    [("en", "", "en"), ("pt-BR", "", "pt_BR"), ("en", "  language: en_US\n", "en_US")],
)
def test_the_language_is_that_of_the_folder_unless_specified(hello, locale, option, language):
    assert render(hello(WHATSAPP + option, locale), locale).whatsapp.language == language


@pytest.mark.parametrize(
    ("front", "purpose"),
    [
        (None, "marketing"),
        ("", "marketing"),
        ("purpose: service\n", "service"),
        ("purpose: marketing\n", "marketing"),
    ],
)
def test_a_message_is_marketing_unless_it_says_service(hello, front, purpose):
    rendered = render(hello(front))

    assert rendered.purpose == purpose
    assert rendered.whatsapp is None
    assert (rendered.subject, rendered.text, rendered.html) == ("Hello", "Hello", "<p>Hello</p>")


def test_the_category_follows_from_the_purpose(hello):
    marketing = WHATSAPP.replace("service", "marketing")

    assert render(hello(marketing)).whatsapp.category == "marketing"


@pytest.mark.parametrize(
    "name", ['"]\n  template: evil', "{{ advocate }}", "%}{% raw", "<b>&", "- x: y #", "𝕱𝖆𝖞"]
)
def test_no_value_changes_what_is_sent_beside_it(hello, name):
    message = render(hello(WHATSAPP), recipient={"name": name}).whatsapp

    assert message.template == "hello"
    assert message.body[0] == WhatsAppParameter(" ".join(name.split()))
    assert message.body[1:] == render(hello(WHATSAPP)).whatsapp.body[1:]


def test_a_parameter_is_one_line_of_bounded_length(hello):
    front = WHATSAPP.replace("{{ recipient.name }}", "{{ reason }}")

    message = render(hello(front), reason="a\n\n\tb     c" * 100).whatsapp.body[0].text

    assert message.startswith("a b c")
    assert MAX_PARAMETER_LENGTH - 1 <= len(message) <= MAX_PARAMETER_LENGTH


def test_a_message_with_an_empty_parameter_goes_out_on_other_channels(hello):
    rendered = render(hello(WHATSAPP), recipient={"name": None})

    assert rendered.whatsapp is None
    assert rendered.text == "Hello"


def test_the_check_finds_a_parameter_that_can_be_empty(hello):
    with pytest.raises(
        TemplateError, match=r"en/hello.jinja, line 8: this placeholder .* can be empty"
    ):
        hello(WHATSAPP).check("hello", "reward_granted")


def test_a_value_that_is_not_there_prints_nothing(hello):
    blocks = BLOCKS.replace("Hello", "[{{ recipient.name }}]")

    assert render(hello(None, blocks=blocks), recipient={"name": None}).subject == "[]"


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("{{ frend.name }}", "line 8: there is no variable 'frend'"),
        ("{{ recipient.nme }}", "line 8: there is no value nme"),
        ("{{ recipient.name", "line 8: { is unexpected here"),
        ("{{ recipient.name | shout }}", "line 8: there is no filter shout"),
    ],
)
def test_an_error_in_a_parameter_is_reported_with_its_line(hello, expression, problem):
    templates = hello(WHATSAPP.replace("{{ recipient.name }}", expression))

    with pytest.raises(TemplateError, match=f"en/hello.jinja, {problem}"):
        templates.check("hello", "reward_granted")


def test_line_numbers_count_from_the_top_of_the_file(hello):
    templates = hello(WHATSAPP, blocks=BLOCKS + "\n\n{% if %}")

    with pytest.raises(
        TemplateError, match=r"en/hello\.jinja, line 15: an expression or a name is missing"
    ):
        templates.check("hello", "reward_granted")


@pytest.mark.parametrize(
    ("front", "problem"),
    [
        ("purpose: spam\n", "line 2: purpose: must be 'service' or 'marketing'"),
        ("a: b\n", "line 2: a: unknown field"),
        ("purpose: [\n", "line 3: invalid YAML"),
        ("purpose: service\npurpose: service\n", "line 3: purpose: is a duplicate key"),
        ("events: [tuesday]\n", "line 2: events: contains the unknown event tuesday"),
        (
            WHATSAPP.replace('"{{ recipient.name }}"', "{{ recipient.name }}"),
            "line 8: .*put expressions in quotes",
        ),
        (WHATSAPP.replace("{{3}}", "{{4}}"), "line 3: whatsapp: has 3 parameters in its body"),
        (WHATSAPP.replace("Hello {{1}}", "{{1}}"), "line 3: whatsapp: must not begin or end"),
        (WHATSAPP.replace(" See you!", ""), "line 8: this place"),
        (WHATSAPP.replace(". See you!", ""), "line 3: whatsapp: must not begin or end its text"),
        (WHATSAPP.replace("hello\n", "Hello World\n"), "line 4: whatsapp.template: "),
        (WHATSAPP.replace("date_time", "datetime"), r"line 10: whatsapp.body\[2\]"),
        (WHATSAPP.replace('currency: "{{ reward.currency }}", ', ""), "line 9: .*must be text"),
        (WHATSAPP.replace("text: ", "txt: "), "line 3: whatsapp.text: is required"),
    ],
)
def test_invalid_front_matter_is_an_error(hello, front, problem):
    templates = hello(front)

    with pytest.raises(TemplateError, match=f"en/hello.jinja, {problem}"):
        templates.check("hello", "reward_granted")


def test_front_matter_without_an_end_is_an_error(hello):
    with pytest.raises(
        TemplateError,
        match=r"en/hello\.jinja, line 1: the line of --- that ends the front matter is missing",
    ):
        render(hello(None, blocks=f"---\npurpose: service\n{BLOCKS}"))


def test_a_byte_order_mark_is_ignored(hello):
    blocks = f"\ufeff---\npurpose: service\n---\n{BLOCKS}"

    assert render(hello(None, blocks=blocks)).purpose == "service"


def test_an_amount_that_is_not_a_number_is_an_error(hello):
    templates = hello(WHATSAPP.replace("{{ reward.amount }}", "{{ campaign.name }}"))

    with pytest.raises(TemplateError, match="line 9: 'Spring referrals' is not an amount of money"):
        render(templates)
