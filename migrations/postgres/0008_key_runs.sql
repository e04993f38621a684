-- Idempotency keys of a ledger under load, packed. A row for each key in the order of its digest is a walk through the whole tree for every few
-- thousand keys, and took the writer longer than all else of a large batch. Keys that were kept one after the other are sorted among
-- themselves instead, and written once, at the end of the tree: a run. Where few keys come, they stay rows of `idempotency`.

-- Of runs that are complete. One that is not has pages alone, and goes when the ledger is taken again.
create table key_run (
    ledger_id uuid   not null,
    -- The journal's record at which it was begun: it has keys of this record or earlier ones.
    run       bigint not null,
    -- How many it has.
    keys      bigint not null check (keys > 0),
    primary key (ledger_id, run)
);

-- Some keys of a run, one after the other.
create table key_page (
    ledger_id uuid   not null,
    run       bigint not null,
    -- The first of them. A key is in the last page that does not begin after it, or in none of the run.
    first_key uuid   not null,
    -- For each, as in a row of `idempotency`: key_digest, transfer_id and at, then refused_command and refused_verdict, each with its length
    -- in two bytes before it. Numbers are big-endian.
    entries   bytea  not null,
    primary key (ledger_id, run, first_key)
);
-- Digests and ids do not compress.
alter table key_page alter column entries set storage external;

-- Statements stay prepared with the plan that was made for them. One from when a table was seen to have a page or two goes through all of it for
-- each row that is looked up, until it is seen again how large it has become, and a ledger grows by a million rows in between. A table that was
-- never looked at is taken to be large enough for its index: so the first look comes when it is.
alter table journal set (autovacuum_analyze_threshold = 5000);
alter table transfer set (autovacuum_analyze_threshold = 5000);
alter table account set (autovacuum_analyze_threshold = 5000);
alter table account_window set (autovacuum_analyze_threshold = 5000);
alter table idempotency set (autovacuum_analyze_threshold = 5000);
alter table key_page set (autovacuum_analyze_threshold = 5000);
