-- People, how they prove who they are, and the sessions they have. Written by host/src/identity.

create table person (
    person_id       blob     not null primary key,
    -- As typed, for display and mail.
    email           text     not null,
    -- Lower case, for finding: `Jane@X.com` and `jane@x.com` are one person.
    email_key       text     not null,
    -- Argon2id, in PHC form, with its own salt and parameters.
    password_hash   text     not null,
    first_name      text     not null,
    last_name       text     not null,
    telephone       text     not null,
    -- May log in at the administrators' door.
    administrator   integer   not null,
    created_at      integer    not null,
    -- The login in use, and the one before it, which is what the person is shown. Null: never.
    login_at        integer,
    login_ip        text,
    previous_login_at integer,
    previous_login_ip text,
    constraint "person.email_key" unique (email_key)
) strict;

-- One row for each token handed out. A token is good while its row is here, not revoked and not expired.
create table session (
    session_id      blob     not null primary key,
    person_id       blob     not null references person,
    -- Whether the token opens the administrators' doors.
    administrator   integer   not null,
    created_at      integer    not null,
    expires_at      integer    not null,
    -- Null until logout.
    revoked_at      integer
) strict;
