"""docs/schema.md describes the tables as they are."""

from pathlib import Path

from referrals.store.schema import document, metadata

FILE = Path(__file__).parents[3] / document.FILE


def test_the_page_is_up_to_date():
    assert FILE.read_text() == document.document(), "run `make docs`"


def test_the_page_lists_every_table_once():
    listed = [name for names in document.CAPABILITIES.values() for name in names.split()]
    assert sorted(listed) == sorted(metadata.tables)
