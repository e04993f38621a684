-- What is counted against those who guess and those who flood. Rows live for minutes: nothing here is worth a back-up.

-- Logins that did not succeed, by the address that they were for, whether anybody has it or not. No reference to person, for the same reason.
-- Written by host/src/identity/lockout.rs.
create table login_failure (
    -- The first half of the SHA-256 of the folded address: who reads the table is not told whose addresses were tried.
    email_digest    uuid     not null primary key,
    -- Taken before the password is compared, so that many at the same time cannot compare more than is allowed.
    attempts        bigint   not null,
    -- Of the last that was compared: the lock counts from here.
    last_at         bigint   not null
);

-- "What is over", to be deleted.
create index login_failure_last on login_failure (last_at);

-- Requests in a minute, of all hosts together. Written by host/src/limits, a few times a second; only where several hosts can share a database.
create table request_count (
    -- When the minute began.
    window_at       bigint   not null,
    -- 0: an address; 1: an address at the doors; 2: a person.
    scope           bigint   not null,
    -- The address (of IPv6 its first 64 bits) or the person's id.
    subject         uuid     not null,
    requests        bigint   not null,
    primary key (window_at, scope, subject)
);
-- What a crash loses, the next minute would have forgotten: no write of it waits for the disk.
alter table request_count set unlogged;
