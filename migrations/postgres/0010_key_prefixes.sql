-- What a host reads of packed keys when it takes a ledger. To say of nearly every key that it is new without asking the database, it must know
-- which ones there are; for that their beginnings suffice, and are a ninth of what the pages of a run have.
create table key_prefix (
    ledger_id uuid   not null,
    -- Of `key_run`. A run from before this table has none: its pages are read instead.
    run       bigint not null,
    -- The upper five bytes of each of its keys, in their order. Keys that begin alike cost a search and no more.
    prefixes  bytea  not null,
    primary key (ledger_id, run)
);
-- Digests do not compress.
alter table key_prefix alter column prefixes set storage external;
