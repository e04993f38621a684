-- What the database need not do again for each row on the path of every transfer. That a row belongs to a ledger, posting knows (it wrote the
-- ledger's own row in the same statement or transaction), and `hesabu verify` finds those that do not.

-- Without `references ledger`, whose check looked the ledger up once for each key.
create table new_idempotency (
    ledger_id       blob     not null,
    -- First 128 bits of SHA-256 of who sent it and the key, so that nobody can meet another's.
    key_digest      blob     not null,
    -- The transfer that the key began, or would have begun.
    transfer_id     blob     not null,
    -- For a refusal that must be repeated: the command and the verdict in canonical form. Null when the transfer exists.
    refused_command blob,
    refused_verdict blob,
    -- When the key was first seen, in microseconds since the epoch. Keys are kept for ever: a retry is safe however late it comes.
    at              integer    not null,
    primary key (ledger_id, key_digest)
) strict, without rowid;
insert into new_idempotency (ledger_id, key_digest, transfer_id, refused_command, refused_verdict, at)
select ledger_id, key_digest, transfer_id, refused_command, refused_verdict, at from idempotency;
drop table idempotency;
alter table new_idempotency rename to idempotency;
