#!/usr/bin/env python3
"""Checks a statement of account against a copy of the ledger's journal. Trusts neither; needs nothing but Python.

    check_statement.py STATEMENT.json JOURNAL

STATEMENT.json is what `GET /user/entities/{id}/statement` answered, JOURNAL what `hesabu journal` printed. Exits with 0 when everything in the
statement follows from the journal, and with 1 and the reason when something does not.
"""

import hashlib
import json
import struct
import sys
import uuid
from datetime import datetime, timezone
from decimal import Decimal


class Wrong(Exception):
    """What the statement says is not so."""


class Reader:
    """Big-endian values, one after the other."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        part = self.data[self.at : self.at + count]
        if len(part) != count:
            raise Wrong("a record of the journal ends too early")
        self.at += count
        return part

    def byte(self):
        return self.take(1)[0]

    def i64(self):
        return struct.unpack(">q", self.take(8))[0]

    def u32(self):
        return struct.unpack(">I", self.take(4))[0]

    def id(self):
        return uuid.UUID(bytes=self.take(16))


def read_command(reader):
    """Which transfer this command begins or settles, if it is about one: `(kind, id, payer, payee, amount, memo)`."""
    tag = reader.byte() & 0x7F
    if tag == 1:  # open an account
        reader.take(16 + 8 + 8 + 1)
    elif tag == 2:  # set limits
        flags = reader.byte()
        reader.take(16 + 8 * bin(flags & 3).count("1"))
    elif tag == 3:  # set status
        reader.take(16 + 1)
    elif tag == 4:  # create a transfer
        kind, flags = reader.byte(), reader.byte()
        transfer, payer, payee, amount = reader.id(), reader.id(), reader.id(), reader.i64()
        reader.take((16 if flags & 1 else 0) + (8 if flags & 2 else 0))
        memo = reader.take(16) if flags & 4 else b""
        return (("immediate", "hold", "request")[kind], transfer, payer, payee, amount, memo)
    elif tag == 5:  # settle one
        action, flags = reader.byte(), reader.byte()
        transfer = reader.id()
        part = reader.i64() if flags & 1 else None
        reader.take(16 if flags & 4 else 0)
        return ("settle", transfer, action, part, None, None)
    elif tag == 6:  # set a window
        reader.take(2)
        flags = reader.byte()
        reader.take(16 + 8 + (8 if flags & 1 else 0) + (4 if flags & 2 else 0))
    else:
        raise Wrong(f"the journal has a command {tag} that nobody knows")
    return None


# Refusals that come with an amount: capture-exceeds-hold, balance-not-zero, floor-exceeded, ceiling-exceeded, and the two of a window.
CODES_WITH_AMOUNT = {21, 27, 29, 30, 31, 33}


def read_verdict(reader):
    """The balances of payer and payee after a transfer; nothing for other verdicts."""
    kind = reader.byte()
    if kind == 1:
        return (reader.i64(), reader.i64())
    if kind == 3:
        if reader.byte() in CODES_WITH_AMOUNT:
            reader.i64()
    elif kind not in (0, 2):
        raise Wrong(f"the journal has a verdict {kind} that nobody knows")
    return None


def read_record(body):
    """The time of a record, and `(command, balances)` of what happened to transfers."""
    reader = Reader(body)
    if reader.byte() != 1:
        raise Wrong("the journal is of a version that nobody knows")
    at, count, happened = reader.i64(), reader.u32(), []
    for _ in range(count):
        command, balances = read_command(reader), read_verdict(reader)
        if command and balances:
            happened.append((command, balances))
    if reader.at != len(body):
        raise Wrong("a record of the journal has more than it says")
    return at, happened


CAPTURE, ACCEPT = 0, 2


def movements(lines, account, records):
    """Walks along the chain up to so many records: what it says of itself, the hash at its end, and every movement on the account."""
    head = json.loads(next(lines))
    ledger, proposed, found = uuid.UUID(head["ledger"]), {}, []
    chain = hashlib.sha256(b"hesabu journal 1" + ledger.bytes + bytes([head["scale"]]) + head["unit"].encode()).digest()
    for number in range(1, records + 1):
        line = next(lines, None)
        if line is None:
            raise Wrong(f"the journal ends before record {records}, where it stood when the statement was made")
        line = json.loads(line)
        body = bytes.fromhex(line["body"])
        chain = hashlib.sha256(chain + ledger.bytes + struct.pack(">q", number) + body).digest()
        if line["record"] != number or line["hash"] != chain.hex():
            raise Wrong(f"record {number} of the journal does not follow from the ones before it")
        at, happened = read_record(body)
        for (kind, transfer, *rest), balances in happened:
            if kind == "settle":
                action, part = rest[:2]
                payer, payee, amount, memo = proposed.pop(transfer)
                amount = amount if part is None else part
                moves = action in (CAPTURE, ACCEPT)
            else:
                payer, payee, amount, memo = rest
                moves = kind == "immediate"
                if not moves:
                    proposed[transfer] = (payer, payee, amount, memo)
            if moves and account in (payer, payee):
                paid = account == payer
                change, balance, other = (-amount, balances[0], payee) if paid else (amount, balances[1], payer)
                found.append((at, transfer, change, balance, number, chain.hex(), memo, other))
    return head, chain.hex(), found


def microseconds(text):
    """RFC 3339 in UTC as microseconds since the epoch."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    require(text.endswith("Z") and len(fraction) <= 6, f"{text} is no time that the journal could have")
    seconds = datetime.fromisoformat(whole).replace(tzinfo=timezone.utc) - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return int(seconds.total_seconds()) * 1_000_000 + int(fraction.ljust(6, "0")[:6] or 0)


def whole(amount, scale):
    """An amount in its smallest parts, of which there is none but a whole number."""
    scaled = Decimal(amount).scaleb(scale)
    require(scaled == scaled.to_integral_value(), f"{amount} has more decimals than there are")
    return int(scaled)


def digest(description):
    """What the journal has of a description: half of its SHA-256, or nothing for no text."""
    return hashlib.sha256(description.encode()).digest()[:16] if description else b""


def require(holds, what):
    if not holds:
        raise Wrong(what)


def check(statement, lines):
    """Raises `Wrong` unless the statement follows from the journal; gives how many movements do."""
    journal = statement["journal"]
    account = uuid.UUID(journal["accountID"])
    head, chain, found = movements(lines, account, whole(journal["records"], 0))
    require(uuid.UUID(head["ledger"]) == uuid.UUID(journal["ledgerID"]), "the journal is of another ledger")
    require(head["unit"] == statement["unit"], "the journal counts another unit")
    require(head["scale"] == journal["scale"], "the journal counts with more decimals, or fewer")
    minor = lambda amount: whole(amount, head["scale"])
    require(chain == journal["hash"], "the journal's chain has another hash at that record")
    begin, end = microseconds(statement["dateFrom"]), microseconds(statement["dateTo"])
    before = [move for move in found if move[0] < begin]
    within = [move for move in found if begin <= move[0] < end]
    opening = before[-1][3] if before else 0
    closing = within[-1][3] if within else opening
    require(minor(statement["openingBalance"]) == opening, "the opening balance is another one")
    require(minor(statement["closingBalance"]) == closing, "the closing balance is another one")
    require(len(statement["movements"]) == len(within), "there are more movements, or fewer")
    balance = opening
    for told, (at, transfer, change, after, record, chain, memo, other) in zip(statement["movements"], within):
        where = f"movement {told['transferID']}"
        balance += change
        require(after == balance, f"{where}: the journal's balance is not what the movements come to")
        require(microseconds(told["date"]) == at, f"{where}: another time")
        require(uuid.UUID(told["transferID"]) == transfer, f"{where}: another transfer")
        require(minor(told["amount"]) == change, f"{where}: another amount")
        require(minor(told["balance"]) == after, f"{where}: another balance")
        require((whole(told["record"], 0), told["recordHash"]) == (record, chain), f"{where}: another record")
        require(uuid.UUID(told["counterpartyID"]) == other, f"{where}: another other side")
        require(digest(told["description"]) == memo, f"{where}: another description")
    came = sum(change for _, _, change, *_ in within if change > 0)
    require(minor(statement["paidIn"]) == came, "the sum of what came is another one")
    require(minor(statement["paidOut"]) == came + opening - closing, "the sum of what went is another one")
    return len(within)


def main(statement, journal):
    with open(statement, encoding="utf-8") as file:
        told = json.load(file, parse_float=Decimal, parse_int=Decimal)
    try:
        with open(journal, encoding="utf-8") as lines:
            count = check(told.get("data", told), iter(lines))
    except Wrong as wrong:
        sys.exit(f"The statement does not follow from the journal: {wrong}.")
    print(f"The statement follows from the journal: {count} movements and both balances.")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
