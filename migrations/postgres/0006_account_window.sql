-- Limits on what may pass through an account in a day, a week or a month, and what of them is used. Written by `posting` with the batch that
-- changes them, so they never lag behind the journal: few accounts have any, and their history does not tell what a window has counted.

-- Whether an account has rows in `account_window`. Accounts without any are read and decided without looking for them.
alter table account add column windowed boolean not null default false;

create table account_window (
    -- No reference to `account`: it would be looked at with every account that is written, and `hesabu verify` proves both tables.
    ledger_id    uuid     not null,
    account_id   uuid     not null,
    -- What is counted: 1 what it pays, 2 what it is paid.
    direction    bigint   not null,
    -- 1 a day, 2 a week from Monday, 3 a month.
    period       bigint   not null,
    -- The most that may pass, in minor units, and the most movements. Null: any; one of them is there.
    max_amount   bigint ,
    max_count    bigint ,
    -- What passed in the period that began on `began`, in days since 1970-01-01. Of a later period nothing is used yet.
    used_amount  bigint   not null,
    used_count   bigint   not null,
    began        bigint   not null,
    -- When it was set, or its midnight moved, in microseconds since the epoch. Holds from before were not counted.
    since        bigint   not null,
    -- How many minutes its midnight is ahead of that of UTC.
    utc_offset   bigint   not null,
    primary key (ledger_id, account_id, direction, period)
);
