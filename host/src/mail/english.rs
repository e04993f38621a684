//! Every mail in English.

use super::content::Block::{Code, Facts, Link, List, Quote, Text};
use super::content::{Block, Content};
use super::told::{Deal, Event, Party, Told};

pub(super) fn content(told: Told) -> Content {
    match told {
        Told::Welcome { number, site } => welcome(number, site),
        Told::DailyMatch { offered, wanted, site } => {
            let mut blocks = vec![Text("This is new among the other members since we last wrote to you.".into())];
            blocks.extend(listed("You want, and others offer:", &offered));
            blocks.extend(listed("You offer, and others want:", &wanted));
            blocks.extend(site.map(|site| Link("Find them", site)));
            blocks.push(Text("You can turn this daily mail off in the settings of your entity.".into()));
            Content::new("New matches for your offers and wants".into(), blocks)
        }
        Told::TradeContact { from, text } => {
            let blocks = vec![
                Text(format!("{} writes to you:", from.full())),
                Quote(text),
                Text("Reply to this mail to answer. They see your e-mail address only if you do.".into()),
            ];
            Content::new(format!("A message from {}", from.name), blocks)
        }
        Told::TradeContactCopy { from, to, text } => {
            let to = to.map_or_else(|| "another member".into(), |to| to.full());
            let blocks = vec![Text(format!("{} has written to {to}:", from.full())), Quote(text)];
            Content::new(format!("Copy of a message from {}", from.name), blocks)
        }
        Told::Transfer { event, deal, site } => transfer(event, deal, site),
        Told::PasswordReset { administrator, token, link, minutes } => reset(administrator, token, link, minutes),
        Told::Signup { who, email, site } => {
            let facts = vec![("Entity", who.name.clone()), ("Account number", who.number), ("E-mail", email)];
            let mut blocks = vec![Text("Somebody has signed up and waits to be admitted.".into()), Facts(facts)];
            blocks.extend(site.map(|site| Link("Open the administration", site)));
            Content::new(format!("New signup: {}", who.name), blocks)
        }
        Told::BooksOutOfBalance { unit, broken } => {
            let blocks = vec![
                Text(format!("The hourly check of the {unit} ledger has found that it is not sound.")),
                List("What must hold, and how many rows break it:", broken),
                Text("Run `hesabu verify` to find the first record that is wrong. You will be told again tomorrow if nothing changes.".into()),
            ];
            Content::new(format!("The books of {unit} are out of balance"), blocks)
        }
    }
}

fn welcome(number: String, site: Option<String>) -> Content {
    let mut blocks = vec![
        Text("Welcome!".into()),
        Text("Your account is open. This is its number, which others need to trade with you:".into()),
        Code(number),
        Text("An administrator will look at your application. You can trade as soon as you have been admitted.".into()),
    ];
    blocks.extend(site.map(|site| Link("Log in", site)));
    Content::new("Welcome".into(), blocks)
}

fn transfer(event: Event, deal: Deal, site: Option<String>) -> Content {
    let Deal { pays, other, amount, description, reason, id } = deal;
    let name = &other.name;
    let (subject, text) = match (event, pays) {
        (Event::Initiated, true) => (
            format!("{name} asks you for {amount}"),
            format!("{name} asks you to pay {amount}. Nothing is paid unless you accept. Please accept or reject it."),
        ),
        (Event::Initiated, false) => (
            format!("{name} wants to pay you {amount}"),
            format!("{name} wants to pay you {amount}. You receive it when you accept. Please accept or reject it."),
        ),
        (Event::Accepted, true) => (
            format!("{name} has accepted your payment of {amount}"),
            format!("{name} has accepted your payment. {amount} has left your account."),
        ),
        (Event::Accepted, false) => (
            format!("{name} has paid you {amount}"),
            format!("{name} has accepted your request. {amount} has been added to your account."),
        ),
        (Event::Rejected, true) => (
            format!("{name} has rejected your payment of {amount}"),
            format!("{name} does not accept your payment of {amount}. Nothing was paid."),
        ),
        (Event::Rejected, false) => (
            format!("{name} has rejected your request for {amount}"),
            format!("{name} does not agree to pay {amount}. Nothing was paid."),
        ),
        (Event::Cancelled, true) => (
            format!("{name} no longer asks you for {amount}"),
            format!("{name} has cancelled the request for {amount}. Nothing was paid, and you need not answer."),
        ),
        (Event::Cancelled, false) => (
            format!("{name} has cancelled the payment of {amount}"),
            format!("{name} has cancelled the payment of {amount} to you. Nothing was paid, and you need not answer."),
        ),
        (Event::CancelledBySystem, _) => (
            format!("The transfer of {amount} with {name} was cancelled"),
            format!("The system has cancelled the transfer of {amount} {}. Nothing was paid.", way(pays, name)),
        ),
        (Event::Expired, _) => (
            format!("The transfer of {amount} with {name} has expired"),
            format!("Nobody answered the transfer of {amount} {} in time. Nothing was paid.", way(pays, name)),
        ),
    };
    let party = if pays { ("To", other.full()) } else { ("From", other.full()) };
    let facts = vec![party, ("Amount", amount), ("Description", description), ("Reason", reason), ("Transfer", id)];
    let mut blocks = vec![Text(text), Facts(facts)];
    blocks.extend(site.map(|site| Link("Open your transfers", site)));
    Content::new(subject, blocks)
}

fn way(pays: bool, name: &str) -> String {
    if pays { format!("from you to {name}") } else { format!("from {name} to you") }
}

fn reset(administrator: bool, token: String, link: Option<String>, minutes: i64) -> Content {
    let whose = if administrator { "your administrator's password" } else { "your password" };
    let mut blocks = vec![Text(format!("Somebody, probably you, has asked to reset {whose}."))];
    blocks.extend(link.map(|link| Link("Choose a new password", link)));
    blocks.push(Text("The token for it is:".into()));
    blocks.push(Code(token));
    blocks
        .push(Text(format!("It is good once, for {minutes} minutes. Afterwards you have to log in again everywhere.")));
    blocks.push(Text("If it was not you, ignore this mail: nothing has changed.".into()));
    Content::new("Reset your password".into(), blocks)
}

fn listed(title: &'static str, matches: &[(String, Party)]) -> Option<Block> {
    let items = matches.iter().map(|(tag, party)| format!("{tag}: {}", party.full())).collect();
    (!matches.is_empty()).then_some(List(title, items))
}
