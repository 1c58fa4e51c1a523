from __future__ import annotations

from dataclasses import replace

import pytest

from hashpact_node.store.database import Database
from hashpact_node.store.webhooks import (
    Letter,
    WebhookRow,
    add_letter,
    add_webhook,
    change_letter,
    change_webhook,
    count_dead,
    count_webhooks,
    dead_letters,
    find_webhook,
    get_webhook,
    list_webhooks,
    next_tries,
    remove_letter,
    remove_letters_from,
    remove_webhook,
    waiting_letter,
)
from hashpact_protocol.errors import StoreError

ROW = WebhookRow(
    id="5f2c9a01de",
    name="cache",
    url="https://acme.example/hook",
    action="block",
    scheme="v1",
    batch=100,
    cursor=7,
    created_at=1,
    created_by="command:tester",
    sealed=b"\x00sealed",
)
LETTER = Letter(id="msg_1", webhook=0, since=7, cursor=2**40, changes=3, made_at=5, next_try_at=6, data=b'{"type":"t"}')


def test_endpoints_are_stored_found_changed_and_removed(database: Database) -> None:
    with database.write() as connection:
        number = add_webhook(connection, ROW)
        other = add_webhook(connection, replace(ROW, id="000000000a", action=None, public=b"1" * 32))
    with database.write() as connection:
        found = find_webhook(connection, ROW.id, lock=True)
        assert found == replace(ROW, number=number)
        assert get_webhook(connection, number, lock=True) == found
        assert [row.number for row in list_webhooks(connection)] == [number, other]
        assert count_webhooks(connection) == 2
        change_webhook(connection, number, cursor=8, state="disabled", last_error="gone")
    with database.write() as connection:
        found = get_webhook(connection, number)
        assert found is not None
        assert (found.cursor, found.state, found.last_error) == (8, "disabled", "gone")
        add_letter(connection, replace(LETTER, webhook=number))
        remove_webhook(connection, number)
        assert find_webhook(connection, ROW.id) is None
        assert [row.number for row in list_webhooks(connection)] == [other]
        assert next_tries(connection) == {}


def test_a_batch_is_changed_only_as_it_was_read(database: Database) -> None:
    with database.write() as connection:
        number = add_webhook(connection, ROW)
        add_letter(connection, replace(LETTER, webhook=number))
    with database.write() as connection:
        letter = waiting_letter(connection, number)
        assert letter is not None
        assert replace(letter, number=0) == replace(LETTER, webhook=number)
        assert next_tries(connection) == {number: 6}
        assert change_letter(connection, letter, tries=1, next_try_at=9, error="500")
        assert not change_letter(connection, letter, tries=1)
        assert not remove_letter(connection, letter)
        again = waiting_letter(connection, number)
        assert again is not None
        assert change_letter(connection, again, dead_at=10)
        assert not remove_letter(connection, again)
        assert waiting_letter(connection, number) is None
        assert next_tries(connection) == {}
        assert [(one.id, one.dead_at) for one in dead_letters(connection, number)] == [("msg_1", 10)]
        assert count_dead(connection) == {number: 1}
        (dead,) = dead_letters(connection, number)
        assert remove_letter(connection, dead)
        assert count_dead(connection) == {}


def test_going_back_forgets_what_comes_again(database: Database) -> None:
    with database.write() as connection:
        number = add_webhook(connection, ROW)
        for since, dead_at in ((0, 1), (10, 2), (20, 3), (30, None)):
            letter = replace(LETTER, id=f"msg_{since}", webhook=number, since=since, cursor=since + 10, dead_at=dead_at)
            add_letter(connection, letter)
        remove_letters_from(connection, number, 10)
        assert [one.since for one in dead_letters(connection, number)] == [0]
        assert waiting_letter(connection, number) is None


def test_two_endpoints_have_two_ids(database: Database) -> None:
    with database.write() as connection:
        add_webhook(connection, ROW)
    with pytest.raises(StoreError), database.write() as connection:
        add_webhook(connection, ROW)
