"""Walks all 20 operations of the HOMEPESA-MC User API and asserts every field that its document shows.

    walk.py ADDRESS ADMIN_EMAIL ADMIN_PASSWORD MAIL_FOLDER

The server must be fresh, since the document shows whole lists; its unit is that of the document, `ocn-uk`; it must not
limit how much is asked; and its mails must be written to MAIL_FOLDER as .eml files. The first difference ends the walk
with exit status 1.

What is expected is written as the document shows it. Where its examples cannot be (ids, account numbers, tokens,
times), a `Kind` stands for the value. Where the document contradicts itself, this is what holds: single transfers are
inside of `data`, amounts are numbers, who has not been admitted is not found, and what belongs to somebody else is 403.
429 and 500 are not walked: an unlimited server that works has no occasion for them.
"""

import base64
import email
import email.policy
import ipaddress
import json
import re
import sys
import time
import traceback
from calendar import timegm
from collections import namedtuple
from decimal import Decimal
from pathlib import Path

from client import Client, Refused

PASSWORD = "Test321321$$"
NEW_PASSWORD = "1EvenM00rTrulySecurePassword!@?!"

# How long a mail may take.
SECONDS_MAX = 30

# The views of an entity that the document shows, with their keys in its order: the owner's, and everybody's with and
# without the e-mail.
PROFILE = (
    "telephone incType companyNumber website declaredTurnover description address city region postalCode country "
    "status showTagsMatchedSinceLastLogin receiveDailyMatchNotificationEmail offers wants categories"
).split()
MONEY = ["balance", "maxPositiveBalance", "maxNegativeBalance", "pendingTransfers"]
OWNERS = ["id", "accountNumber", "name", "email", *PROFILE, *MONEY]
PUBLIC = ["id", "accountNumber", "name", *PROFILE, "isFavorite"]
PUBLIC_WITH_EMAIL = ["id", "accountNumber", "name", "email", *PROFILE, "isFavorite"]

# Those who can be found, and can write to each other.
ADMITTED = ["accepted", "tradingPending", "tradingAccepted", "tradingRejected"]
HIDDEN = ["pending", "rejected"]

# What a refusal of the ledger may say beside its message.
LEDGERS = {"code", "amount"}

# The entity of GET /user/entities.
CONSULTING = {
    "name": "New World Consulting Limited",
    "email": "nwcltd@dev.null",
    "telephone": "+2542090807060",
    "incType": "ltd",
    "companyNumber": "A12345",
    "website": "https://neworco.null",
    "declaredTurnover": 20000,
    "description": "We show you how good things can be and what you need to do to make them happen.",
    "address": "123 Yellow Brick Road",
    "city": "Nairobi",
    "region": "LOWER-Nairobi",
    "postalCode": "00508",
    "country": "Nairobi-kenya",
    "showTagsMatchedSinceLastLogin": True,
    "receiveDailyMatchNotificationEmail": True,
    "offers": ["consulting", "system-design"],
    "wants": ["it-services", "accounting"],
}

# What PATCH /user/entities/{entityID} makes of it, and the searches show.
PIZZA = {
    "name": "New World Pizza PLC",
    "email": "nwpplc@dev.null",
    "telephone": "+2542098765432",
    "incType": "plc",
    "companyNumber": "B67890",
    "website": "https://nwpizza.null",
    "declaredTurnover": 10000,
    "description": "We show you how good things can taste and where you need to go to eat them!",
    "address": "456 Yellow Brick Road",
    "city": "Nairobi",
    "region": "LOWER-Nairobi",
    "postalCode": "00508",
    "country": "Nairobi-kenya",
    "showTagsMatchedSinceLastLogin": False,
    "receiveDailyMatchNotificationEmail": False,
    "offers": ["pizza", "wine"],
    "wants": ["flour", "mozarella", "tomato"],
}

CATEGORIES = [
    "agriculture", "cafes", "cleaning-services", "professional-services", "restaurant", "restaurant-supplies",
    "sports-equipment", "transport",
]
TAGS = [
    "art-supplies", "catering", "computer-repair", "dog-sitting", "micro-brewed-beer", "organic-vegetables",
    "piano-tuning", "pizza", "van-rental", "well-being",
]

# Somebody who has signed up.
Member = namedtuple("Member", "name email client user entity account")


class Failed(Exception):
    """A field that is not as the document has it."""


class Kind:
    """Stands for a value of which only the form is known."""

    def __init__(self, name, holds):
        self.name, self.holds = name, holds

    def __repr__(self):
        return self.name


def is_text(value):
    return isinstance(value, str) and value != ""


def is_now(value):
    return is_text(value) and abs(seconds(value) - time.time()) < 3600


def is_ip(value):
    try:
        return is_text(value) and bool(ipaddress.ip_address(value))
    except ValueError:
        return False


def seconds(value):
    """The seconds of an RFC 3339 time in UTC, with up to 9 decimals as in the document; 0 for anything else."""
    parts = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?Z", value)
    return timegm(time.strptime(parts[1], "%Y-%m-%dT%H:%M:%S")) + float(parts[2] or 0) if parts else 0


TEXT = Kind("a text that is not empty", is_text)
ACCOUNT = Kind("an account number of 16 digits", lambda value: is_text(value) and re.fullmatch("[0-9]{16}", value))
TIME = Kind("a time in UTC, about now", is_now)
IP = Kind("an IP address", is_ip)


class Walk:
    """The walk: the operations in the document's order, each as a method, and below them what they are made of."""

    def __init__(self, address, admin_email, admin_password, mail_folder):
        self.assertions, self.members, self.mails = 0, 0, Path(mail_folder)
        self.nobody = Client(address)
        login = self.nobody.send("POST", "/admin/login", body={"email": admin_email, "password": admin_password})
        self.admin = self.nobody.with_token(login["data"]["token"])
        # What a stranger comes with instead of a token that is good: nothing, nonsense, or what `post_logout` adds.
        self.strangers = [self.nobody, self.nobody.with_token("none")]

    # Manage Account

    def post_signup(self):
        """POST /signup"""
        required = {"userEmail": "test@gmail.com", "password": PASSWORD}
        data = self.signed_up(required)
        client = self.nobody.with_token(data["token"])
        self.same("user", self.user_of(data, "test@gmail.com"), client.get_user())
        # Without an address of its own the entity has the user's.
        unset = {key: type(value)() for key, value in CONSULTING.items()} | {"declaredTurnover": None}
        first = {
            "accountNumber": ACCOUNT, "status": "pending", "categories": [], "balance": Decimal(0),
            "maxPositiveBalance": Decimal(500), "maxNegativeBalance": Decimal(0), "pendingTransfers": [],
        }
        entity = unset | first | {"id": data["entityID"], "email": "test@gmail.com"}
        self.same("entities", {"data": [view(OWNERS, entity)]}, client.get_user_entities())

        person = {"firstName": "Jane", "lastName": "Doe", "userPhone": "+442010203040"}
        data = self.signed_up({"userEmail": "jdoe@dev.null", "password": PASSWORD} | person | of_signup(CONSULTING))
        client = self.nobody.with_token(data["token"])
        self.same("user", self.user_of(data, "jdoe@dev.null", "Jane", "Doe", "+442010203040"), client.get_user())
        entity = CONSULTING | first | {"id": data["entityID"]}
        self.same("entities", {"data": [view(OWNERS, entity)]}, client.get_user_entities())

        self.missing(self.nobody, "POST", "/signup", required)
        # The address of somebody else.
        self.declined(self.nobody.post_signup, **required)

    def post_login(self):
        """POST /login"""
        body = {"email": "test@gmail.com", "password": PASSWORD}
        # The first time as the document shows it; the next time it is also told when and from where the one before was.
        for which, more in (("first", {}), ("second", {"lastLoginIP": IP, "lastLoginDate": TIME})):
            answer = self.nobody.post_login(**body)
            self.same(f"body of the {which} login", {"data": {"token": TEXT, **more}}, answer)
            user = self.nobody.with_token(answer["data"]["token"]).get_user()["data"]
            self.token("data.token", answer["data"]["token"], user["id"])
            self.same("email of the user", "test@gmail.com", user["email"])
        self.missing(self.nobody, "POST", "/login", body)
        self.declined(self.nobody.post_login, "test@gmail.com", NEW_PASSWORD)
        self.declined(self.nobody.post_login, "nobody@dev.null", PASSWORD)

    def post_logout(self):
        """POST /logout"""
        member = self.join("Logs Out")
        self.same("body", None, member.client.post_logout())
        for ask in (Client.get_user, Client.get_user_entities, Client.post_logout):
            self.refused(401, "Could not authenticate you.", ask, member.client)
        self.strangers.append(member.client)
        again = self.log_in(member, PASSWORD)
        self.same("id after another login", member.user, again.get_user()["data"]["id"])
        self.unauthorized(Client.post_logout)

    def post_password_reset(self):
        """POST /password-reset"""
        member = self.join("Dennis Kip", userEmail="dennis-kip@dev.null")
        body = {"email": "dennis-kip@dev.null"}
        self.same("body", None, self.nobody.post_password_reset(**body))
        self.same("token in the mail", TEXT, self.reset_token(member.email))
        self.missing(self.nobody, "POST", "/password-reset", body)
        # Nobody learns who is a member.
        self.same("body for an unknown address", None, self.nobody.post_password_reset("nobody@dev.null"))

    def post_password_reset_token(self):
        """POST /password-reset/{token}"""
        member = self.join("Forgot")
        self.nobody.post_password_reset(member.email)
        token, body = self.reset_token(member.email), {"password": NEW_PASSWORD}
        self.missing(self.nobody, "POST", f"/password-reset/{token}", body)
        self.declined(self.nobody.post_password_reset_token, "none", **body)
        self.same("body", None, self.nobody.post_password_reset_token(token, **body))
        self.password_is_new(member)
        # A token is good once.
        self.declined(self.nobody.post_password_reset_token, token, PASSWORD)

    def post_password_change(self):
        """POST /password-change"""
        member, body = self.join("Changes"), {"password": NEW_PASSWORD}
        self.missing(member.client, "POST", "/password-change", body)
        self.unauthorized(Client.post_password_change, **body)
        self.same("body", None, member.client.post_password_change(**body))
        self.password_is_new(member)

    def get_user(self):
        """GET /user"""
        member = self.join("Jane", firstName="Jane", lastName="Doe", userPhone="+442010203040")
        client = self.log_in_twice(member)
        keys = "id email firstName lastName telephone lastLoginIP lastLoginDate"
        values = [member.user, member.email, "Jane", "Doe", "+442010203040", IP, TIME]
        self.same("body", {"data": dict(zip(keys.split(), values))}, client.get_user())
        self.unauthorized(Client.get_user)

    def patch_user(self):
        """PATCH /user"""
        member = self.join("John", firstName="John")
        client = self.log_in_twice(member)
        expected = client.get_user()
        for changes in ({"firstName": "Jane"}, {"lastName": "Doe", "telephone": "+442010203040"}):
            expected = {"data": expected["data"] | changes}
            self.same("body", expected, client.patch_user(**changes))
            self.same("body of GET /user", expected, client.get_user())
        for field in ("id", "email", "lastLoginIP", "lastLoginDate"):
            self.declined(client.patch_user, **{field: expected["data"][field]})
        self.unauthorized(Client.patch_user, firstName="Jane")

    def get_user_entities(self):
        """GET /user/entities"""
        self.admin.send("POST", "/admin/categories", body={"name": "consulting"})
        world = self.join("", "tradingAccepted", of_signup(CONSULTING), categories=["consulting"])
        brews = self.join("Hipster Brews", "tradingAccepted", maxNegativeBalance=200)
        amount, description = Decimal("157.8"), "Payment of inv. 1234"
        proposed = brews.client.post_transfers("out", brews.account, world.account, amount, description)
        # The document shows it while nobody has admitted it yet, or no longer.
        self.govern(world, status="pending")
        pending = seen("in", False, brews, amount, description, "transferInitiated", id=proposed["data"]["id"])
        self.new_world, self.brews = world, brews
        self.own = CONSULTING | {
            "id": world.entity, "accountNumber": world.account, "status": "pending", "categories": ["consulting"],
            "balance": Decimal(0), "maxPositiveBalance": Decimal(500), "maxNegativeBalance": Decimal(0),
            "pendingTransfers": [pending],
        }
        self.same("body", {"data": [view(OWNERS, self.own)]}, world.client.get_user_entities())
        # What is "in" for one is "out" for the other.
        theirs = brews.client.get_user_entities()["data"][0]["pendingTransfers"]
        name = CONSULTING["name"]
        mirrored = seen("out", True, world._replace(name=name), amount, description, "transferInitiated")
        self.same("pendingTransfers of the other", [mirrored], theirs)
        self.unauthorized(Client.get_user_entities)

    def patch_user_entity(self):
        """PATCH /user/entities/{entityID}"""
        world = self.new_world
        self.own |= PIZZA
        self.same("body", {"data": view(OWNERS, self.own)}, world.client.patch_user_entity(world.entity, **PIZZA))
        self.same("body of GET", {"data": [view(OWNERS, self.own)]}, world.client.get_user_entities())
        # The user keeps an address of their own.
        self.same("email of the user", world.email, world.client.get_user()["data"]["email"])
        # Each field by itself, there and back: the others stay, and the lists are replaced.
        for changes in (CONSULTING, PIZZA):
            for field, value in changes.items():
                self.own |= {field: value}
                answer = world.client.patch_user_entity(world.entity, **{field: value})
                self.same("body", {"data": view(OWNERS, self.own)}, answer)
        self.new_world = world._replace(name=PIZZA["name"])

        others = {"id": world.entity, "accountNumber": world.account, "status": "accepted", "categories": ["cafes"]}
        for field, value in others.items():
            self.declined(world.client.patch_user_entity, world.entity, **{field: value})
        for field in ("offers", "wants"):
            many = [f"tag-{number}" for number in range(11)]
            self.declined(world.client.patch_user_entity, world.entity, **{field: many})
        self.same("body after refusals", {"data": [view(OWNERS, self.own)]}, world.client.get_user_entities())
        self.unauthorized(Client.patch_user_entity, world.entity, **PIZZA)
        self.refused(403, "Permission denied.", self.brews.client.patch_user_entity, world.entity, **PIZZA)

    # Find Entities

    def get_categories(self):
        """GET /categories"""
        for name in CATEGORIES:
            self.admin.send("POST", "/admin/categories", body={"name": name})
        ask = self.nobody.get_categories
        self.named(CATEGORIES, ask)
        self.named(["cafes", "cleaning-services"], ask, prefix="c")
        self.named(["sports-equipment", "transport"], ask, fragment="sport")
        self.named(["transport"], ask, prefix="T")
        self.named(["transport"], ask, prefix="tr")
        self.named(["transport"], ask, fragment="TR")
        self.named(["restaurant", "restaurant-supplies"], ask, prefix="r", fragment="rest")
        self.named(["restaurant-supplies"], ask, prefix="rest", fragment="supp")
        self.named([], ask, prefix="port")
        self.named([], ask, fragment=".")
        for name in ("yoga", "zips", "zoos"):
            self.admin.send("POST", "/admin/categories", body={"name": name})
        self.paged(CATEGORIES + ["yoga", "zips", "zoos"], lambda category: category["name"], ask)

    def get_tags(self):
        """GET /tags"""
        ask = self.nobody.get_tags
        member = self.join("Jack of All Trades", "accepted", {"offers": TAGS[:6], "wants": TAGS[6:]})
        self.named(TAGS, ask)
        self.named(["micro-brewed-beer", "well-being"], ask, fragment="be")
        self.named(["pizza"], ask, fragment="pizza")
        self.named(["piano-tuning"], ask, fragment="TUN")
        self.named(["pizza"], ask, fragment="piza")
        self.named([], ask, fragment="unheard-of")
        member.client.patch_user_entity(member.entity, offers=[*TAGS[:6], "zebras"])
        self.paged(TAGS + ["zebras"], lambda tag: tag["name"], ask)

    def get_entities(self):
        """GET /entities"""
        world, brews, ask = self.new_world, self.brews, self.nobody.get_entities
        profile = {"offers": ["pasta"], "wants": ["vegetables"]}
        alice = self.join("Alice's Restaurant", "tradingAccepted", profile, categories=["restaurant"])
        self.govern(world, status="accepted", categories=["restaurant"])
        self.own |= {"status": "accepted", "categories": ["restaurant"]}

        # withoutAuth: who asks without a token, or does not say for whom.
        found = {"offers": "pizza,pasta", "name": "New World"}
        expected = listed(view(PUBLIC, self.own | {"isFavorite": False}))
        self.same("body, withoutAuth", expected, ask(**found))
        brews.client.post_favorites(brews.entity, world.entity, True)
        self.same("body with a token only", expected, brews.client.get_entities(**found))
        # withAuth
        found["querying_entity_id"] = brews.entity
        expected = listed(view(PUBLIC, self.own | {"isFavorite": True}))
        self.same("body, withAuth", expected, brews.client.get_entities(**found))
        # withAuthTradingAccepted: both, and not only who is found, or only who asks.
        self.govern(world, status="tradingAccepted")
        self.own["status"] = "tradingAccepted"
        trading = view(PUBLIC_WITH_EMAIL, self.own | {"isFavorite": True})
        self.same("body, withAuthTradingAccepted", listed(trading), brews.client.get_entities(**found))
        self.govern(brews, status="accepted")
        expected = listed(view(PUBLIC, self.own | {"isFavorite": True}))
        self.same("body while the asking one does not trade", expected, brews.client.get_entities(**found))
        self.govern(brews, status="tradingAccepted")

        # Every parameter by itself, and all of them as in the document.
        later = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
        mine = {"querying_entity_id": brews.entity}
        whole = {
            "offers": "pizza,pasta", "wants": "vegetables", "category": "restaurant",
            "tagged_since": "2019-12-25T12:12:12.001Z", "name": "Alice's Restau", "favorites_only": False,
            "page": 1, "page_size": 10,
        }
        both, none = {world.name, alice.name}, set()
        for expected, parameters in (
            (both, {"offers": "pizza,pasta"}),
            ({world.name}, {"offers": "pizza"}),
            (none, {"offers": "flour"}),
            ({alice.name}, {"wants": "vegetables"}),
            (both, {"wants": "vegetables,tomato"}),
            (none, {"wants": "pasta"}),
            (none, {"offers": "pizza", "wants": "vegetables"}),
            (both, {"category": "restaurant"}),
            (none, {"category": "cafes"}),
            (both, {"offers": "pizza,pasta", "tagged_since": "2019-12-25T12:12:12.001Z"}),
            (none, {"offers": "pizza,pasta", "tagged_since": later}),
            ({alice.name}, {"name": "Alice's Restau"}),
            ({alice.name}, {"name": "Alice's Restaurant"}),
            (both, {"category": "restaurant", "favorites_only": False} | mine),
            ({world.name}, {"favorites_only": True} | mine),
            (none, {"favorites_only": True, "name": "Alice's Restau"} | mine),
            ({alice.name}, whole | mine),
        ):
            names = [entity["name"] for entity in brews.client.get_entities(**parameters)["data"]]
            self.same(f"names for {parameters}", sorted(expected), sorted(names))
        # A tag counts from when this entity has it, and keeps that time while it stays.
        time.sleep(0.1)
        since = f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime())}.{time.time_ns() // 1_000_000 % 1000:03}Z"
        time.sleep(0.1)
        alice.client.patch_user_entity(alice.entity, offers=["pasta", "pizza"])
        for tag, expected in (("pasta", []), ("pizza", [alice.name])):
            data = ask(offers=tag, tagged_since=since)["data"]
            self.same(f"names for {tag} since it was added", expected, [entity["name"] for entity in data])

        for status in ADMITTED + HIDDEN:
            self.govern(world, status=status)
            statuses = [entity["status"] for entity in ask(name=world.name)["data"]]
            self.same(f"statuses while {status}", [status] if status in ADMITTED else [], statuses)
        self.govern(world, status="tradingAccepted")

        names = [self.join(f"Shop {letter}", "accepted").name for letter in "abcdefghijk"]
        self.paged(names, lambda entity: entity["name"], ask, in_order=False, name="Shop")
        self.unauthorized(Client.get_entities, querying_entity_id=brews.entity)
        self.refused(403, "Permission denied.", alice.client.get_entities, querying_entity_id=brews.entity)

    def get_entity(self):
        """GET /entities/{entityID}"""
        world, brews, ask = self.new_world, self.brews, self.nobody.get_entity
        mine = {"querying_entity_id": brews.entity}
        for status, keys in (("accepted", PUBLIC), ("tradingAccepted", PUBLIC_WITH_EMAIL)):
            self.govern(world, status=status)
            self.own["status"] = status
            expected = {"data": view(PUBLIC, self.own | {"isFavorite": False})}
            self.same(f"body, withoutAuth, {status}", expected, ask(world.entity))
            self.same(f"body with a token only, {status}", expected, brews.client.get_entity(world.entity))
            expected = {"data": view(keys, self.own | {"isFavorite": True})}
            self.same(f"body, withAuth, {status}", expected, brews.client.get_entity(world.entity, **mine))
        # Not a favourite of theirs, and seen by who does not trade.
        shop = self.join("Corner Shop", "accepted")
        expected = {"data": view(PUBLIC, self.own | {"isFavorite": False})}
        self.same("body for another", expected, shop.client.get_entity(world.entity, shop.entity))
        # The administrator's view is a third one.
        admins = self.govern(world, status="tradingAccepted")["data"]
        self.same("users in the administrator's view", True, "users" in admins)
        self.same("isFavorite in the administrator's view", False, "isFavorite" in admins)
        for status in HIDDEN:
            self.govern(world, status=status)
            self.declined(ask, world.entity)
            self.declined(brews.client.get_entity, world.entity, **mine)
            own = world.client.get_entity(world.entity)["data"]
            self.same("status for its owner", status, own["status"])
        self.govern(world, status="tradingAccepted")
        for unknown in ("5eec78f4a880b7c235f66e7c", world.user):
            self.declined(ask, unknown)
        self.unauthorized(Client.get_entity, world.entity, **mine)
        self.refused(403, "Permission denied.", world.client.get_entity, world.entity, **mine)

    def post_favorites(self):
        """POST /favorites"""
        cook, cafe = self.join("Cook", "accepted"), self.join("Cafe", "accepted")
        body = {"addToEntityID": cook.entity, "favoriteEntityID": cafe.entity, "isFavorite": True}
        # Twice is as good as once.
        for favorite in (True, True, False, False, True):
            self.same("body", None, cook.client.post_favorites(**body | {"isFavorite": favorite}))
            entity = cook.client.get_entity(cafe.entity, cook.entity)["data"]
            self.same("isFavorite", favorite, entity["isFavorite"])
            found = cook.client.get_entities(favorites_only=True, querying_entity_id=cook.entity)
            self.same("ids of the favourites", [cafe.entity] if favorite else [], [e["id"] for e in found["data"]])
        # It goes one way.
        entity = cafe.client.get_entity(cook.entity, cafe.entity)["data"]
        self.same("isFavorite the other way", False, entity["isFavorite"])
        self.missing(cook.client, "POST", "/favorites", body)
        self.unauthorized(Client.post_favorites, **body)
        self.refused(403, "Permission denied.", cafe.client.post_favorites, **body)

    def post_send_email(self):
        """POST /send-email"""
        sender = self.join("Sender", "accepted", {"entityEmail": "sends@dev.null"})
        receiver = self.join("Receiver", "accepted", {"entityEmail": "receives@dev.null"})
        body = {"senderEntityID": sender.entity, "receiverEntityID": receiver.entity}
        example = "This is the email message body."
        self.same("body", None, sender.client.post_send_email(**body, body=example))
        mail = self.mail("receives@dev.null", example)
        self.same("Reply-To of the mail", "sends@dev.null", address(mail["Reply-To"]))
        self.same("To of the mail", "receives@dev.null", address(mail["To"]))
        # Everybody who was admitted, to everybody who was.
        for number, status in enumerate(ADMITTED):
            self.govern(sender, status=status)
            self.govern(receiver, status=ADMITTED[-number])
            self.same("body", None, sender.client.post_send_email(**body, body=f"From who is {status}."))
            self.same(f"mail of who is {status}", True, bool(self.mail("receives@dev.null", f"From who is {status}.")))
        for status in HIDDEN:
            for one, other in ((sender, receiver), (receiver, sender)):
                self.govern(one, status=status)
                self.govern(other, status="accepted")
                self.declined(sender.client.post_send_email, **body, body=example)
        self.govern(receiver, status="accepted")
        self.govern(sender, status="accepted")
        self.missing(sender.client, "POST", "/send-email", body | {"body": example})
        self.unauthorized(Client.post_send_email, **body, body=example)
        self.refused(403, "Permission denied.", receiver.client.post_send_email, **body, body=example)

    # Transfer Credits

    def post_transfers(self):
        """POST /transfers"""
        payer, other = self.traders("Rhynyx")
        example = {
            "transfer": "out", "initiator": payer.account, "receiver": other.account, "amount": Decimal("1.1"),
            "description": "Here is the payment",
        }
        shown = {"amount": Decimal("177.5"), "description": "Payment of your invoice number 12345"}
        for changes in ({}, shown, {"transfer": "in"}, shown | {"transfer": "in"}):
            sent = example | changes
            ways = (payer.account, other.account) if sent["transfer"] == "out" else (other.account, payer.account)
            expected = {
                "id": TEXT, "from": ways[0], "to": ways[1], "amount": sent["amount"],
                "description": sent["description"], "status": "transferInitiated", "dateProposed": TIME,
            }
            self.same("body", {"data": expected}, payer.client.post_transfers(**sent))
        answer = payer.client.post_transfers("out", payer.account, other.account, 2)
        self.same("amount, whole", Decimal(2), answer["data"]["amount"])
        self.same("description, not given", "", answer["data"]["description"])
        # Nothing moves before the receiver agrees.
        for member in (payer, other):
            self.same("balance", Decimal(0), self.balance(member))

        del example["description"]
        self.missing(payer.client, "POST", "/transfers", example)
        # The account of the document's example is nobody's here.
        for changes in ({"transfer": "sideways"}, {"amount": 0}, {"amount": -1}, {"receiver": "1234567887654321"}):
            self.declined(payer.client.post_transfers, **example | changes)
        self.unauthorized(Client.post_transfers, **example)
        self.refused(403, "Permission denied.", other.client.post_transfers, **example)
        for member in (payer, other):
            for status in ("pending", "accepted", "rejected", "tradingPending", "tradingRejected"):
                self.govern(member, status=status)
                self.declined(payer.client.post_transfers, **example)
            self.govern(member, status="tradingAccepted")

    def patch_transfer(self):
        """PATCH /transfers/{transferID}"""
        payer, rhynyx = self.traders("Rhynyx")
        amount, description, reason = Decimal("1.1"), "Payment of invoice number 12345", "It was paid already."
        answers = [("accept", None), ("reject", None), ("reject", reason), ("cancel", None), ("cancel", reason)]
        # Who asks for money is "in", and who is asked for it sees "out", as in the document.
        for way, mirrored in (("out", "in"), ("in", "out")):
            proposal = way, rhynyx.account, payer.account, amount, description
            for action, told in answers:
                one, other = (rhynyx, payer) if action == "cancel" else (payer, rhynyx)
                transfer = rhynyx.client.post_transfers(*proposal)["data"]["id"]
                balances = [self.balance(payer), self.balance(rhynyx)]
                answer = one.client.patch_transfer(transfer, action, told)
                status = "transferCompleted" if action == "accept" else "transferCancelled"
                sides = (way, True) if one is rhynyx else (mirrored, False)
                expected = seen(*sides, other, amount, description, status, id=transfer, reason=told)
                self.same(f"body, {action}", {"data": expected}, answer)
                if action == "accept":
                    dates = [seconds(answer["data"][key]) for key in ("dateProposed", "dateCompleted")]
                    self.same("order of the dates", sorted(dates), dates)
                    moved = amount if way == "out" else -amount
                    balances = [balances[0] + moved, balances[1] - moved]
                self.same(f"balances, {action}", balances, [self.balance(payer), self.balance(rhynyx)])
                # What is answered stays so.
                for again, actions in ((payer, ("accept", "reject")), (rhynyx, ("cancel",))):
                    for other_action in actions:
                        self.declined(again.client.patch_transfer, transfer, other_action)

        transfer = rhynyx.client.post_transfers(*proposal)["data"]["id"]
        path, body = f"/transfers/{transfer}", {"action": "accept"}
        self.missing(payer.client, "PATCH", path, body)
        self.declined(payer.client.patch_transfer, transfer, "forget")
        self.declined(payer.client.patch_transfer, "1UZ7G7qJrIlwpVK9iSPXgx0A2xN", "accept")
        self.unauthorized(Client.patch_transfer, transfer, "accept")
        # The document's rule, without a status of its own: that of what somebody may not do.
        every = "accept", "reject", "cancel"
        for member, actions in ((rhynyx, every[:2]), (payer, every[2:]), (self.brews, every)):
            for action in actions:
                self.refused(403, "Permission denied.", member.client.patch_transfer, transfer, action)
        own = payer.client.get_user_entities()["data"][0]["pendingTransfers"]
        self.same("ids of what is still pending", [transfer], [pending["id"] for pending in own])

    # Review Transfer Activity

    def get_transfers(self):
        """GET /transfers"""
        payer, rhynyx = self.traders("Rhynyx")
        amount, description, reason = Decimal("1.1"), "Payment of invoice number 12345", "It was paid already."
        answers = {"transferCompleted": (rhynyx, "accept", None), "transferCancelled": (payer, "cancel", reason)}
        made = []
        for status in ("transferCompleted", "transferInitiated", "transferCancelled"):
            sent = payer.client.post_transfers("out", payer.account, rhynyx.account, amount, description)
            transfer, told = sent["data"]["id"], None
            if status in answers:
                member, action, told = answers[status]
                member.client.patch_transfer(transfer, action, told)
            # Newest first.
            made.insert(0, {"status": status, "id": transfer, "reason": told})

        ask = payer.client.get_transfers
        for status in ("all", "completed", "initiated", "cancelled"):
            some = [each for each in made if status in ("all", each["status"].removeprefix("transfer").lower())]
            for one, sides, other in ((payer, ("out", True), rhynyx), (rhynyx, ("in", False), payer)):
                expected = listed(*(seen(*sides, other, amount, description, **each) for each in some))
                self.same(f"body, {status}", expected, one.client.get_transfers(status, one.entity))
        nothing = {"data": [], "meta": {"numberOfResults": 0, "totalPages": 1}}
        newcomer = self.join("Newcomer")
        self.same("body for nothing", nothing, newcomer.client.get_transfers("all", newcomer.entity))

        for number in range(10):
            payer.client.post_transfers("in", payer.account, rhynyx.account, amount, str(number))
        descriptions = [str(number) for number in reversed(range(10))] + [description]
        query = {"status": "initiated", "querying_entity_id": payer.entity}
        self.paged(descriptions, lambda each: each["description"], ask, **query)
        self.missing(payer.client, "GET", "/transfers", query, where="query")
        self.declined(ask, "forgotten", payer.entity)
        self.unauthorized(Client.get_transfers, **query)
        # "Or no information will be returned."
        self.refused(403, "Permission denied.", rhynyx.client.get_transfers, **query)

    def get_balance(self):
        """GET /balance"""
        payer, payee = self.traders("Payee")
        for amounts in ((0, 0), ("-1.23", "1.23")):
            for member, amount in zip((payer, payee), amounts):
                expected = {"data": [{"unit": "ocn-uk", "balance": Decimal(amount)}]}
                self.same("body", expected, member.client.get_balance(member.entity))
            if amounts == (0, 0):
                sent = payer.client.post_transfers("out", payer.account, payee.account, Decimal("1.23"))
                payee.client.patch_transfer(sent["data"]["id"], "accept")
        self.declined(payer.client.send, "GET", "/balance")
        self.unauthorized(Client.get_balance, payer.entity)
        self.refused(403, "Permission denied.", payee.client.get_balance, payer.entity)

    # What is asserted

    def same(self, field, expected, got):
        """A value is the expected one: type, value, length, and the very keys of the document in its order."""
        self.assertions += 1
        if isinstance(expected, Kind):
            good = bool(expected.holds(got))
        elif isinstance(expected, dict):
            good = isinstance(got, dict)
        elif isinstance(expected, list):
            good = isinstance(got, list) and len(got) == len(expected)
        elif isinstance(expected, Decimal):
            # JSON has one kind of number: 2 and 2.00 are the same amount.
            good = type(got) in (int, Decimal) and got == expected
        else:
            good = type(got) is type(expected) and got == expected
        if not good:
            raise Failed(f"{field}: expected {expected!r}, got {got!r}")
        if isinstance(expected, dict):
            self.same(f"keys of {field}", list(expected), list(got))
            for key, value in expected.items():
                self.same(f"{field}.{key}", value, got[key])
        elif isinstance(expected, list):
            for number, value in enumerate(expected):
                self.same(f"{field}[{number}]", value, got[number])

    def refused(self, status, message, ask, /, *arguments, **named):
        """A request is refused with this status and this one message, and nothing beside it."""
        sent, refusal = self.refusal(status, ask, arguments, named)
        self.same(f"body of {sent}", {"errors": [{"message": message}]}, refusal.body)

    def declined(self, ask, /, *arguments, **named):
        """The document rules it out, but shows no body for it: 400, and messages in the server's own words.

        A refusal of the ledger may have its code and its amount after the message.
        """
        sent, refusal = self.refusal(400, ask, arguments, named)
        self.same(f"keys of the body of {sent}", ["errors"], list(refusal.body))
        errors = refusal.body["errors"]
        self.same(f"errors of {sent}", True, isinstance(errors, list) and len(errors) > 0)
        for error in errors:
            self.same(f"error of {sent}", {"message": TEXT}, {k: v for k, v in error.items() if k not in LEDGERS})

    def refusal(self, status, ask, arguments, named):
        """What was asked, as a text, and the refusal, which must have this status."""
        said = [repr(argument) for argument in arguments if not isinstance(argument, Client)]
        sent = f"{ask.__name__}({', '.join(said + [f'{name}={value!r}' for name, value in named.items()])})"
        try:
            answer = ask(*arguments, **named)
        except Refused as refusal:
            self.same(f"status of {sent}", status, refusal.status)
            return sent, refusal
        raise Failed(f"status of {sent}: expected {status}, got 200 with {answer!r}")

    def unauthorized(self, ask, /, *arguments, **named):
        """No token, one that never was one, and one that was logged out are all refused alike."""
        for stranger in self.strangers:
            self.refused(401, "Could not authenticate you.", ask, stranger, *arguments, **named)

    def missing(self, client, method, path, whole, where="body"):
        """Each parameter of a request is asked for by its name."""
        for field in whole:
            rest = {name: value for name, value in whole.items() if name != field}
            self.refused(400, f"{field} parameter is missing.", client.send, method, path, **{where: rest})

    def named(self, names, ask, **parameters):
        """A list of categories or tags has these names, with ids, on one page."""
        answer = ask(**parameters)
        self.same(f"body for {parameters}", listed(*({"id": TEXT, "name": name} for name in names)), answer)
        self.same(f"number of ids for {parameters}", len(names), len({each["id"] for each in answer["data"]}))

    def paged(self, expected, key, ask, in_order=True, **parameters):
        """A list of more than 10 comes in pages of every size, and of 10 when nobody says."""
        for size in (None, 1, 4, 100):
            pages, got = -(-len(expected) // (size or 10)), []
            meta = {"numberOfResults": len(expected), "totalPages": pages}
            # One page more: it is empty.
            for page in range(1, pages + 2):
                answer = ask(**parameters, page=page, page_size=size)
                self.same(f"keys of page {page}", ["data", "meta"], list(answer))
                self.same(f"meta of page {page} in pages of {size}", meta, answer["meta"])
                count = max(0, min(size or 10, len(expected) - len(got)))
                self.same(f"length of page {page} in pages of {size}", count, len(answer["data"]))
                if page == 1:
                    self.same("data without a page", answer["data"], ask(**parameters, page_size=size)["data"])
                got += map(key, answer["data"])
            got = got if in_order else sorted(got)
            self.same(f"all pages of {size}", expected if in_order else sorted(expected), got)
        for size in (0, 101):
            self.declined(ask, **parameters, page_size=size)

    def signed_up(self, body):
        """Signs up and gives what came back."""
        answer = self.nobody.post_signup(**body)
        self.same("body", {"data": {"userID": TEXT, "entityID": TEXT, "token": TEXT}}, answer)
        self.token("data.token", answer["data"]["token"], answer["data"]["userID"])
        return answer["data"]

    def token(self, field, token, user):
        """A token is a JWT as those of the document: how it is signed, whose it is, and for 24 hours."""
        parts = [json.loads(base64.urlsafe_b64decode(part + "===")) for part in token.split(".")[:2]]
        self.same(f"parts of {field}", 3, token.count(".") + 1)
        header, claims = parts
        self.same(f"header of {field}", {"alg": "RS256", "typ": "JWT"}, dict(sorted(header.items())))
        self.same(f"userID of {field}", user, claims.get("userID"))
        self.same(f"admin of {field}", False, claims.get("admin"))
        day = Kind("24 hours from now", lambda exp: type(exp) is int and abs(exp - time.time() - 24 * 3600) < 300)
        self.same(f"exp of {field}", day, claims.get("exp"))

    def user_of(self, data, address, first="", last="", telephone=""):
        """Somebody who has signed up and never logged in."""
        return {"data": {
            "id": data["userID"], "email": address, "firstName": first, "lastName": last, "telephone": telephone,
            "lastLoginIP": "", "lastLoginDate": None,
        }}

    def password_is_new(self, member):
        """The new password is good, and the old one is not."""
        client = self.log_in(member, NEW_PASSWORD)
        self.same("id after login", member.user, client.get_user()["data"]["id"])
        self.declined(self.nobody.post_login, member.email, PASSWORD)

    # What is done on the way

    def join(self, name, status=None, details=None, userEmail=None, **more):
        """Somebody signs up, and the administrator admits them; what only administrators set goes by them."""
        self.members += 1
        userEmail, details = userEmail or f"member{self.members}@dev.null", dict(details or {})
        governed = {key: more.pop(key) for key in ("categories", "maxNegativeBalance") if key in more}
        data = self.nobody.post_signup(userEmail, PASSWORD, **{"entityName": name} | details | more)["data"]
        client = self.nobody.with_token(data["token"])
        account = client.get_user_entities()["data"][0]["accountNumber"]
        member = Member(name, userEmail, client, data["userID"], data["entityID"], account)
        if status:
            self.govern(member, status=status, **governed)
        return member

    def traders(self, name):
        """A customer who may go into debt, and somebody of this name to trade with."""
        return tuple(self.join(each, "tradingAccepted", maxNegativeBalance=500) for each in ("Customer", name))

    def govern(self, member, **changes):
        """The administrator changes an entity."""
        return self.admin.send("PATCH", f"/admin/entities/{member.entity}", body=changes)

    def log_in(self, member, password):
        """The same member with another token."""
        return self.nobody.with_token(self.nobody.post_login(member.email, password)["data"]["token"])

    def log_in_twice(self, member):
        """The same, with a last login: the one before."""
        self.log_in(member, PASSWORD)
        return self.log_in(member, PASSWORD)

    def balance(self, member):
        """The balance, as a number with decimals or without."""
        return Decimal(member.client.get_balance(member.entity)["data"][0]["balance"])

    def reset_token(self, receiver):
        """The token in the newest mail that has one: the only long word of letters and digits."""
        token = re.compile(r"(?<![\w-])[\w-]{20,}(?![\w-])")
        return token.search(plain(self.mail(receiver, token)))[0]

    def mail(self, receiver, content):
        """Waits for the newest mail to somebody with something in it, and gives it."""
        content = content if isinstance(content, re.Pattern) else re.compile(re.escape(content))
        end = time.time() + SECONDS_MAX
        while time.time() < end:
            for file in sorted(self.mails.glob("*.eml"), key=lambda file: file.stat().st_mtime_ns, reverse=True):
                mail = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
                if address(mail["To"]) == receiver and content.search(plain(mail)):
                    return mail
            time.sleep(0.1)
        raise Failed(f"mail to {receiver}: expected one with {content.pattern!r}, got none in {SECONDS_MAX} seconds")


def view(keys, values):
    """Some keys of an entity, in this order."""
    return {key: values[key] for key in keys}


def listed(*data):
    """A list on one page."""
    return {"data": list(data), "meta": {"numberOfResults": len(data), "totalPages": 1}}


def seen(way, initiator, other, amount, description, status, id=TEXT, reason=None):
    """A transfer as one of its two sees it. Only what is completed has that date, and a reason is there if given."""
    return {
        "id": id, "transfer": way, "isInitiator": initiator, "accountNumber": other.account, "entityName": other.name,
        "amount": amount, "description": description, "status": status,
        **({"cancellationReason": reason} if reason else {}), "dateProposed": TIME,
        **({"dateCompleted": TIME} if status == "transferCompleted" else {}),
    }


def of_signup(profile):
    """The fields of an entity under the names that POST /signup has for them."""
    names = {"name": "entityName", "email": "entityEmail", "telephone": "entityPhone"}
    return {names.get(key, key): value for key, value in profile.items()}


def plain(mail):
    """The text of a mail."""
    return mail.get_body(("plain",)).get_content()


def address(header):
    """The one address in a header, without a name."""
    return header.addresses[0].addr_spec if header else None


# The document's order, but that whole lists come before other entities bring more to them.
OPERATIONS = (
    Walk.post_signup, Walk.post_login, Walk.post_logout, Walk.post_password_reset, Walk.post_password_reset_token,
    Walk.post_password_change, Walk.get_user, Walk.patch_user, Walk.get_categories, Walk.get_tags,
    Walk.get_user_entities, Walk.patch_user_entity, Walk.get_entities, Walk.get_entity, Walk.post_favorites,
    Walk.post_send_email, Walk.post_transfers, Walk.patch_transfer, Walk.get_transfers, Walk.get_balance,
)


def main(arguments):
    if len(arguments) != 4:
        sys.exit("usage: walk.py ADDRESS ADMIN_EMAIL ADMIN_PASSWORD MAIL_FOLDER")
    walk = Walk(*arguments)
    for operation in OPERATIONS:
        before, name = walk.assertions, operation.__doc__
        try:
            operation(walk)
        except Failed as failure:
            sys.exit(f"{name} … {failure}")
        except Refused as refusal:
            sys.exit(f"{name} … status: expected 200, got {refusal}")
        except (KeyError, IndexError, TypeError, ValueError) as missing:
            # An answer on the way to what is asserted is not of the document's form at all.
            traceback.print_exc()
            sys.exit(f"{name} … an answer: expected the document's form, got {missing!r}")
        print(f"{name} … ok, {walk.assertions - before} assertions", flush=True)
    print(f"{len(OPERATIONS)} operations, {walk.assertions} assertions; 429 and 500 were not provoked")


if __name__ == "__main__":
    main(sys.argv[1:])
