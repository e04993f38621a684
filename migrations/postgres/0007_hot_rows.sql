-- What the database need not do again for each row on the path of every transfer. That a row belongs to a ledger, posting knows (it wrote the
-- ledger's own row in the same statement or transaction), and `hesabu verify` finds those that do not.

-- Without `references ledger`, whose check looked the ledger up once for each key.
create table new_idempotency (
    ledger_id       uuid     not null,
    -- First 128 bits of SHA-256 of who sent it and the key, so that nobody can meet another's.
    key_digest      uuid     not null,
    -- The transfer that the key began, or would have begun.
    transfer_id     uuid     not null,
    -- For a refusal that must be repeated: the command and the verdict in canonical form. Null when the transfer exists.
    refused_command bytea,
    refused_verdict bytea,
    -- When the key was first seen, in microseconds since the epoch. Keys are kept for ever: a retry is safe however late it comes.
    at              bigint    not null,
    primary key (ledger_id, key_digest)
);
insert into new_idempotency (ledger_id, key_digest, transfer_id, refused_command, refused_verdict, at)
select ledger_id, key_digest, transfer_id, refused_command, refused_verdict, at from idempotency;
drop table idempotency;
alter table new_idempotency rename to idempotency;
alter table journal drop constraint new_journal_ledger_id_fkey;
alter table account drop constraint account_ledger_id_fkey;

-- A record is ids, digests and amounts: trying to compress it took a seventh of the database's time in a profile of large batches.
alter table journal alter column body set storage external;
-- Room in each page for the next state of a row that changes often, so that no index learns of it.
alter table account set (fillfactor = 75);
alter table ledger set (fillfactor = 25);
