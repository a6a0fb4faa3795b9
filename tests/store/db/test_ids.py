import time

from referrals.store.db.ids import new_id


def test_ids_sort_by_creation_however_quickly_they_are_made():
    ids = [new_id("msg") for _ in range(5000)]

    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)


def test_an_id_tells_what_it_names_and_the_millisecond_it_was_made_in():
    before = time.time_ns() // 1_000_000
    kind, _, rest = new_id("ref").partition("_")

    assert (kind, len(rest)) == ("ref", 28)
    assert before <= int(rest[:12], 16) <= time.time_ns() // 1_000_000


def test_ids_do_not_go_back_with_the_clock(monkeypatch):
    first = new_id("evt")
    monkeypatch.setattr(time, "time_ns", lambda: 0)

    assert new_id("evt") > first
