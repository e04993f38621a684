-- Mail that is to be sent, resets of passwords, and work that is done on a schedule. Written by host/src/mail, host/src/identity and
-- host/src/jobs; rows of `mail` also by whoever has something to tell, in the same transaction as what is told.

-- The language that somebody reads: en or sw. Null: that of the installation.
alter table person add column language text;

-- A row is what is to be told and to whom, not a finished text: it is read up and worded when it is sent, so that adding one takes no
-- reads. It goes when the mail has been taken. Who deletes: host/src/mail.
create table mail (
    -- Grows with time. Also the mail's Message-ID, the same at each attempt.
    mail_id         blob     not null primary key,
    -- What is told: see host/src/mail/kind.rs. No check: a new kind needs no new table.
    kind            text     not null,
    -- What `recipient_id` is: an entity, an account, a person; or administrators (all of them, without an id), address (`address` itself),
    -- login (whoever logs in with `address`, if there is anybody).
    recipient       text     not null constraint mail_recipient_known check (recipient in ('entity', 'account', 'person', 'administrators', 'address', 'login')),
    recipient_id    blob,
    address         text,
    -- What it is about: a transfer, an entity. Null where the kind has none.
    transfer_id     blob,
    entity_id       blob,
    -- What somebody wrote, or what was found. Empty where the kind has none, and once the mail has failed for good: private words do not stay.
    body            text     not null,
    created_at      integer    not null,
    -- Not before. Moves on with each failure.
    due_at          integer    not null,
    -- How often it was claimed. Who finishes it names the number, so that a host that was too slow finishes nothing.
    attempts        integer    not null default 0,
    -- A host is sending it until then. Null: nobody is.
    claimed_until   integer,
    -- Why it was not taken the last time. Null: it has not failed.
    last_error      text,
    -- When it was given up. Null: it has not been.
    failed_at       integer
) strict;

-- "What is due": holds only what still has to be sent.
create index mail_due on mail (due_at) where failed_at is null;

-- The newest reset of each person's password, at each door. The token itself is nowhere but in the mail.
create table password_reset (
    person_id       blob     not null references person,
    -- Whether it was asked for at the administrators' door, where alone it is good then.
    administrator   integer   not null,
    -- The mail that has the token. One that was asked for earlier never replaces a later one.
    mail_id         blob     not null,
    -- SHA-256 of the token.
    token_hash      blob  not null,
    expires_at      integer    not null,
    -- When it was used, which is once. Null: not yet.
    used_at         integer,
    primary key (person_id, administrator),
    constraint "password_reset.token_hash" unique (token_hash)
) strict, without rowid;

-- "Every session of a person", and "what has expired".
create index session_person on session (person_id);
create index session_expiry on session (expires_at);

-- Work on a schedule, done by one host at a time.
create table job (
    name            text     not null primary key,
    -- The schedule that `next_at` was computed from: another one computes it anew.
    schedule        text     not null,
    next_at         integer    not null,
    -- A host is at it until then, unless it says so again. Null: nobody is.
    leased_until    integer,
    host            blob,
    -- When it last told administrators that something is wrong: once a day is enough. Null: never.
    alarmed_at      integer
) strict, without rowid;

-- Up to when an entity has been told what matches its offers and wants.
create table digest (
    entity_id       blob     not null primary key references entity,
    told_until      integer    not null
) strict, without rowid;

