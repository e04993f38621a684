-- Every step of every transfer, in commit order: one row when it begins, and for holds and requests one more when it is settled.
--
-- Rows are appended and never change, but for one thing: when a hold or request is settled, the row that began it learns
-- where (`settled_by`) and stops being pending. Each row carries, for payer and payee, a link to that account's previous
-- row, a jump link further back, and the running totals after it; pages, statements and past balances walk these links
-- (host/src/accounts/history.rs), so there is no index by account.

create table transfer (
    ledger_id       blob     not null references ledger,
    -- Dense from 1, in commit order.
    position        integer    not null constraint transfer_position_positive check (position > 0),
    -- Journal record that this row came from.
    seq             integer    not null,
    transfer_id     blob     not null,
    -- What happened: 1 immediate, 2 hold, 3 request; 10 captured, 11 released, 12 accepted, 13 declined, 14 withdrawn, 15 expired.
    step            integer    not null constraint transfer_step_known check (step in (1, 2, 3, 10, 11, 12, 13, 14, 15)),
    payer_id        blob     not null,
    payee_id        blob     not null,
    -- What was proposed, and what this step moved (0 when none), in minor units.
    amount          integer    not null constraint transfer_amount_positive check (amount > 0),
    moved           integer    not null constraint transfer_moved_range check (moved between 0 and amount),
    -- Microseconds since the epoch. Null expiry: it waits for ever.
    at              integer    not null,
    expires_at      integer,
    -- Description of the transfer, or the reason given for this step. Its digest is in the journal.
    memo            text     not null,
    -- Null on the row that begins a transfer; on the row that settles it, the position of the one that began it.
    settles         integer,
    -- On the row that began a hold or request: the row that settled it. Null until then, and for immediate transfers.
    settled_by      integer,
    pending         integer   not null,

    -- The payer's chain: number of this row in it (from 1), links (0 = none), balance and totals after it.
    payer_entry     integer    not null,
    payer_prev      integer    not null,
    payer_jump      integer    not null,
    payer_balance   integer    not null,
    payer_begun     integer    not null,
    payer_posted    integer    not null,
    payer_ended     integer    not null,
    -- The payee's, likewise.
    payee_entry     integer    not null,
    payee_prev      integer    not null,
    payee_jump      integer    not null,
    payee_balance   integer    not null,
    payee_begun     integer    not null,
    payee_posted    integer    not null,
    payee_ended     integer    not null,

    constraint transfer_accounts_differ check (payer_id <> payee_id),
    primary key (ledger_id, position)
) strict, without rowid;

-- Finds a transfer by its id; ids are time-ordered, so this grows at its right end. Also the last line of defence against
-- posting an id twice.
create unique index "transfer.transfer_id" on transfer (ledger_id, transfer_id) where settles is null;

-- What waits for an account, oldest first. Holds only what is pending, so immediate transfers never touch it.
create index transfer_pending_payer on transfer (ledger_id, payer_id, position) where pending;
create index transfer_pending_payee on transfer (ledger_id, payee_id, position) where pending;

-- Keys that clients sent to be safe when they retry, and what was answered.
create table idempotency (
    ledger_id       blob     not null references ledger,
    -- First 128 bits of SHA-256 of who sent it and the key, so that nobody can meet another's.
    key_digest      blob     not null,
    -- The transfer that the key began, or would have begun.
    transfer_id     blob     not null,
    -- For a refusal that must be repeated: the command and the verdict in canonical form. Null when the transfer exists.
    refused_command blob,
    refused_verdict blob,
    -- When the key was first seen, in microseconds since the epoch.
    at              integer    not null,
    primary key (ledger_id, key_digest)
) strict, without rowid;

-- The same history with one row for each account and step, for people who ask in SQL. Amounts are signed.
create view account_entry as
    select ledger_id, payer_id as account_id, position, transfer_id, step, at, -moved as change, payer_balance as balance, payee_id as counterparty_id, memo
    from transfer
    union all
    select ledger_id, payee_id, position, transfer_id, step, at, moved, payee_balance, payer_id, memo
    from transfer;
