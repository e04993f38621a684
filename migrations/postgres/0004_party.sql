-- Entities: the businesses, people and associations that trade. Written by host/src/parties.

create table entity (
    entity_id       uuid     not null primary key,
    -- Whose it is. One person, one entity for now; the document announces many to many.
    person_id       uuid     not null references person,
    -- 16 digits with a Luhn check digit: what people write on an invoice.
    account_number  text     not null,
    -- Where its money is.
    ledger_id       uuid     not null,
    account_id      uuid     not null,
    -- pending, accepted, rejected, tradingPending, tradingAccepted, tradingRejected.
    status          text     not null constraint entity_status_known check (status in ('pending', 'accepted', 'rejected', 'tradingPending', 'tradingAccepted', 'tradingRejected')),
    name            text     not null,
    -- Where notifications go; separate from the person's.
    email           text     not null,
    telephone       text     not null,
    inc_type        text     not null,
    company_number  text     not null,
    website         text     not null,
    -- Null: never told.
    declared_turnover bigint  constraint entity_turnover_positive check (declared_turnover >= 0),
    description     text     not null,
    address         text     not null,
    city            text     not null,
    region          text     not null,
    postal_code     text     not null,
    country         text     not null,
    show_tags_matched boolean not null,
    daily_match_email boolean not null,
    created_at      bigint    not null,
    -- When it first became a trading member. Null: not yet.
    member_since    bigint,
    constraint "entity.account_number" unique (account_number),
    constraint "entity.account_id" unique (account_id)
);

-- "My entities", and the check that an entity is mine.
create index entity_person on entity (person_id);

-- What an entity offers and wants, in the order given.
create table entity_tag (
    entity_id       uuid     not null references entity,
    -- offer or want.
    kind            text     not null constraint entity_tag_kind_known check (kind in ('offer', 'want')),
    place           bigint    not null,
    name            text     not null,
    -- When the tag was added to this entity: searches ask for what is new since a day.
    added_at        bigint    not null,
    primary key (entity_id, kind, place)
);

-- The categories that administrators put an entity under.
create table entity_category (
    entity_id       uuid     not null references entity,
    place           bigint    not null,
    name            text     not null,
    primary key (entity_id, place)
);
