//! What SQLite and PostgreSQL say differently: full-text search, and a list in one value. The texts are constants of this program, and what
//! people type is in none of them: queries are made of tokens (`tokens.rs`).

use super::LISTED;
use super::holding::share_tags;
use super::tokens::Operators;
use crate::store::{Db, Statement, Value};
use const_format::formatcp;

/// A tag that may be new: its id if it is, its name, its folded name, its tokens.
#[derive(Clone, Debug)]
pub(super) struct NewTag {
    pub(super) id: u128,
    pub(super) name: String,
    pub(super) key: String,
    pub(super) tokens: String,
}

/// The statements of an engine for reading.
pub(super) struct Forms {
    pub(super) operators: Operators,
    /// Tags for a query `$1`; if `$2`, only those that everybody is shown.
    pub(super) tag_candidates: &'static str,
    /// Entities that can be found, from the narrowest of what is asked: see [`found`].
    pub(super) by_offers: &'static str,
    pub(super) by_wants: &'static str,
    pub(super) by_both: &'static str,
    pub(super) by_name: &'static str,
    /// Entities for administrators: how many, a page, and those that come next, with their accounts.
    pub(super) register_count: &'static str,
    pub(super) register_page: &'static str,
    pub(super) register_after: &'static str,
}

/// A page of what `driver` gives with the best first, and how many there are. Every search has the same values: `$1` and `$2` are lists of tags
/// ([`tag_list`]) that are offered and wanted, `$3` since when, `$4` a category, `$5` the query for a name and `$6` its folded text, `$7` whose
/// favorites, `$8` and `$9` how many after how many. `$4`, `$6` and `$7` are null for any.
macro_rules! found {
    ($driver:expr) => {
        formatcp!(
            "select found.entity_id, count(*) over () as total from ({driver}) found
             where ($4 is null or exists (select 1 from entity_category c where c.entity_id = found.entity_id and c.name = $4))
               and ($6 is null or exists (select 1 from entity e where e.entity_id = found.entity_id and replace(e.name_key, $6, '') <> e.name_key))
               and ($7 is null or exists (select 1 from favorite f where f.entity_id = $7 and f.favorite_id = found.entity_id))
             order by found.rank, found.entity_id limit $8 offset $9",
            driver = $driver
        )
    };
}

/// Entities with any of these tags, and the rank of the best for each.
macro_rules! best {
    ($tagged:expr) => {
        formatcp!("select entity_id, min(rank) as rank from ({}) tagged group by entity_id", $tagged)
    };
}

/// Entities with tags of both kinds, and the sum of the ranks of the best. They are gathered and not joined: PostgreSQL, which cannot know how
/// many entities a tag has when it keeps a plan, would go through the one half for each entity of the other.
macro_rules! both {
    ($offers:expr, $wants:expr) => {
        formatcp!(
            "select entity_id, min(case when kind = 'offer' then rank end) + min(case when kind = 'want' then rank end) as rank
             from ({} union all {}) tagged group by entity_id having min(kind) <> max(kind)",
            $offers,
            $wants
        )
    };
}

/// Those whose name contains `$6`, of those that the full-text index gives: the name itself before what begins with it before the rest.
macro_rules! named {
    ($matching:expr) => {
        formatcp!(
            "select e.entity_id, cast(case when e.name_key = $6 then 0 when substr(e.name_key, 1, length($6)) = $6 then 1 else 2 end as bigint) as rank
             from entity_search join entity e on e.entity_id = entity_search.entity_id
             where {} and replace(e.name_key, $6, '') <> e.name_key and e.status in {LISTED}",
            $matching
        )
    };
}

/// Entities of any status. `$1` statuses between commas, `$2` an account number, `$3` part of a folded name, `$4` an address, `$5` to `$7` folded
/// city, region and country, `$8` a category, `$9` and `$10` lists of tags, `$11` since when. All but the last are null for any.
macro_rules! registered {
    ($tagged:ident) => {
        formatcp!(
            "from entity
             where deleted_at is null and ($1 is null or replace($1, ',' || status || ',', '') <> $1) and ($2 is null or account_number = $2)
               and ($3 is null or replace(name_key, $3, '') <> name_key) and ($4 is null or email_key = $4)
               and ($5 is null or city_key = $5) and ($6 is null or region_key = $6) and ($7 is null or country_key = $7)
               and ($8 is null or entity_id in (select c.entity_id from entity_category c where c.name = $8))
               and ($9 is null or entity_id in (select t.entity_id from {} t where t.kind = 'offer' and t.added_at >= $11))
               and ($10 is null or entity_id in (select t.entity_id from {} t where t.kind = 'want' and t.added_at >= $11))",
            $tagged!("$9"),
            $tagged!("$10")
        )
    };
}

/// What entities have of a list of tags, looked up for each of them.
macro_rules! sqlite_tagged {
    ($list:expr) => {
        formatcp!(
            "(select t.entity_id, t.kind, t.added_at
              from json_each({}) w cross join entity_tag t on t.name = json_extract(w.value, '$[0]'))",
            $list
        )
    };
}

macro_rules! postgres_tagged {
    ($list:expr) => {
        formatcp!(
            "(select t.* from unnest(string_to_array({}, ',')) as w(pair)
              cross join lateral (select t.entity_id, t.kind, t.added_at from entity_tag t where t.name = split_part(w.pair, ':', 1) offset 0) t)",
            $list
        )
    };
}

/// The same of entities that can be found, of one kind since `$3`, with the rank of each tag.
macro_rules! sqlite_found {
    ($list:expr, $kind:expr) => {
        formatcp!(
            "select t.entity_id, t.kind, cast(json_extract(w.value, '$[1]') as bigint) as rank
             from json_each({}) w cross join entity_tag t
               on t.name = json_extract(w.value, '$[0]') and t.kind = '{}' and t.listed = true and t.added_at >= $3",
            $list,
            $kind
        )
    };
}

macro_rules! postgres_found {
    ($list:expr, $kind:expr) => {
        formatcp!(
            "select t.entity_id, t.kind, cast(split_part(w.pair, ':', 2) as bigint) as rank
             from unnest(string_to_array({}, ',')) as w(pair) cross join lateral
               (select t.entity_id, t.kind from entity_tag t
                where t.name = split_part(w.pair, ':', 1) and t.kind = '{}' and t.listed and t.added_at >= $3 offset 0) t",
            $list,
            $kind
        )
    };
}

const SQLITE: Forms = Forms {
    operators: Operators { and: " AND ", or: " OR " },
    tag_candidates: "select t.tag_id, t.name, t.name_key from tag_search join tag t on t.tag_id = tag_search.tag_id
                     where tag_search match $1 and (t.entered_at is not null or not $2)",
    by_offers: found!(best!(sqlite_found!("$1", "offer"))),
    by_wants: found!(best!(sqlite_found!("$2", "want"))),
    by_both: found!(both!(sqlite_found!("$1", "offer"), sqlite_found!("$2", "want"))),
    by_name: found!(named!("entity_search match $5")),
    register_count: formatcp!("select count(*) as n {}", registered!(sqlite_tagged)),
    register_page: formatcp!("select entity_id {} order by entity_id limit $12 offset $13", registered!(sqlite_tagged)),
    register_after: formatcp!(
        "select entity_id, ledger_id, account_id {} and entity_id > $12 order by entity_id limit $13",
        registered!(sqlite_tagged)
    ),
};

const POSTGRES: Forms = Forms {
    operators: Operators { and: " & ", or: " | " },
    tag_candidates: "select t.tag_id, t.name, t.name_key from tag_search join tag t on t.tag_id = tag_search.tag_id
                     where tag_search.tokens @@ cast($1 as tsquery) and (t.entered_at is not null or not $2)",
    by_offers: found!(best!(postgres_found!("$1", "offer"))),
    by_wants: found!(best!(postgres_found!("$2", "want"))),
    by_both: found!(both!(postgres_found!("$1", "offer"), postgres_found!("$2", "want"))),
    by_name: found!(named!("entity_search.tokens @@ cast($5 as tsquery)")),
    register_count: formatcp!("select count(*) as n {}", registered!(postgres_tagged)),
    register_page: formatcp!(
        "select entity_id {} order by entity_id limit $12 offset $13",
        registered!(postgres_tagged)
    ),
    register_after: formatcp!(
        "select entity_id, ledger_id, account_id {} and entity_id > $12 order by entity_id limit $13",
        registered!(postgres_tagged)
    ),
};

/// Entities under a category, on both.
pub(super) const BY_CATEGORY: &str = found!(formatcp!(
    "select c.entity_id, cast(0 as bigint) as rank
     from entity_category c join entity e on e.entity_id = c.entity_id where c.name = $4 and e.status in {LISTED}"
));

/// The favorites of an entity, on both.
pub(super) const BY_FAVORITE: &str = found!(formatcp!(
    "select f.favorite_id as entity_id, cast(0 as bigint) as rank
     from favorite f join entity e on e.entity_id = f.favorite_id where f.entity_id = $7 and e.status in {LISTED}"
));

impl Forms {
    pub(super) const fn of(db: &Db) -> &'static Forms {
        match db {
            Db::Sqlite { .. } => &SQLITE,
            Db::Postgres { .. } => &POSTGRES,
        }
    }
}

/// Tags with their ranks as one value. Names of tags have letters, digits, marks and `-` in them (`parties::tag_names`).
pub(super) fn tag_list(db: &Db, tags: &[(String, i64)]) -> String {
    let pairs = |form: fn(&(String, i64)) -> String| tags.iter().map(form).collect::<Vec<_>>().join(",");
    match db {
        Db::Sqlite { .. } => format!("[{}]", pairs(|(name, rank)| format!(r#"["{name}",{rank}]"#))),
        Db::Postgres { .. } => pairs(|(name, rank)| format!("{name}:{rank}")),
    }
}

/// Shares these tags and those that the entity has, if one is given (`holding.rs`), and adds those that are new, with their tokens. None comes
/// twice.
pub(super) fn add_tags(db: &Db, entity: Option<u128>, tags: &[NewTag]) -> Vec<Statement> {
    // Whoever adds the same at the same time waits in the same order.
    let mut tags = tags.to_vec();
    tags.sort_by(|one, other| one.name.cmp(&other.name));
    match db {
        _ if tags.is_empty() => entity.and_then(|entity| share_tags(db, entity)).into_iter().collect(),
        Db::Sqlite { .. } => tags.into_iter().flat_map(add_tag_on_sqlite).collect(),
        Db::Postgres { .. } => {
            let list = |part: fn(&NewTag) -> String| tags.iter().map(part).collect::<Vec<_>>().join(",");
            let ids = list(|tag| format!("{:032x}", tag.id));
            let (names, keys, tokens) =
                (list(|tag| tag.name.clone()), list(|tag| tag.key.clone()), list(|tag| tag.tokens.clone()));
            let values = vec![ids.into(), names.into(), keys.into(), tokens.into(), Value::Id(entity)];
            vec![Statement { sql: ADD_ON_POSTGRES, values }]
        }
    }
}

/// One round trip for all of them. A tag that is there is shared, and nothing of it is written. One that is not, or that somebody has renamed or
/// deleted while it was waited for, is added; should somebody have added it meanwhile, that row is held by a change that changes nothing.
const ADD_ON_POSTGRES: &str = "with given as (
       select * from unnest(cast(string_to_array($1, ',') as uuid[]), string_to_array($2, ','), string_to_array($3, ','),
                            string_to_array($4, ',')) as given(tag_id, name, name_key, tokens)),
     shared as (
       select name from tag
       where name = any (array (select name from given union all select name from entity_tag where entity_id = $5))
       order by name for key share),
     added as (
       insert into tag (tag_id, name, name_key) select tag_id, name, name_key from given where name not in (select name from shared)
       on conflict (name) do update set entered_at = tag.entered_at returning tag_id)
     insert into tag_search (tag_id, tokens) select tag_id, array_to_tsvector(string_to_array(tokens, ' '))
     from given join added using (tag_id)";

fn add_tag_on_sqlite(tag: NewTag) -> [Statement; 2] {
    let add = "insert into tag (tag_id, name, name_key) values ($1, $2, $3) on conflict (name) do nothing";
    // There is no row with this id when there was one with this name.
    let index = "insert into tag_search (rowid, tag_id, tokens) select $1, $2, $3 where exists (select 1 from tag where tag_id = $2)";
    [
        Statement { sql: add, values: vec![tag.id.into(), tag.name.into(), tag.key.into()] },
        Statement { sql: index, values: vec![row(tag.id).into(), tag.id.into(), tag.tokens.into()] },
    ]
}

/// Gives a tag other tokens, or none any more.
pub(super) fn set_tag_tokens(db: &Db, tag: u128, tokens: Option<String>) -> Vec<Statement> {
    let (delete, insert) = match db {
        Db::Sqlite { .. } => (
            Statement { sql: "delete from tag_search where rowid = $1", values: vec![row(tag).into()] },
            "insert into tag_search (rowid, tag_id, tokens) values ($3, $1, $2)",
        ),
        Db::Postgres { .. } => (
            Statement { sql: "delete from tag_search where tag_id = $1", values: vec![tag.into()] },
            "insert into tag_search (tag_id, tokens) select $1, array_to_tsvector(string_to_array($2, ' '))",
        ),
    };
    [delete].into_iter().chain(tokens.map(|tokens| insert_tokens(db, insert, tag, tokens))).collect()
}

/// How the tokens of many tags are taken away: a statement that ends with its key, and the keys.
pub(super) fn without_tokens(db: &Db, tags: &[u128]) -> (&'static str, Vec<Value>) {
    match db {
        Db::Sqlite { .. } => ("delete from tag_search where rowid", tags.iter().map(|tag| row(*tag).into()).collect()),
        Db::Postgres { .. } => ("delete from tag_search where tag_id", tags.iter().map(|tag| (*tag).into()).collect()),
    }
}

/// Lets everybody be shown the tags of the entity `$1`, as of `$2`, if it can be found.
pub(super) const fn enter_tags(db: &Db) -> &'static str {
    match db {
        Db::Sqlite { .. } => {
            "update tag set entered_at = $2
             where entered_at is null and name in (select name from entity_tag where entity_id = $1 and listed = true)"
        }
        // In their order: two who enter the same wait for each other only once.
        Db::Postgres { .. } => {
            "update tag set entered_at = $2 where tag_id = any (array (
               select tag_id from tag
               where entered_at is null and name = any (array (select name from entity_tag where entity_id = $1 and listed = true))
               order by name for no key update))"
        }
    }
}

/// Adds the tokens of an entity's name.
pub(super) fn add_name_tokens(db: &Db, entity: u128, tokens: String) -> Statement {
    let sql = match db {
        Db::Sqlite { .. } => "insert into entity_search (rowid, entity_id, tokens) values ($3, $1, $2)",
        Db::Postgres { .. } => {
            "insert into entity_search (entity_id, tokens) select $1, array_to_tsvector(string_to_array($2, ' '))"
        }
    };
    insert_tokens(db, sql, entity, tokens)
}

/// Takes the tokens of an entity's name away.
pub(super) fn delete_name_tokens(db: &Db, entity: u128) -> Statement {
    match db {
        Db::Sqlite { .. } => {
            Statement { sql: "delete from entity_search where rowid = $1", values: vec![row(entity).into()] }
        }
        Db::Postgres { .. } => {
            Statement { sql: "delete from entity_search where entity_id = $1", values: vec![entity.into()] }
        }
    }
}

fn insert_tokens(db: &Db, sql: &'static str, id: u128, tokens: String) -> Statement {
    let mut values = vec![id.into(), tokens.into()];
    if let Db::Sqlite { .. } = db {
        values.push(row(id).into());
    }
    Statement { sql, values }
}

/// The number of a row in a table of SQLite's full-text search: of 63 bits of an id, 62 are random.
fn row(id: u128) -> i64 {
    i64::try_from(id & u128::from(i64::MAX.unsigned_abs())).expect("63 bits")
}
