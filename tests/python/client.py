"""A client of the HOMEPESA-MC User API: one method for each of its 20 operations, in the order of its document.

Fields and parameters are named as in the document; what is None is not sent. A method gives the whole body of a
success, such as `{"data": ..., "meta": ...}`, or None where the document has none, and raises `Refused` for everything
else. Amounts are exact both ways: they are read as `Decimal` where they have decimals, and may be given as `Decimal`.
"""

import json
import urllib.error
import urllib.parse
import urllib.request
from decimal import Decimal

# How long one answer may take.
SECONDS_MAX = 60

# A proxy of the environment is not for a server that is named by its address.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Refused(Exception):
    """Any answer but 200, with its status, its messages and its whole body."""

    def __init__(self, status, body):
        errors = body.get("errors", []) if isinstance(body, dict) else []
        self.status, self.body, self.messages = status, body, [str(error.get("message")) for error in errors]
        super().__init__(f"{status}: {'; '.join(self.messages) or body}")


class Client:
    """Somebody who sends requests to a server, with a token or without."""

    def __init__(self, address, token=None):
        self.address, self.token = address.rstrip("/"), token

    def with_token(self, token):
        """The same server, and somebody else."""
        return Client(self.address, token)

    # Manage Account

    def post_signup(self, userEmail, password, **details):
        """POST /signup"""
        return self.send("POST", "/signup", body={"userEmail": userEmail, "password": password, **details})

    def post_login(self, email, password):
        """POST /login"""
        return self.send("POST", "/login", body={"email": email, "password": password})

    def post_logout(self):
        """POST /logout"""
        return self.send("POST", "/logout")

    def post_password_reset(self, email):
        """POST /password-reset"""
        return self.send("POST", "/password-reset", body={"email": email})

    def post_password_reset_token(self, token, password):
        """POST /password-reset/{token}"""
        return self.send("POST", f"/password-reset/{quoted(token)}", body={"password": password})

    def post_password_change(self, password):
        """POST /password-change"""
        return self.send("POST", "/password-change", body={"password": password})

    def get_user(self):
        """GET /user"""
        return self.send("GET", "/user")

    def patch_user(self, **changes):
        """PATCH /user"""
        return self.send("PATCH", "/user", body=changes)

    def get_user_entities(self):
        """GET /user/entities"""
        return self.send("GET", "/user/entities")

    def patch_user_entity(self, entityID, **changes):
        """PATCH /user/entities/{entityID}"""
        return self.send("PATCH", f"/user/entities/{quoted(entityID)}", body=changes)

    # Find Entities

    def get_categories(self, prefix=None, fragment=None, page=None, page_size=None):
        """GET /categories"""
        query = {"prefix": prefix, "fragment": fragment, "page": page, "page_size": page_size}
        return self.send("GET", "/categories", query)

    def get_tags(self, fragment=None, page=None, page_size=None):
        """GET /tags"""
        return self.send("GET", "/tags", {"fragment": fragment, "page": page, "page_size": page_size})

    def get_entities(self, offers=None, wants=None, category=None, tagged_since=None, name=None, favorites_only=None,
                     querying_entity_id=None, page=None, page_size=None):
        """GET /entities"""
        query = {
            "offers": offers, "wants": wants, "category": category, "tagged_since": tagged_since, "name": name,
            "favorites_only": favorites_only, "querying_entity_id": querying_entity_id,
            "page": page, "page_size": page_size,
        }
        return self.send("GET", "/entities", query)

    def get_entity(self, entityID, querying_entity_id=None):
        """GET /entities/{entityID}"""
        return self.send("GET", f"/entities/{quoted(entityID)}", {"querying_entity_id": querying_entity_id})

    def post_favorites(self, addToEntityID, favoriteEntityID, isFavorite):
        """POST /favorites"""
        body = {"addToEntityID": addToEntityID, "favoriteEntityID": favoriteEntityID, "isFavorite": isFavorite}
        return self.send("POST", "/favorites", body=body)

    def post_send_email(self, senderEntityID, receiverEntityID, body):
        """POST /send-email"""
        body = {"senderEntityID": senderEntityID, "receiverEntityID": receiverEntityID, "body": body}
        return self.send("POST", "/send-email", body=body)

    # Transfer Credits

    def post_transfers(self, transfer, initiator, receiver, amount, description=None):
        """POST /transfers"""
        body = {"transfer": transfer, "initiator": initiator, "receiver": receiver, "amount": amount}
        return self.send("POST", "/transfers", body=body | {"description": description})

    def patch_transfer(self, transferID, action, cancellationReason=None):
        """PATCH /transfers/{transferID}"""
        body = {"action": action, "cancellationReason": cancellationReason}
        return self.send("PATCH", f"/transfers/{quoted(transferID)}", body=body)

    # Review Transfer Activity

    def get_transfers(self, status, querying_entity_id, page=None, page_size=None):
        """GET /transfers"""
        query = {"status": status, "querying_entity_id": querying_entity_id, "page": page, "page_size": page_size}
        return self.send("GET", "/transfers", query)

    def get_balance(self, querying_entity_id):
        """GET /balance"""
        return self.send("GET", "/balance", {"querying_entity_id": querying_entity_id})

    # What all of them are made of

    def send(self, method, path, query=None, body=None):
        """Any request below /api/v1."""
        address = f"{self.address}/api/v1{path}"
        if query := {name: text(value) for name, value in (query or {}).items() if value is not None}:
            address += "?" + urllib.parse.urlencode(query)
        headers, content = {}, None
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        if body is not None:
            headers["Content-Type"] = "application/json"
            body = {name: value for name, value in body.items() if value is not None}
            content = json.dumps(body, default=number).encode()
        request = urllib.request.Request(address, content, headers, method=method)
        try:
            with OPENER.open(request, timeout=SECONDS_MAX) as answer:
                status, received = answer.status, read(answer)
        except urllib.error.HTTPError as refusal:
            with refusal:
                status, received = refusal.code, read(refusal)
        if status != 200:
            raise Refused(status, received)
        return received


def read(answer):
    """The body of an answer. The document has only JSON, or nothing."""
    content, kind = answer.read(), answer.headers.get_content_type()
    if not content:
        return None
    if kind != "application/json":
        raise ValueError(f"a body of {kind} in an answer with status {answer.status}: {content[:200]!r}")
    return json.loads(content, parse_float=Decimal)


def quoted(part):
    """One part of a path."""
    return urllib.parse.quote(part, safe="")


def text(value):
    """A parameter of a query: true and false are as in JSON."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def number(value):
    """An amount, for JSON. A float keeps 15 digits as they were given; what it would change is not sent at all."""
    if not isinstance(value, Decimal) or Decimal(repr(float(value))) != value:
        raise ValueError(f"{value!r} cannot be sent")
    return float(value)
