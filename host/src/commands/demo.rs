//! `hesabu demo`: four members of a small network, admitted and trading, so that there is something to look at.

use anyhow::{anyhow, bail};
use hesabu::accounts::{self, Answer, Direction, Proposal, Reply};
use hesabu::app::App;
use hesabu::config::Config;
use hesabu::identity::NewPerson;
use hesabu::parties::{self, Details, Entity, EntityStatus, Governed, SignUp};
use ledger_core::Amount;
use std::process::ExitCode;

/// Name, place, what they offer, what they want, and how far into debt they may go.
const MEMBERS: [(&str, &str, &str, &str, &str); 4] = [
    ("Mama Njeri Vegetables", "Nairobi", "vegetables", "van-rental", "100"),
    ("Otieno Transport", "Kisumu", "van-rental", "meals", "200"),
    ("Savannah Kitchen", "Nairobi", "meals", "vegetables", "150"),
    ("Lamu Tailors", "Lamu", "tailoring", "meals", "50"),
];

/// Who pays whom, how much, what for, and whether the receiver has accepted yet.
const TRADES: [(usize, usize, &str, &str, bool); 6] = [
    (2, 0, "60.00", "Tomatoes and sukuma wiki", true),
    (0, 1, "45.50", "Van to the market", true),
    (1, 2, "80.00", "Lunch for the drivers", true),
    (3, 2, "12.25", "Two dinners", true),
    (2, 3, "30.00", "Aprons", true),
    (0, 3, "25.00", "A school uniform", false),
];

const PASSWORD: &str = "demo-1-password!";

pub(crate) async fn demo(config: &Config) -> anyhow::Result<ExitCode> {
    let app = App::start(config).await?;
    let _alone = super::alone(&app.db)?;
    if parties::any(&app.db).await? {
        bail!(
            "this database is in use: the demo's members have a password that everybody knows, so it only fills an empty one \
             (try --data demo-data, without DATABASE_URL)"
        );
    }
    let mut members = vec![];
    for (place, member) in MEMBERS.iter().enumerate() {
        members.push(admit(&app, place, member).await?);
    }
    for (payer, payee, amount, description, accepted) in TRADES {
        trade(&app, &members[payer], &members[payee], amount, description, accepted).await?;
    }
    println!("\n{:<24} {:>17} {:>12} {:>12}", "entity", "account", "balance", "credit line");
    for member in &members {
        let balance = accounts::account(&app.posting, member.ledger, member.account).await?;
        let unit = &app.ledger.unit;
        let (owns, line) = (unit.format_fixed(balance.balance), unit.format_fixed(balance.floor.negated()));
        println!("{:<24} {:>17} {owns:>12} {line:>12}", member.details.name, member.account_number);
    }
    println!("\nLog in as member1@demo.example to member4@demo.example with the password {PASSWORD}");
    app.close().await;
    Ok(ExitCode::SUCCESS)
}

async fn admit(app: &App, place: usize, member: &(&str, &str, &str, &str, &str)) -> anyhow::Result<Entity> {
    let (name, city, offers, wants, credit_line) = *member;
    let email = format!("member{}@demo.example", place + 1);
    let request = SignUp {
        person: NewPerson { email: email.clone(), ..NewPerson::default() },
        password: PASSWORD.into(),
        details: Details { name: name.into(), email, city: city.into(), country: "Kenya".into(), ..Details::default() },
        offers: vec![offers.into()],
        wants: vec![wants.into()],
        ledger: app.ledger.id,
        limits: app.new_member_limits,
    };
    let signed_up = parties::sign_up(&app.identity, &app.posting, request, |_| vec![]).await?;
    let entity =
        parties::entity(&app.db, signed_up.entity).await?.ok_or_else(|| anyhow!("the new entity is missing"))?;
    let floor = Some(money(app, credit_line)?.negated());
    let governed = Governed { status: Some(EntityStatus::TradingAccepted), floor, ..Governed::default() };
    parties::govern(&app.posting, &app.ledger, &entity, governed, 0)
        .await?
        .map_err(|rejection| anyhow!("{name} could not be admitted: {rejection}"))?;
    println!("admitted  {name}, who may go {credit_line} into debt");
    Ok(entity)
}

async fn trade(app: &App, from: &Entity, to: &Entity, amount: &str, what: &str, accepted: bool) -> anyhow::Result<()> {
    let proposal = Proposal {
        initiator: from.into(),
        receiver: to.into(),
        direction: Direction::Out,
        amount: money(app, amount)?,
        description: what.into(),
        key: None,
    };
    let (transfer, _) = accounts::propose(&app.posting, &app.ledger, &proposal).await?;
    if accepted {
        let reply = Reply {
            by: to.person,
            transfer: transfer.id,
            mine: &[to.account],
            answer: Answer::Accept,
            reason: "",
            limit_reason: |_| "",
        };
        accounts::act(&app.db, &app.posting, &app.ledger, reply).await?;
    }
    let state = if accepted { "completed" } else { "proposed " };
    println!("{state} {} pays {} {amount}: {what}", from.details.name, to.details.name);
    Ok(())
}

fn money(app: &App, text: &str) -> anyhow::Result<Amount> {
    let unit = &app.ledger.unit;
    unit.parse(text).map_err(|error| anyhow!("{text} is no amount of {}: {error:?}", unit.code()))
}
