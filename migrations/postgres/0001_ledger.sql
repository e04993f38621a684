-- The ledgers, their journals and their accounts.
--
-- Who writes: only `host/src/posting`. Who deletes: nobody. The journal is the truth; every other row here can be computed
-- from it, and `hesabu verify` does so. `ledger_id` leads every key, so that a distributed engine can keep a ledger on one node.

create table ledger (
    ledger_id       uuid     not null primary key,
    -- How configuration names it, for example 'mutual-credit'.
    name            text     not null,
    -- What is counted, and in how many decimals. Never changes: every amount below is in minor units of it.
    unit            text     not null,
    scale           bigint    not null constraint ledger_scale_range check (scale between 0 and 8),
    -- Head of the journal: sequence (0 = empty) and hash of the newest record. Locked by whoever posts a batch.
    head_seq        bigint    not null,
    head_hash       bytea  not null,
    -- Time of the newest batch. Time in a ledger never runs backwards, whatever the host's clock does.
    head_at         bigint    not null,
    -- Position of the newest row in `transfer` (0 = none), and how many transfers began, were posted and ended otherwise.
    last_position   bigint    not null,
    begun           bigint    not null,
    posted          bigint    not null,
    ended           bigint    not null,
    constraint "ledger.name" unique (name)
);

create table journal (
    ledger_id       uuid     not null references ledger,
    -- Dense from 1: a gap is a lost record.
    seq             bigint    not null constraint journal_seq_positive check (seq > 0),
    -- SHA-256 of the record before (for the first: of the ledger's id, unit and scale), ledger id, seq and body.
    hash            bytea  not null,
    -- Time, commands and verdicts of one batch, in the canonical form of ledger-core's `codec`.
    body            bytea  not null,
    primary key (ledger_id, seq)
);

create table account (
    ledger_id       uuid     not null references ledger,
    account_id      uuid     not null,
    -- Minor units. The limits are not checked here: an operator may move a limit past a balance.
    balance         bigint    not null,
    held_out        bigint    not null constraint account_held_out_positive check (held_out >= 0),
    held_in         bigint    not null constraint account_held_in_positive check (held_in >= 0),
    floor           bigint    not null,
    ceiling         bigint    not null,
    -- 0 open, 1 frozen, 2 closed.
    status          bigint    not null constraint account_status_known check (status between 0 and 2),
    -- Journal sequence that this row is current to: state = this row + replay of what the journal has after it.
    as_of           bigint    not null,
    -- Head of the account's history: position of its newest row in `transfer` (0 = none) and how many rows there are.
    last_position   bigint    not null,
    entries         bigint    not null,
    -- Of those, how many began a transfer, moved money, and ended a transfer without moving any.
    begun           bigint    not null,
    posted          bigint    not null,
    ended           bigint    not null,
    -- Where the jump pointers of the next rows will lead: see host/src/posting/history.rs.
    spine           bytea  not null,
    primary key (ledger_id, account_id)
);
