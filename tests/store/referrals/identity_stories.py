"""Sixty stories of identity from public threads: is the second customer the first one again?

`REJECTED` and `REVIEWED` say what a campaign with `same_person: reject` does about the second customer. Of the thirty pairs that are
one person none is accepted; of the thirty that are two people none is rejected.
"""

from dataclasses import dataclass
from typing import Any, Literal

Person = dict[str, Any]
Verdict = Literal["rejected", "reviewed", "accepted"]
REJECTED, REVIEWED, ACCEPTED = "rejected", "reviewed", "accepted"

TILL = "till@shop.example"
TILL_PHONE = "+49 30 901820"
SHARED_CONTACTS = (TILL, TILL_PHONE)
"""Contacts that the setting lists."""


@dataclass(frozen=True)
class Story:
    """Two customers, and others who have the same contact."""

    source: str
    first: Person
    second: Person
    verdict: Verdict
    others: tuple[Person, ...] = ()


def emails(source: str, first: str, second: str, verdict: Verdict) -> Story:
    return Story(source, {"email": first}, {"email": second}, verdict)


def phones(source: str, first: str, second: str, verdict: Verdict) -> Story:
    return Story(source, {"phone": first}, {"phone": second}, verdict)


def ids(source: str, first: str, second: str, verdict: Verdict) -> Story:
    return Story(source, {"id": first}, {"id": second}, verdict)


SAME_PERSON = (
    # Spellings of one mailbox
    emails("OkunaOrg/okuna-api#406", "sas@gmail.com", "s.a.s@gmail.com", REJECTED),
    emails("Kilo-Org/cloud#2603", "user@googlemail.com", "user@gmail.com", REJECTED),
    emails("getlantern/lantern#550", "moe@gmail.com", "m.o.e+foo@gmail.com", REJECTED),
    emails("better-auth/better-auth#4671", "user@outlook.com", "user+test@outlook.com", REJECTED),
    emails("langgenius/dify#41249", "fay.do@gmail.com", "f.ay.do+x@googlemail.com", REJECTED),
    emails("pennersr/django-allauth#366", "somedude@gmail.com", "some.dude@gmail.com", REJECTED),
    emails(
        "lichess-org/lila#5998", "fayfriend@protonmail.com", "fay.friend@protonmail.com", REJECTED
    ),
    emails("nolotiro/nolotiro.org#560", "foo@hotmail.com", "foo+myalias@hotmail.com", REJECTED),
    emails("steemit/faucet#358", "asdf@asdf.example", "asdf+asdf@asdf.example", REJECTED),
    emails(
        "scotch-io/easy-node-authentication#4", "fay@shop.example", "FAY@shop.example", REJECTED
    ),
    ids("tailscale/tailscale#3662", "Jay@test.example", "jay@Test.example", REJECTED),
    ids("eikek/sharry#300", "test.user@domain.example", "Test.User@domain.example", REJECTED),
    # What cannot be seen
    emails("kubermatic/kubermatic#1815", "fay@kuber.example", "  fay@kuber.example", REJECTED),
    ids("IQSS/dataverse#5807", "fay@verse.example", "fay@verse.example ", REJECTED),
    emails(
        "validatorjs/validator.js#940", "fay@valid.example", "\u200bfay@valid.example", REJECTED
    ),
    emails("Expensify/App#35557", "fay@expense.example", "fay\u200b@expense.example", REJECTED),
    ids("churchthemes/church-theme-framework#16", "fay-church", "fay\u200b-church", REJECTED),
    ids("home-assistant/architecture#301", "\u00c4ffin", "A\u0308ffin", REJECTED),
    ids("elastic/elasticsearch#40039", "jos\u00e9@es.example", "jose\u0301@es.example", REJECTED),
    emails(
        "flora-pm/flora-server#561",
        "fay@b\u00fccher.example",
        "fay@xn--bcher-kva.example",
        REJECTED,
    ),
    emails(
        "mozilla/persona#1370",
        "fay@παράδειγμα.δοκιμή",
        "fay@xn--hxajbheg2az3al.xn--jxalpdlp",
        REJECTED,
    ),
    # Turkish letters
    emails("qzind/tray#66", "IBRAHIM@tray.example", "\u0131brah\u0131m@tray.example", REJECTED),
    ids("ncarkaci/TDKDictionaryCrawler#8", "\u0130rem@tdk.example", "irem@tdk.example", REJECTED),
    # Another id, the same address
    emails(
        "AffiliateWP/AffiliateWP#519", "pay@affiliate.example", "pay@affiliate.example", REJECTED
    ),
    emails("woocommerce/woocommerce#22564", "fay@woo.example", "fay@woo.example", REJECTED),
    Story(
        "woocommerce/woocommerce-blocks#11860",
        {"id": "fay@blocks.example"},
        {"id": "u-11860", "email": "Fay@blocks.example"},
        REJECTED,
    ),
    # Certain enough for a person to look at
    emails("bytebase/bytebase#18943", "testo@gmail.com", "test\u043e@gmail.com", REVIEWED),
    phones("nicorac/bcr-gui#122", "+48 123 456 789", "0048123456789", REVIEWED),
    phones("chobbledotcom/tickets#637", "+44 0161 1234567", "+44 161 123 4567", REVIEWED),
    phones("colinhacks/zod#5563", "+49030123456", "+49 (30) 123456", REVIEWED),
)

DIFFERENT_PEOPLE = (
    # Dots and dashes that count
    emails(
        "johno/normalize-email#1", "dan.dascal2@hotmail.com", "dandascal2@hotmail.com", ACCEPTED
    ),
    emails("gmr/email-normalize#11", "fay.do@yahoo.com", "fayd.o@yahoo.com", ACCEPTED),
    emails("dimuska139/go-email-normalizer#5", "a.saturn@yahoo.com", "asaturn@yahoo.com", ACCEPTED),
    emails("gmr/email-normalize#14", "nick-shop@yahoo.com", "nick-news@yahoo.com", ACCEPTED),
    emails("gmr/email-normalize#23", "fay.do@school.example", "faydo@school.example", ACCEPTED),
    emails("Gabrola/email-normalizer#2", "fay.li@live.com", "fayli@live.com", ACCEPTED),
    # Letters that look alike
    emails(
        "MotWakorb/enhancedchannelmanager#180", "b0b@fold.example", "bob@fold.example", ACCEPTED
    ),
    emails("promptfoo/promptfoo#10244", "\u015fa\u015f@fold.example", "sas@fold.example", ACCEPTED),
    emails(
        "nodeSolidServer/node-solid-server#905",
        "jos\u00e9@solid.example",
        "jose@solid.example",
        ACCEPTED,
    ),
    emails(
        "mozilla/persona#1370 (a whole alphabet)",
        "\u0430\u0435\u043e@p.example",
        "aeo@p.example",
        ACCEPTED,
    ),
    ids("freelawproject/courtlistener#5807", "administrator", "\u0430dministrator", ACCEPTED),
    ids("LeanBitLab/LeanType#275", "\u0131lg\u0131n", "ilgin", ACCEPTED),
    # One name, one company, one family
    Story(
        "openfoodfoundation/openfoodnetwork#1134",
        {"name": "Kim Lee", "email": "kim@one.example"},
        {"name": "Kim Lee", "email": "kim@two.example"},
        ACCEPTED,
    ),
    Story(
        "frappe/erpnext#1453", {"name": "Anna M\u00fcller"}, {"name": "Anna M\u00fcller"}, ACCEPTED
    ),
    emails("cubecart/v6#2489", "buying@acme.example", "sales@acme.example", ACCEPTED),
    Story(
        "PrestaShop/PrestaShop#10122",
        {"name": "Fay Friend", "phone": "+49 30 1234501"},
        {"name": "Fay Friend", "phone": "+49 30 1234502"},
        ACCEPTED,
    ),
    phones("SalesforceFoundation/NPSP#1039", "+1 415 555 2671", "+1 415 555 2672", ACCEPTED),
    Story(
        "CodingPirates/forenings_medlemmer#108",
        {"email": "mum@family.example", "phone": "+45 32 12 34 56"},
        {"email": "child@family.example", "phone": "+45 32 12 34 57"},
        ACCEPTED,
    ),
    # Numbers of unknown countries
    phones("floere/phony#373", "(330) 458-1111", "(700) 458-1111", ACCEPTED),
    phones("twentyhq/twenty#25358", "030 1234 5678", "+30 1234 5678", ACCEPTED),
    phones("KanishJebaMathewM/Truxify#13130", "011 4567 8901", "11 4567 8901", ACCEPTED),
    # Contacts that many share
    emails("ury-erp/ury#75", TILL, TILL, ACCEPTED),
    phones("wcpos/woocommerce-pos#400", TILL_PHONE, "+4930901820", ACCEPTED),
    Story(
        "woocommerce/woocommerce#43099",
        {"email": "admin@marketplace.example"},
        {"email": "admin@marketplace.example"},
        ACCEPTED,
        others=({"email": "admin@marketplace.example"},) * 2,
    ),
    Story(
        "tbar0970/jethro-pmm#125",
        {"email": "office@parish.example"},
        {"email": "Office@parish.example"},
        ACCEPTED,
        others=({"email": "office@parish.example"},) * 18,
    ),
    Story(
        "next-l/enju_leaf#1954",
        {"phone": "+81 3 1234 5678"},
        {"phone": "+81 3 1234 5678"},
        ACCEPTED,
        others=({"phone": "+81 3 1234 5678"},) * 3,
    ),
    # Households and recycled numbers: a person looks at them
    phones("sheltermanager/asm3#1170", "+44 20 7946 0018", "+44 20 7946 0018", REVIEWED),
    phones("element-hq/element-meta#1614", "+44 7911 123456", "+447911123456", REVIEWED),
    phones("supabase/auth-js#1086", "+1 415 555 0132", "+1 415 555 0132", REVIEWED),
    phones("eugenechiaay/pe#2", "+65 6123 4567", "+6561234567", REVIEWED),
)
