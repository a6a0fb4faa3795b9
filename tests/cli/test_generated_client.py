"""A client that is generated from the OpenAPI document plays the session of the README against `referrals dev`."""

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from openapi_python_client import generate
from openapi_python_client.config import Config, ConfigFile, MetaType
from ruamel.yaml import YAML

from tests.harness.conformance import document
from tests.harness.dev_harness import ROOT, DevHarness

TUTORIAL = ROOT / "examples" / "talon-one-tutorial.yaml"
NAME = "generated_referrals_client"


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Name of the generated package; no warning was given."""
    folder = tmp_path_factory.mktemp("client")
    source = folder / "openapi.json"
    source.write_text(json.dumps(document()), "utf-8")
    file = ConfigFile.load_from_path(ROOT / "examples" / "python-client" / "generator.yaml")
    file.post_hooks = []
    config = Config.from_sources(
        file, MetaType.NONE, source, "utf-8", overwrite=True, output_path=folder / NAME
    )
    assert [f"{found.header} {found.detail}" for found in generate(config=config)] == []
    sys.path.insert(0, str(folder))
    yield NAME
    sys.path.remove(str(folder))


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[DevHarness]:
    harness = DevHarness(tmp_path / "data")
    yield harness
    harness.kill()


def operation(package: str, tag: str, name: str) -> Any:
    return importlib.import_module(f"{package}.api.{tag}.{name}").sync


def test_every_module_of_the_client_can_be_imported(package: str):
    root = Path(importlib.import_module(package).__file__).parent
    modules = [path.relative_to(root.parent).with_suffix("") for path in root.rglob("*.py")]
    for module in modules:
        importlib.import_module(".".join(module.parts).removesuffix(".__init__"))

    assert len(modules) > 200


def test_the_client_plays_the_session(package: str, dev: DevHarness):
    url = dev.start().split()[1]
    opened = importlib.import_module(package).AuthenticatedClient(base_url=url, token=dev.key)
    with opened as client:
        play_session(package, client)


def play_session(package: str, client: Any) -> None:
    model = importlib.import_module(f"{package}.models")

    def call(tag: str, name: str, *arguments: Any, **body: Any) -> Any:
        return operation(package, tag, name)(*arguments, client=client, **body)

    definition = model.CampaignDefinition.from_dict(YAML(typ="safe").load(TUTORIAL))
    applied = call("campaigns", "apply_campaign", "talon-one-tutorial", body=definition)
    ada = model.PublicationRequest(model.Customer(id="ada", name="Ada"), code="ADA-2026")
    published = call("campaigns", "publish_code", "talon-one-tutorial", body=ada)
    fay = model.Friend(id="fay/1", name="Fay")
    order = model.Order(id="7781", amount="119.90", currency="EUR")
    data = model.FriendConverted(friend=fay, code="ADA-2026", order=order)
    event = model.FriendConvertedEvent(
        "1.0", id="order-7781", source="shop", type_="referral_converted", data=data
    )
    (result,) = call("events", "send_events", body=[event])
    repeated = call("events", "send_events", body=event)
    wallets = [call("customers", "get_wallet", name) for name in ("ada", "fay/1")]
    page = call(
        "referrals", "list_referrals", "talon-one-tutorial", state=model.ReferralState.REWARDED
    )
    unknown = call("referrals", "get_referral", "ref_1")
    reason = model.RollBackRequest(reason="By hand")
    rolled_back = call("referrals", "roll_back_referral", result.referral, body=reason)

    assert (applied.version, published.code) == (1, "ADA-2026")
    assert (result.decision, result) == (model.Decision.ACCEPTED, repeated)
    assert [wallet.balances[0].balance for wallet in wallets] == ["100", "50"]
    assert isinstance(page, model.ReferralPage)
    assert [(found.friend, found.code) for found in page.data] == [("fay/1", "ADA-2026")]
    assert unknown.type_ == "urn:referrals:problem:unknown-referral"
    assert rolled_back.state == model.ReferralState.ROLLED_BACK
