"""The tutorial: everyone who registers gets a code, and a friend's order that carries it is worth 50 and 100 points."""

from tests.harness.campaigns import example
from tests.harness.world import World

TUTORIAL = "talon-one-tutorial"


async def code_of(world: World, customer: str) -> str:
    """Register the customer; returns the code that they are given for it."""
    await world.apply(example(TUTORIAL))
    (publication,) = (await world.register(customer))["publications"]
    assert (publication["campaign"], publication["customer"]) == (TUTORIAL, customer)
    return str(publication["code"])


async def test_a_customer_who_registers_gets_a_code_its_link_and_a_message(world: World):
    code = await code_of(world, "ada")

    await world.until_idle()

    (message,) = await world.messages()
    assert message == ("code_published", "ada", "sent")
    (publication,) = (await world.register("bob"))["publications"]
    assert publication["link"].endswith(f"/r/{publication['code']}")
    assert publication["code"] != code


async def test_registering_again_gives_the_same_code(world: World):
    code = await code_of(world, "ada")

    assert (await world.register("ada"))["publications"][0]["code"] == code
    assert (await world.activity()) == ["code_published"]


async def test_the_friend_gets_50_points_and_the_advocate_100(world: World):
    code = await code_of(world, "ada")

    answer = await world.convert(code, "fay", amount="100.00")

    assert (answer["decision"], answer["reason"]) == ("accepted", None)
    given = {(r["side"], r["type"], r["amount"], r["state"]) for r in answer["rewards"]}
    assert given == {
        ("friend", "points", "50", "granted"),
        ("advocate", "points", "100", "granted"),
    }
    assert (await world.balance("fay"), await world.balance("ada")) == (50, 100)


async def test_both_are_thanked(world: World):
    code = await code_of(world, "ada")
    await world.convert(code, "fay")

    await world.until_idle()

    assert (await world.messages())[1:] == [
        ("thank_advocate", "ada", "sent"),
        ("thank_friend", "fay", "sent"),
    ]


async def test_a_second_order_of_the_same_friend_changes_nothing(world: World):
    code = await code_of(world, "ada")
    other = (await world.register("bob"))["publications"][0]["code"]
    first = await world.convert(code, "fay")

    for again in (code, other):
        answer = await world.convert(again, "fay", order=f"second-with-{again}")
        assert (answer["decision"], answer["reason"]["code"]) == ("rejected", "already_referred")
        assert (answer["referral"], answer["rewards"]) == (first["referral"], [])

    assert (await world.balance("fay"), await world.balance("ada")) == (50, 100)
    assert await world.balance("bob") == 0


async def test_advocates_cannot_use_their_own_code(world: World):
    code = await code_of(world, "ada")

    answer = await world.convert(code, "ada")

    assert (answer["decision"], answer["reason"]["code"]) == ("rejected", "self_referral")
    assert await world.balance("ada") == 0


async def test_a_code_is_the_same_in_lower_case(world: World):
    code = await code_of(world, "ada")

    assert (await world.convert(f" {code.lower()} ", "fay"))["decision"] == "accepted"


async def test_an_order_with_a_code_that_nobody_has_is_rejected_and_starts_no_workflow(
    world: World,
):
    await code_of(world, "ada")

    answer = await world.convert("JY9P-HYL8", "fay")

    assert (answer["decision"], answer["reason"]["code"]) == ("rejected", "unknown_code")
    assert answer["referral"] is None


async def test_one_order_counts_for_one_friend(world: World):
    code = await code_of(world, "ada")
    await world.convert(code, "fay", order="7781")

    answer = await world.convert(code, "gus", order="7781")

    assert (answer["decision"], answer["reason"]["code"]) == ("rejected", "already_referred")
    assert answer["reason"]["message"] == "The order already counts for another referral."
    assert await world.balance("gus") == 0
