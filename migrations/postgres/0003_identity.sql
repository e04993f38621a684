-- People, how they prove who they are, and the sessions they have. Written by host/src/identity.

create table person (
    person_id       uuid     not null primary key,
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
    administrator   boolean   not null,
    created_at      bigint    not null,
    -- The login in use, and the one before it, which is what the person is shown. Null: never.
    login_at        bigint,
    login_ip        text,
    previous_login_at bigint,
    previous_login_ip text,
    constraint "person.email_key" unique (email_key)
);

-- One row for each token handed out. A token is good while its row is here, not revoked and not expired.
create table session (
    session_id      uuid     not null primary key,
    person_id       uuid     not null references person,
    -- Whether the token opens the administrators' doors.
    administrator   boolean   not null,
    created_at      bigint    not null,
    expires_at      bigint    not null,
    -- Null until logout.
    revoked_at      bigint
);
