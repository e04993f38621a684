-- The directory: what members and visitors find entities by. Written by host/src/directory, and by host/src/parties in the transaction that
-- changes an entity, so that what is found and what is there never part.
--
-- Neither engine's own ideas of letters are used, because they differ: case, accents and words are folded in Rust into the columns that
-- end with `_key`, and the search tables hold opaque ASCII tokens that Rust made of them.

-- Folded texts of an entity. The first is null: written by a version before; a host that starts makes them, and what else is missing.
alter table entity add column name_key text;
-- In lower case only: what follows the last letter of an address matters.
alter table entity add column email_key text;
alter table entity add column city_key text;
alter table entity add column region_key text;
alter table entity add column country_key text;
create index entity_unkeyed on entity (entity_id) where name_key is null;

-- The entities that can be found, oldest first, and how many they are.
create index entity_listed on entity (entity_id) where status in ('accepted', 'tradingPending', 'tradingAccepted', 'tradingRejected');

-- Whether the entity of a tag can be found: a copy of what its status says, so that a search reads one index and no entity.
alter table entity_tag add column listed integer not null default 0;
update entity_tag set listed = 1 where entity_id in
    (select entity_id from entity where status in ('accepted', 'tradingPending', 'tradingAccepted', 'tradingRejected'));
-- Everything that a search for a tag asks, in its order.
create index entity_tag_search on entity_tag (name, kind, listed, added_at, entity_id);

-- Who is listed under a category.
create index entity_category_name on entity_category (name, entity_id);

-- Every tag that an entity has or an administrator made, once.
create table tag (
    tag_id      blob not null primary key,
    name        text not null,
    -- Folded: what searches compare, and lists are sorted by.
    name_key    text not null,
    -- When it entered the vocabulary that everybody is shown. Null: nobody has it but entities that cannot be found.
    entered_at  integer,
    constraint "tag.name" unique (name)
) strict;

-- The list of tags by name.
create index tag_order on tag (name_key, name);

-- The tokens of each tag. A row's number is the lower 63 bits of its tag's id.
create virtual table tag_search using fts5 (
    tag_id unindexed,
    tokens,
    tokenize = 'ascii',
    detail = 'none'
);

-- What administrators put entities under.
create table category (
    category_id blob not null primary key,
    name        text not null,
    -- Folded. Two that differ in case or accents only would be taken for each other.
    name_key    text not null,
    constraint "category.name_key" unique (name_key)
) strict;

-- The tokens of each entity's name, numbered in the same way.
create virtual table entity_search using fts5 (
    entity_id unindexed,
    tokens,
    tokenize = 'ascii',
    detail = 'none'
);

-- The entities that an entity has as its favorites.
create table favorite (
    entity_id   blob not null references entity,
    favorite_id blob not null references entity,
    primary key (entity_id, favorite_id)
) strict, without rowid;
