//! Members who trade over HTTP: signed up and admitted through the host's own functions, with tokens as the server gives them.

use crate::progress;
use anyhow::{Context, anyhow};
use hesabu::app::App;
use hesabu::config::Options;
use hesabu::identity::NewPerson;
use hesabu::parties::{self, Details, EntityStatus, Governed, SignUp};
use serde::{Deserialize, Serialize};
use std::path::Path;
use tokio::task::JoinSet;

const PASSWORD: &str = "Bench-321321$$";

/// How far members may go either way, in whole units: no payment of a bench meets it, though every payment is checked.
const LIMIT: &str = "1000000000";

/// Members that are admitted at the same time: their batches are gathered, and hashing keeps the processors busy meanwhile.
const AT_ONCE: usize = 32;

/// Somebody who may trade.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub(crate) struct Member {
    pub(crate) token: String,
    /// Number of the account.
    pub(crate) account: String,
}

/// Admits so many new members in the database at `url`. The keys of their tokens stay in `data`, where the server finds them.
pub(crate) async fn admit(url: &str, data: &Path, count: usize) -> anyhow::Result<Vec<Member>> {
    let options = Options {
        data: Some(data.to_owned()),
        database_url: Some(url.into()),
        max_negative_balance: Some(LIMIT.into()),
        max_positive_balance: Some(LIMIT.into()),
        ..Options::default()
    };
    let app = App::start(&options.check()?).await?;
    let (mut members, mut admitting) = (vec![], JoinSet::new());
    for number in 0..count {
        if admitting.len() == AT_ONCE {
            members.push(admitting.join_next().await.context("some are under way")???);
        }
        if number.is_multiple_of(250) {
            progress::say(&format!("admitting member {number} of {count}"));
        }
        let app = app.clone();
        admitting.spawn(async move { admit_one(&app, number).await });
    }
    while let Some(admitted) = admitting.join_next().await {
        members.push(admitted??);
    }
    app.close().await;
    Ok(members)
}

async fn admit_one(app: &App, number: usize) -> anyhow::Result<Member> {
    let (name, email) = (format!("Member {number}"), format!("member{number}@example.org"));
    let request = SignUp {
        person: NewPerson { email: email.clone(), ..NewPerson::default() },
        password: PASSWORD.into(),
        details: Details { name, email, ..Details::default() },
        offers: vec![],
        wants: vec![],
        ledger: app.ledger.id,
        limits: app.new_member_limits,
    };
    let signed_up = parties::sign_up(&app.identity, &app.posting, request, |_| vec![]).await?;
    let entity = parties::entity(&app.db, signed_up.entity).await?.context("the new entity is there")?;
    let governed = Governed { status: Some(EntityStatus::TradingAccepted), ..Governed::default() };
    let admitted = parties::govern(&app.posting, &app.ledger, &entity, governed, 0).await?;
    admitted.map_err(|rejection| anyhow!("a member was not admitted: {rejection}"))?;
    Ok(Member { token: signed_up.token, account: entity.account_number })
}
