import pytest

from referrals.channels.errors import TemplateError
from referrals.channels.jinja_environment import MAX_PART_LENGTH
from referrals.channels.template_context import EXAMPLE_CONTEXT, EXAMPLE_REWARD
from referrals.channels.template_set import MAX_SUBJECT_LENGTH
from referrals.channels.templates import Templates


def template(subject="Hello", text="Hello", html="<p>Hello</p>"):
    return (
        f"{{% block subject %}}{subject}{{% endblock %}}\n"
        f"{{% block text %}}{text}{{% endblock %}}\n"
        f"{{% block html %}}{html}{{% endblock %}}\n"
    )


@pytest.fixture
def own(tmp_path):
    """Write custom templates and return their `Templates`."""

    def write(**files):
        for path, source in files.items():
            locale, _, name = path.partition("_")
            (tmp_path / locale).mkdir(exist_ok=True)
            (tmp_path / locale / f"{name}.jinja").write_text(source)
        return Templates(tmp_path)

    return write


def test_a_message_is_rendered_for_its_recipient():
    points = {**EXAMPLE_REWARD, "type": "points", "amount": "1000", "currency": None}
    context = {**EXAMPLE_CONTEXT, "rewards": [points, EXAMPLE_REWARD]}

    rendered = Templates().render("thank_advocate", "en", context)

    assert rendered.subject == "Fay has used your code"
    for part in (rendered.text, rendered.html):
        assert "Hello Ada" in part
        assert "1,000 points" in part
        assert "€25.00" in part
        assert "March 18, 2026" in part
        assert "https://shop.example/r/SPRING-7K2M-9QXD" in part


def test_html_is_escaped_and_subject_and_text_are_not():
    context = {**EXAMPLE_CONTEXT, "friend": {"name": "<script>alert('Fay & Co')</script>"}}

    rendered = Templates().render("thank_advocate", "en", context)

    assert "<script>alert('Fay & Co')</script>" in rendered.subject
    assert "<script>alert('Fay & Co')</script>" in rendered.text
    assert "&lt;script&gt;alert(&#39;Fay &amp; Co&#39;)&lt;/script&gt;" in rendered.html
    assert "<script" not in rendered.html


def test_only_what_is_filled_in_is_escaped(own):
    html = "<p>{{ friend.name }} <b>{{ campaign.name }}</b></p>"
    context = {**EXAMPLE_CONTEXT, "friend": {"name": "<i>Fay"}}

    rendered = own(en_hello=template(html=html)).render("hello", "en", context)

    assert rendered.html == "<p>&lt;i&gt;Fay <b>Spring referrals</b></p>"


def test_a_link_cannot_leave_its_attribute():
    advocate = {**EXAMPLE_CONTEXT["advocate"], "link": 'https://x.example/"><script>'}

    rendered = Templates().render("code_published", "en", {**EXAMPLE_CONTEXT, "advocate": advocate})

    assert "<script" not in rendered.html


@pytest.mark.parametrize(
    ("locale", "found"),
    [
        ("de-AT", "at"),
        ("de_at", "at"),
        ("de-CH", "de"),
        ("DE", "de"),
        ("de-AT-1996", "at"),
        ("fr", "en"),
        ("", "en"),
        (None, "en"),
        ("../../../etc", "en"),
        ("\x00", "en"),
    ],
)
def test_the_closest_locale_is_used(own, locale, found):
    files = {"de-AT_hello": template("at"), "de_hello": template("de"), "en_hello": template("en")}

    assert own(**files).render("hello", locale, EXAMPLE_CONTEXT).subject == found


def test_a_template_knows_the_locale_it_was_found_in(own):
    rendered = own(en_hello=template("{{ locale }}")).render("hello", "fr-FR", EXAMPLE_CONTEXT)

    assert rendered.subject == "en"


def test_own_templates_take_precedence_and_the_others_stay(own):
    templates = own(en_milestone=template("Mine"))

    assert templates.render("milestone", "fr", EXAMPLE_CONTEXT).subject == "Mine"
    assert "SPRING-7K2M-9QXD" in templates.render("code_published", "fr", EXAMPLE_CONTEXT).subject


def test_own_english_files_do_not_replace_built_in_german_ones(own):
    templates = own(en_milestone=template("Mine"))

    assert "Empfehlungen" in templates.render("milestone", "de", EXAMPLE_CONTEXT).subject


class TestOfACampaign:
    """`{campaign}/{locale}/{name}.jinja` in the custom folder."""

    @pytest.fixture
    def templates(self, tmp_path):
        for folder in ("spring/en", "spring/de-AT", "en", "de"):
            (tmp_path / folder).mkdir(parents=True)
            (tmp_path / folder / "hello.jinja").write_text(template(folder))
        return Templates(tmp_path)

    @pytest.mark.parametrize(
        ("campaign", "locale", "found"),
        [
            ("spring", "en", "spring/en"),
            ("spring", "fr", "spring/en"),
            ("spring", "de-AT", "spring/de-AT"),
            ("spring", "de", "de"),
            ("autumn", "en", "en"),
            ("autumn", "de-AT", "de"),
            ("../spring", "en", "en"),
            ("..", "en", "en"),
        ],
    )
    def test_the_locale_decides_first_and_then_the_campaign(
        self, templates, campaign, locale, found
    ):
        context = {**EXAMPLE_CONTEXT, "campaign": {**EXAMPLE_CONTEXT["campaign"], "id": campaign}}

        assert templates.render("hello", locale, context).subject == found

    def test_its_own_layout_dresses_all_of_its_messages_and_no_others(self, templates, tmp_path):
        layout = "{% if part == 'email' %}<mjml><mj-body><mj-raw>Mine</mj-raw></mj-body></mjml>"
        layout += "{% else %}{% block text %}{% endblock %}{% endif %}{% macro reward_boxes(label, rewards, coupon) %}{% endmacro %}"
        (tmp_path / "spring" / "_layout.jinja").write_text(layout)
        autumn = {**EXAMPLE_CONTEXT, "campaign": {**EXAMPLE_CONTEXT["campaign"], "id": "autumn"}}

        assert "Mine" in templates.render("reward_granted", "de", EXAMPLE_CONTEXT).html
        assert "Mine" not in templates.render("reward_granted", "de", autumn).html

    def test_a_campaign_that_gets_its_first_file_later_has_it(self, templates, tmp_path):
        context = {**EXAMPLE_CONTEXT, "campaign": {**EXAMPLE_CONTEXT["campaign"], "id": "autumn"}}
        assert templates.render("hello", "en", context).subject == "en"
        (tmp_path / "autumn" / "en").mkdir(parents=True)
        (tmp_path / "autumn" / "en" / "hello.jinja").write_text(template("Autumn"))

        assert templates.render("hello", "en", context).subject == "Autumn"

    def test_it_is_checked_as_the_campaign_sees_it(self, templates, tmp_path):
        (tmp_path / "spring" / "en" / "hello.jinja").write_text(template("{{ frend }}"))

        templates.check("hello", "code_published")
        templates.check("hello", "code_published", "autumn")
        with pytest.raises(TemplateError, match="'frend'"):
            templates.check("hello", "code_published", "spring")


def test_an_own_layout_dresses_the_built_in_messages(tmp_path):
    body = "<mj-raw><main>{% block email %}{% endblock %}</main></mj-raw>"
    (tmp_path / "_layout.jinja").write_text(
        "{% macro reward_boxes(label, rewards, coupon) %}{% endmacro %}"
        f"{{% if part == 'email' %}}<mjml><mj-body>{body}</mj-body></mjml>{{% else %}}Mine{{% endif %}}"
    )

    rendered = Templates(tmp_path).render("reward_granted", "en", EXAMPLE_CONTEXT)

    assert "<main>" in rendered.html
    assert rendered.text == "Mine"


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(NotADirectoryError):
        Templates(tmp_path / "typo")


@pytest.mark.parametrize(
    "expression",
    [
        "''.__class__",
        "''.__class__.__mro__",
        "advocate.update({'code': 'X'})",
        "rewards.append(1)",
        "range(10**9)",
        "self.__init__.__globals__",
    ],
)
def test_a_template_cannot_leave_its_sandbox(own, expression):
    with pytest.raises(TemplateError, match=r"en/hello\.jinja"):
        own(en_hello=template(f"{{{{ {expression} }}}}")).render("hello", "en", EXAMPLE_CONTEXT)


@pytest.mark.parametrize("part", ["subject", "text", "html"])
@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("frend.name", "there is no variable frend"),
        ("recipient.nme", "there is no value nme"),
        ("milestone.at + reason", "the values do not go together"),
        ("1 / 0", "division by zero"),
    ],
)
def test_a_rendering_error_names_file_and_line(own, part, expression, problem):
    templates = own(en_hello=template(**{part: f"\n{{{{ {expression} }}}}\n"}))
    line = {"subject": 2, "text": 3, "html": 4}[part]

    with pytest.raises(TemplateError) as error:
        templates.render("hello", "fr", EXAMPLE_CONTEXT)

    assert f"en/hello.jinja, line {line}: {problem}" in str(error.value)
    assert f"in `{{{{ {expression} }}}}`" in str(error.value)


def test_a_subject_is_one_line_of_bounded_length(own):
    context = {**EXAMPLE_CONTEXT, "reason": "Fay\r\nBcc: eve@example.com\x07\u2028" * 100}

    rendered = own(en_hello=template("\n  {{ reason }}\n")).render("hello", "en", context)

    assert rendered.subject.startswith("Fay Bcc: eve@example.com Fay")
    assert rendered.subject.isprintable()
    assert len(rendered.subject) == MAX_SUBJECT_LENGTH


@pytest.mark.parametrize("part", ["text", "html"])
def test_a_part_of_unreasonable_length_is_an_error(own, part):
    loop = "{% for i in range(90000) %}{{ campaign.name }}{% endfor %}"

    with pytest.raises(TemplateError, match=f"longer than {MAX_PART_LENGTH} characters"):
        own(en_hello=template(**{part: loop})).render("hello", "en", EXAMPLE_CONTEXT)


def test_control_characters_and_lone_surrogates_do_not_get_through(own):
    context = {**EXAMPLE_CONTEXT, "reason": "F\x00a\x1b\ud800y"}
    name = "{{ reason }}"

    rendered = own(en_hello=template(name, name, name)).render("hello", "en", context)

    assert (rendered.text, rendered.html) == ("Fay", "Fay")


class TestCheck:
    """Templates that `campaign apply` rejects."""

    def test_a_template_that_is_not_there(self):
        with pytest.raises(TemplateError, match=r"there is no template en/missing\.jinja"):
            Templates().check("missing", "referral_signed_up")

    def test_a_template_without_the_locale_that_all_others_fall_back_to(self, own):
        with pytest.raises(TemplateError, match=r"there is no template en/hello\.jinja"):
            own(de_hello=template()).check("hello", "code_published")

    @pytest.mark.parametrize("block", ["subject", "text", "html"])
    def test_a_missing_block(self, own, block):
        source = template().replace(f"block {block} ", "block other ")

        absent = "email" if block == "html" else block
        with pytest.raises(TemplateError, match=f"en/hello.jinja: there is no block '{absent}'"):
            own(en_hello=source).check("hello", "code_published")

    @pytest.mark.parametrize(
        ("source", "problem"),
        [
            ("{% if %}", "line 2: an expression or a name is missing"),
            ("{{ campaign.name | shout }}", "line 2: there is no filter shout"),
            ("{% from 'nowhere.jinja' import page %}", "line 2: .*nowhere.jinja"),
        ],
    )
    def test_what_is_no_valid_template(self, own, source, problem):
        with pytest.raises(TemplateError, match=f"en/hello.jinja, {problem}"):
            own(en_hello=template(text=source)).check("hello", "code_published")

    def test_a_file_that_is_no_text(self, own, tmp_path):
        templates = own(en_hello=template())
        (tmp_path / "en" / "hello.jinja").write_bytes(b"\xff\xfe")

        with pytest.raises(TemplateError, match=r"en/hello\.jinja: the file is not UTF-8 text"):
            templates.check("hello", "code_published")

    def test_an_unknown_variable_even_where_no_example_comes_by(self, own):
        source = "{% if advocate.count > 99 %}\n{{ frend.name }}{% endif %}"

        with pytest.raises(TemplateError, match="line 3: there is no variable 'frend', only camp"):
            own(en_hello=template(text=source)).check("hello", "referral_converted")

    def test_an_unknown_attribute(self, own):
        with pytest.raises(TemplateError, match="line 1: there is no value nme"):
            own(en_hello=template("{{ recipient.nme }}")).check("hello", "code_published")

    @pytest.mark.parametrize(
        ("expression", "event", "absent"),
        [
            ("friend.name", "code_published", "friend, reward, milestone"),
            ("friend.name", "milestone_reached", "friend"),
            ("friend.name", "reward_granted", "friend, due_at, milestone, reason"),
            ("milestone.at", "referral_converted", "reward, milestone"),
            ("reward.description", "referral_converted", "reward, milestone"),
        ],
    )
    def test_what_the_event_does_not_have(self, own, expression, event, absent):
        templates = own(en_hello=template(f"{{{{ {expression} }}}}"))

        with pytest.raises(TemplateError) as error:
            templates.check("hello", event)

        assert f"line 1: there is no value {expression.split('.')[1]}" in str(error.value)
        assert f"; not available here: {absent}" in str(error.value)

    def test_a_mistake_in_any_locale(self, own):
        with pytest.raises(TemplateError, match=r"de/hello\.jinja, line 1"):
            own(en_hello=template(), de_hello=template("{{ frend }}")).check("hello", "x")

    def test_a_mistake_behind_a_link_to_a_folder(self, own, tmp_path, tmp_path_factory):
        """Clusters mount files that way."""
        mounted = tmp_path_factory.mktemp("mounted")
        (mounted / "hello.jinja").write_text(template("{{ frend }}"))
        templates = own(en_hello=template())
        (tmp_path / "de").symlink_to(mounted)

        with pytest.raises(TemplateError, match="'frend'"):
            templates.check("hello", "code_published")

    def test_nothing_that_is_guarded(self, own):
        guarded = "{% if friend %}{{ friend.name or 'you' }}{% endif %}{{ locale }}"

        own(en_hello=template(guarded)).check("hello", "code_published")
