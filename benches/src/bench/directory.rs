//! The directory: how long does a search among many entities take, as whoever searches sees it?

use crate::database::{Engine, settle};
use crate::plan::Plan;
use crate::progress;
use crate::report::{Row, Table, Target, grouped};
use crate::scratch::Fresh;
use crate::server::Server;
use crate::statistics::{Latency, Spread, nanos};
use crate::workload::Random;
use anyhow::{Context, bail, ensure};
use hesabu::directory;
use hesabu::mint_id;
use hesabu::store::{self, Db, Value};
use std::collections::{HashMap, HashSet};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;

/// What the median of a search may take, in microseconds.
const MICROS_MAX: u64 = 50_000;

/// Tags of each kind that an entity has.
const TAGS: usize = 5;
const CATEGORIES: u64 = 20;

/// What words are made of.
const SYLLABLES: [&str; 40] = [
    "ba", "ko", "ri", "ma", "tu", "le", "sa", "ni", "do", "pe", "wa", "chi", "ga", "hu", "jo", "ki", "lo", "mi", "na",
    "ora", "pi", "que", "ra", "se", "ta", "un", "ve", "wi", "xo", "ya", "zi", "ble", "cra", "dri", "est", "fla", "gri",
    "ing", "ter", "nd",
];
const ENDINGS: [&str; 6] = ["Ltd", "Shop", "Services", "Farm", "Kitchen", "Cooperative"];

/// A day, and when the tags of the oldest entity were added, in microseconds.
const DAY: i64 = 86_400_000_000;
const BEGUN: i64 = 1_700_000_000_000_000;

/// What is there, and what is asked.
struct Network {
    random: Random,
    words: Vec<String>,
    tags: Vec<String>,
    /// How often the tags up to each are taken, of all.
    shares: Vec<u64>,
    names: Vec<String>,
    /// How many entities that can be found offer a tag.
    offered: HashMap<String, u64>,
}

/// Searches on both engines.
pub(crate) fn run(plan: &Plan, runtime: &Runtime) -> anyhow::Result<Table> {
    let (entities, tags) = (grouped(u64::try_from(plan.entities)?), grouped(u64::try_from(plan.vocabulary)?));
    let mut table = Table::new(
        "directory",
        &format!(
            "`GET /api/v1/entities` and `/tags` one after the other on one connection, among {entities} entities with {TAGS} offers and {TAGS} \
             wants each of {tags} tags: the second most frequent tag is taken half as often as the first, the third a third as often. Texts \
             are drawn in the same way. Every answer is a page of ten and the number of all."
        ),
    );
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let database = engine.fresh(runtime)?;
        let mut network = Network::new(plan)?;
        let taken_over = runtime.block_on(fill(&mut network, plan, &database.url))?;
        if engine == Engine::Postgres {
            runtime.block_on(settle(&database.url))?;
        }
        let data = Fresh::new("data")?;
        let server = Server::start(&database.url, &data.path)?;
        for kind in KINDS {
            measure(plan, engine, &server, &mut network, kind, &mut table)?;
        }
        server.stop()?;
        table.note(format!(
            "{}: making folded texts, tokens and the vocabulary of all entities took {} s.",
            engine.name(),
            taken_over.as_secs()
        ));
        database.remove(runtime)?;
    }
    Ok(table)
}

impl Network {
    fn new(plan: &Plan) -> anyhow::Result<Network> {
        let mut random = Random::seeded(11);
        let mut below = |bound: usize| anyhow::Ok(usize::try_from(random.below(u64::try_from(bound)?))?);
        let mut words = vec![];
        for _ in 0..plan.vocabulary / 4 {
            let syllables = 2 + below(3)?;
            let word: Vec<&str> =
                (0..syllables).map(|_| anyhow::Ok(SYLLABLES[below(40)?])).collect::<Result<_, _>>()?;
            words.push(word.concat());
        }
        let mut tags: Vec<String> = vec![];
        let mut taken = HashSet::new();
        while tags.len() < plan.vocabulary {
            // Every fourth is a single word, if that is not there yet.
            let (alone, first) = (&words[tags.len() / 4], &words[below(words.len())?]);
            let one = tags.len().is_multiple_of(4) && !taken.contains(alone);
            let tag = if one { alone.clone() } else { format!("{first}-{}", words[below(words.len())?]) };
            if taken.insert(tag.clone()) {
                tags.push(tag);
            }
        }
        let shares = (1..).take(tags.len()).scan(0, |sum, place: u64| {
            *sum += 1_000_000_000 / place;
            Some(*sum)
        });
        Ok(Network { shares: shares.collect(), random, words, tags, names: vec![], offered: HashMap::new() })
    }

    fn tag(&mut self) -> anyhow::Result<String> {
        let share = self.random.below(*self.shares.last().context("there are tags")?);
        Ok(self.tags[self.shares.partition_point(|sum| *sum <= share)].clone())
    }

    fn word(&mut self) -> anyhow::Result<String> {
        let place = self.random.below(u64::try_from(self.words.len())?);
        Ok(self.words[usize::try_from(place)?].clone())
    }

    /// Different ones.
    fn some_tags(&mut self) -> anyhow::Result<Vec<String>> {
        let mut tags = vec![];
        while tags.len() < TAGS {
            let tag = self.tag()?;
            if !tags.contains(&tag) {
                tags.push(tag);
            }
        }
        Ok(tags)
    }
}

/// Rows of entities as a version before the directory left them, which it then takes over. Tells how long that took.
async fn fill(network: &mut Network, plan: &Plan, url: &str) -> anyhow::Result<Duration> {
    let db = Db::open(url).await?;
    store::migrate(&db).await?;
    let person = mint_id();
    let sql = "insert into person (person_id, email, email_key, password_hash, first_name, last_name, telephone, administrator, created_at)
               values ($1, 'x', 'x', '', '', '', '', $2, 0)";
    db.execute(sql, vec![person.into(), false.into()]).await?;
    for from in (0..plan.entities).step_by(2_000) {
        progress::say(&format!("directory: entity {from} of {}", plan.entities));
        let (mut entities, mut tags, mut categories): (Vec<Value>, Vec<Value>, Vec<Value>) = (vec![], vec![], vec![]);
        for number in from..plan.entities.min(from + 2_000) {
            let (id, found) = (mint_id(), number % 10 != 0);
            let ending = ENDINGS[number % ENDINGS.len()];
            let name = format!("{} {} {ending}", network.word()?, network.word()?);
            entities.extend([
                id.into(),
                person.into(),
                format!("{number:016}").into(),
                mint_id().into(),
                name.as_str().into(),
            ]);
            entities.push(if found { "tradingAccepted" } else { "pending" }.into());
            if found {
                network.names.push(name);
            }
            // From the oldest to the newest entity, a year.
            let added = BEGUN + i64::try_from(number * 365 / plan.entities)? * DAY;
            for kind in ["offer", "want"] {
                for (place, tag) in (0_i64..).zip(network.some_tags()?) {
                    if found && kind == "offer" {
                        *network.offered.entry(tag.clone()).or_default() += 1;
                    }
                    tags.extend([id.into(), kind.into(), place.into(), tag.into(), added.into(), found.into()]);
                }
            }
            let category = network.random.below(CATEGORIES);
            categories.extend([id.into(), 0_i64.into(), format!("category-{category}").into()]);
        }
        let mut tx = db.begin().await?;
        let head = "insert into entity (entity_id, person_id, account_number, account_id, name, status, ledger_id, email, telephone, inc_type,
                    company_number, website, description, address, city, region, postal_code, country, show_tags_matched, daily_match_email,
                    created_at) select column1, column2, column3, column4, column5, column6, column2, '', '', '', '', '', '', '', '', '', '', '',
                    false, false, 0 from (";
        tx.insert(head, 6, entities, ") as given").await?;
        let head = "insert into entity_tag (entity_id, kind, place, name, added_at, listed)";
        tx.insert(head, 6, tags, "").await?;
        tx.insert("insert into entity_category (entity_id, place, name)", 3, categories, "").await?;
        tx.commit().await?;
    }
    progress::say("directory: taking over");
    let begun = Instant::now();
    directory::take_over(&db).await?;
    let took = begun.elapsed();
    db.close().await;
    Ok(took)
}

/// What is searched for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Tag,
    Misspelt,
    Words,
    Both,
    Since,
    SecondPage,
    Name,
    Category,
    Everybody,
    Fragment,
}

const KINDS: [(Kind, &str); 10] = [
    (Kind::Tag, "by tag"),
    (Kind::Misspelt, "by tag, misspelt"),
    (Kind::Words, "by one word of a tag"),
    (Kind::Both, "by offer and want"),
    (Kind::Since, "by tag, of the last month"),
    (Kind::SecondPage, "by tag, second page"),
    (Kind::Name, "by part of a name"),
    (Kind::Category, "by category"),
    (Kind::Everybody, "no filter"),
    (Kind::Fragment, "tags by three letters"),
];

impl Kind {
    /// The address of one search, and how many entities it finds at least.
    fn ask(self, network: &mut Network) -> anyhow::Result<(String, u64)> {
        let tag = network.tag()?;
        let least = network.offered.get(&tag).copied().unwrap_or_default();
        Ok(match self {
            Kind::Tag => (format!("/entities?offers={tag}"), least),
            Kind::SecondPage => (format!("/entities?offers={tag}&page=2"), least),
            Kind::Misspelt => (format!("/entities?offers={}", misspelt(&tag)), if tag.len() > 5 { least } else { 0 }),
            Kind::Words => (format!("/entities?offers={}", tag.split('-').next().unwrap_or_default()), least),
            Kind::Both => (format!("/entities?offers={tag}&wants={}", network.tag()?), 0),
            Kind::Since => {
                let since = (BEGUN + 335 * DAY) / 1_000_000;
                (format!("/entities?wants={tag}&tagged_since={since}"), 0)
            }
            Kind::Name => {
                let place = network.random.below(u64::try_from(network.names.len())?);
                let name = &network.names[usize::try_from(place)?];
                let part: String = name.chars().take(name.len() * 2 / 3).collect();
                (format!("/entities?name={}", part.trim().replace(' ', "%20")), 1)
            }
            Kind::Category => (format!("/entities?category=category-{}", network.random.below(CATEGORIES)), 1),
            Kind::Everybody => (format!("/entities?page={}", 1 + network.random.below(20)), 1),
            Kind::Fragment => (format!("/tags?fragment={}", tag.get(..3).unwrap_or(&tag)), 1),
        })
    }
}

/// Two letters in the middle of the first word change places.
fn misspelt(tag: &str) -> String {
    let mut letters: Vec<char> = tag.chars().collect();
    let end = letters.iter().position(|letter| *letter == '-').unwrap_or(letters.len());
    letters.swap(end / 2 - 1, end / 2);
    letters.into_iter().collect()
}

fn measure(
    plan: &Plan,
    engine: Engine,
    server: &Server,
    network: &mut Network,
    (kind, words): (Kind, &str),
    table: &mut Table,
) -> anyhow::Result<()> {
    let case = format!("{}, {words}", engine.name());
    progress::say(&format!("directory: {case}"));
    let mut stream = TcpStream::connect(&server.address)?;
    stream.set_nodelay(true)?;
    let (mut medians, mut all) = (vec![], vec![]);
    for _ in 0..plan.rounds {
        let mut took = vec![];
        for _ in 0..plan.searches {
            let (path, least) = kind.ask(network)?;
            let asked = Instant::now();
            let found = get(&mut stream, &path).with_context(|| path.clone())?;
            took.push(asked.elapsed());
            ensure!(found >= least, "{path} found {found} of {least}");
        }
        medians.extend(Spread::of(took.iter().map(|took| nanos(*took) / 1_000)).map(|spread| spread.median));
        all.extend(took);
    }
    let Some(spread) = Spread::of(medians) else { bail!("nothing was asked") };
    let row = Row { latency: Latency::of(all), ..Row::plain(case, "µs", spread) };
    table.add(row.target(Target::Below(MICROS_MAX)));
    Ok(())
}

/// Asks on a connection that stays, and tells the number of results.
fn get(stream: &mut TcpStream, path: &str) -> anyhow::Result<u64> {
    stream.write_all(format!("GET /api/v1{path} HTTP/1.1\r\nHost: bench\r\n\r\n").as_bytes())?;
    let (mut answer, mut chunk) = (vec![], [0; 65_536]);
    loop {
        let count = stream.read(&mut chunk)?;
        ensure!(count > 0, "the server closed the connection");
        answer.extend_from_slice(&chunk[..count]);
        let text = String::from_utf8_lossy(&answer);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length =
            head.lines().find_map(|line| line.strip_prefix("content-length: ")).context("it tells its length")?;
        if body.len() < length.trim().parse()? {
            continue;
        }
        ensure!(head.starts_with("HTTP/1.1 200"), "not a success: {text}");
        let (_, rest) = body.rsplit_once(r#""numberOfResults":"#).context("it tells how many there are")?;
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        return Ok(digits.parse()?);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A bench that is run once in a while breaks unseen: what it searches is made here, in small.
    #[test]
    fn a_small_directory_is_filled() {
        let runtime = Runtime::new().expect("a runtime");
        let plan = Plan { entities: 60, vocabulary: 40, ..Plan::quick() };
        for engine in [Engine::Sqlite, Engine::Postgres] {
            let database = engine.fresh(&runtime).expect("a database can be made");
            let mut network = Network::new(&plan).expect("there are words");
            runtime.block_on(fill(&mut network, &plan, &database.url)).expect("it is filled");
            let shown = runtime.block_on(async {
                let db = Db::open(&database.url).await.expect("it opens");
                let (_, shown) = directory::tags(&db, None, 0, 1).await.expect("tags are listed");
                db.close().await;
                shown
            });
            assert!(shown > 20, "{shown} of {} tags", plan.vocabulary);
            database.remove(&runtime).expect("it is removed");
        }
    }
}
