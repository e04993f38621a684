//! Entities and transfers as the document shows them. Three views of an entity are kept apart: the owner's, the public's, and the
//! administrator's.

use super::admin_transfers::{self, AdminTransferView};
use super::problem::Problem;
use super::writing::{date, number};
use crate::accounts::{self, Links, TransferRecord, TransferStatus};
use crate::app::App;
use crate::directory;
use crate::id_text;
use crate::identity::Person;
use crate::parties::{self, Entity, EntityStatus};
use ledger_core::{Account, AccountId, Unit};
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::{HashMap, HashSet};
use utoipa::ToSchema;

#[derive(Serialize, ToSchema)]
#[schema(as = User)]
#[serde(rename_all = "camelCase")]
pub(super) struct UserView {
    #[schema(format = Uuid)]
    id: String,
    email: String,
    first_name: String,
    last_name: String,
    telephone: String,
    #[serde(rename = "lastLoginIP")]
    last_login_ip: String,
    /// Null before the second login.
    #[schema(format = DateTime, required = true)]
    last_login_date: Option<String>,
}

impl UserView {
    pub(super) fn of(person: Person) -> UserView {
        UserView {
            id: id_text(person.id),
            email: person.email,
            first_name: person.first_name,
            last_name: person.last_name,
            telephone: person.telephone,
            last_login_ip: person.previous_login_ip.unwrap_or_default(),
            last_login_date: person.previous_login_at.map(date),
        }
    }
}

/// A member as an administrator sees them.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminUser)]
pub(super) struct AdminUserView {
    #[serde(flatten)]
    user: UserView,
    entities: Vec<EntityView>,
}

impl AdminUserView {
    pub(super) async fn of(app: &App, person: Person) -> Result<AdminUserView, Problem> {
        let view = AdminUserView::list(app, vec![person]).await?.pop();
        Ok(view.ok_or_else(|| anyhow::anyhow!("one member has one view"))?)
    }

    pub(super) async fn list(app: &App, people: Vec<Person>) -> Result<Vec<AdminUserView>, Problem> {
        let ids: Vec<u128> = people.iter().map(|person| person.id).collect();
        let entities = parties::entities_of_all(&app.db, &ids).await?;
        let owners: Vec<u128> = entities.iter().map(|entity| entity.person).collect();
        let mut owned: HashMap<u128, Vec<EntityView>> = HashMap::new();
        for (owner, view) in owners.into_iter().zip(EntityView::list(app, entities).await?) {
            owned.entry(owner).or_default().push(view);
        }
        let view = |person: Person| {
            let entities = owned.remove(&person.id).unwrap_or_default();
            AdminUserView { user: UserView::of(person), entities }
        };
        Ok(people.into_iter().map(view).collect())
    }
}

/// What its owner and administrators see of an entity, also in lists.
#[derive(Serialize, ToSchema)]
#[schema(as = EntityDetails)]
#[serde(rename_all = "camelCase")]
pub(super) struct EntityView {
    #[schema(format = Uuid)]
    id: String,
    account_number: String,
    name: String,
    email: String,
    telephone: String,
    inc_type: String,
    company_number: String,
    website: String,
    #[schema(required = true)]
    declared_turnover: Option<i64>,
    description: String,
    address: String,
    city: String,
    region: String,
    postal_code: String,
    country: String,
    #[schema(pattern = "^(pending|accepted|rejected|tradingPending|tradingAccepted|tradingRejected)$")]
    status: &'static str,
    show_tags_matched_since_last_login: bool,
    receive_daily_match_notification_email: bool,
    offers: Vec<String>,
    wants: Vec<String>,
    categories: Vec<String>,
    #[schema(value_type = f64)]
    balance: Box<RawValue>,
    #[schema(value_type = f64)]
    max_positive_balance: Box<RawValue>,
    #[schema(value_type = f64)]
    max_negative_balance: Box<RawValue>,
}

/// An entity as its owner sees it.
#[derive(Serialize, ToSchema)]
#[schema(as = Entity)]
#[serde(rename_all = "camelCase")]
pub(super) struct OwnerView {
    #[serde(flatten)]
    entity: EntityView,
    pending_transfers: Vec<TransferView>,
}

/// An entity as everybody sees it: nothing about its money.
#[derive(Serialize, ToSchema)]
#[schema(as = ListedEntity)]
#[serde(rename_all = "camelCase")]
pub(super) struct PublicView {
    #[schema(format = Uuid)]
    id: String,
    account_number: String,
    name: String,
    /// Shown by one trading member to another; otherwise the field is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    email: Option<String>,
    telephone: String,
    inc_type: String,
    company_number: String,
    website: String,
    #[schema(required = true)]
    declared_turnover: Option<i64>,
    description: String,
    address: String,
    city: String,
    region: String,
    postal_code: String,
    country: String,
    #[schema(pattern = "^(accepted|tradingPending|tradingAccepted|tradingRejected|pending|rejected)$")]
    status: &'static str,
    show_tags_matched_since_last_login: bool,
    receive_daily_match_notification_email: bool,
    offers: Vec<String>,
    wants: Vec<String>,
    categories: Vec<String>,
    is_favorite: bool,
}

/// An entity as an administrator sees it.
#[derive(Serialize, ToSchema)]
#[schema(as = AdminEntity)]
#[serde(rename_all = "camelCase")]
pub(super) struct AdminView {
    #[serde(flatten)]
    entity: EntityView,
    /// From whom to whom, and not as one side sees it. Absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pending_transfers: Option<Vec<AdminTransferView>>,
    #[schema(format = DateTime, required = true)]
    member_started_at: Option<String>,
    users: Vec<UserView>,
}

impl OwnerView {
    pub(super) async fn of(app: &App, entity: Entity) -> Result<OwnerView, Problem> {
        let (ledger, account) = (entity.ledger, entity.account);
        let waiting = accounts::pending(&app.db, ledger, account).await?;
        let pending_transfers = TransferView::list(app, account, waiting).await?;
        let account = accounts::account(&app.posting, ledger, account).await?;
        Ok(OwnerView { entity: EntityView::of(entity, &account, &app.ledger.unit), pending_transfers })
    }
}

impl EntityView {
    /// As in a list of many, in the same order.
    async fn list(app: &App, entities: Vec<Entity>) -> Result<Vec<EntityView>, Problem> {
        let held = entities.iter().map(|entity| (entity.ledger, entity.account));
        let accounts = accounts::accounts(&app.posting, held).await?;
        let view = |entity: Entity| {
            let account = accounts.get(&entity.account).ok_or_else(|| anyhow::anyhow!("an entity has no account"))?;
            Ok(EntityView::of(entity, account, &app.ledger.unit))
        };
        entities.into_iter().map(view).collect()
    }

    fn of(entity: Entity, account: &Account, unit: &Unit) -> EntityView {
        let details = entity.details;
        EntityView {
            id: id_text(entity.id),
            account_number: entity.account_number,
            name: details.name,
            email: details.email,
            telephone: details.telephone,
            inc_type: details.inc_type,
            company_number: details.company_number,
            website: details.website,
            declared_turnover: details.declared_turnover,
            description: details.description,
            address: details.address,
            city: details.city,
            region: details.region,
            postal_code: details.postal_code,
            country: details.country,
            status: entity.status.word(),
            show_tags_matched_since_last_login: details.show_tags_matched,
            receive_daily_match_notification_email: details.daily_match_email,
            offers: entity.offers,
            wants: entity.wants,
            categories: entity.categories,
            balance: number(account.balance, unit),
            max_positive_balance: number(account.ceiling, unit),
            max_negative_balance: number(account.floor.negated(), unit),
        }
    }
}

impl PublicView {
    /// `entities` as they are shown to whoever asks as the entity `asking`, which must be their own.
    pub(super) async fn list(
        app: &App,
        entities: Vec<Entity>,
        asking: Option<&Entity>,
    ) -> Result<Vec<PublicView>, Problem> {
        let favorites = match asking {
            Some(asking) => {
                let ids: Vec<u128> = entities.iter().map(|entity| entity.id).collect();
                directory::favorites_among(&app.db, asking.id, &ids).await?
            }
            None => HashSet::new(),
        };
        let trades = |entity: &Entity| entity.status == EntityStatus::TradingAccepted;
        let asking_trades = asking.is_some_and(trades);
        let view = |entity: Entity| {
            let is_favorite = favorites.contains(&entity.id);
            let shows_email = asking_trades && trades(&entity);
            PublicView::of(entity, shows_email, is_favorite)
        };
        Ok(entities.into_iter().map(view).collect())
    }

    fn of(entity: Entity, shows_email: bool, is_favorite: bool) -> PublicView {
        let details = entity.details;
        PublicView {
            id: id_text(entity.id),
            account_number: entity.account_number,
            name: details.name,
            email: shows_email.then_some(details.email),
            telephone: details.telephone,
            inc_type: details.inc_type,
            company_number: details.company_number,
            website: details.website,
            declared_turnover: details.declared_turnover,
            description: details.description,
            address: details.address,
            city: details.city,
            region: details.region,
            postal_code: details.postal_code,
            country: details.country,
            status: entity.status.word(),
            show_tags_matched_since_last_login: details.show_tags_matched,
            receive_daily_match_notification_email: details.daily_match_email,
            offers: entity.offers,
            wants: entity.wants,
            categories: entity.categories,
            is_favorite,
        }
    }
}

impl AdminView {
    pub(super) async fn of(app: &App, entity: Entity) -> Result<AdminView, Problem> {
        let waiting = accounts::pending(&app.db, entity.ledger, entity.account).await?;
        let pending_transfers = Some(admin_transfers::views(app, waiting).await?);
        let view = AdminView::list(app, vec![entity]).await?.pop();
        let view = view.ok_or_else(|| anyhow::anyhow!("one entity has one view"))?;
        Ok(AdminView { pending_transfers, ..view })
    }

    /// As in a list of many, in the same order: without what waits.
    pub(super) async fn list(app: &App, entities: Vec<Entity>) -> Result<Vec<AdminView>, Problem> {
        let told: Vec<(u128, Option<i64>)> =
            entities.iter().map(|entity| (entity.person, entity.member_since)).collect();
        let people = app.identity.people(told.iter().map(|(person, _)| *person)).await?;
        let view = |(entity, (person, member_since)): (EntityView, (u128, Option<i64>))| AdminView {
            entity,
            pending_transfers: None,
            member_started_at: member_since.map(date),
            users: people.get(&person).cloned().map(UserView::of).into_iter().collect(),
        };
        Ok(EntityView::list(app, entities).await?.into_iter().zip(told).map(view).collect())
    }
}

/// A transfer as one of its two accounts sees it.
#[derive(Serialize, ToSchema)]
#[schema(as = Transfer)]
#[serde(rename_all = "camelCase")]
pub(super) struct TransferView {
    #[schema(format = Uuid)]
    id: String,
    #[schema(pattern = "^(in|out)$")]
    transfer: &'static str,
    is_initiator: bool,
    account_number: String,
    entity_name: String,
    #[schema(value_type = f64)]
    amount: Box<RawValue>,
    description: String,
    #[schema(pattern = "^transfer(Initiated|Completed|Cancelled)$")]
    status: &'static str,
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    cancellation_reason: String,
    #[schema(format = DateTime)]
    date_proposed: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime, nullable = false)]
    date_completed: Option<String>,
    /// The transfer that this one takes back: an addition to the document, like the next.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = Uuid, nullable = false)]
    reverses: Option<String>,
    /// The transfer that takes this one back, or will if it is accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = Uuid, nullable = false)]
    reversed_by: Option<String>,
}

impl TransferView {
    /// `records` as `viewer` sees them.
    pub(super) async fn list(
        app: &App,
        viewer: AccountId,
        records: Vec<TransferRecord>,
    ) -> Result<Vec<TransferView>, Problem> {
        let others: Vec<AccountId> = records.iter().map(|record| counterparty(record, viewer)).collect();
        let names = parties::names(&app.db, &others).await?;
        let links = accounts::links(&app.db, app.ledger.id, records.iter().map(|record| record.id)).await?;
        let view = |(record, other): (TransferRecord, AccountId)| {
            let link = links.get(&record.id).copied().unwrap_or_default();
            TransferView::of(record, viewer, other, &names, link, &app.ledger.unit)
        };
        Ok(records.into_iter().zip(others).map(view).collect())
    }

    fn of(
        record: TransferRecord,
        viewer: AccountId,
        other: AccountId,
        names: &HashMap<AccountId, (String, String)>,
        link: Links,
        unit: &Unit,
    ) -> TransferView {
        let (account_number, entity_name) = names.get(&other).cloned().unwrap_or_default();
        TransferView {
            id: id_text(record.id.0),
            transfer: if record.payer == viewer { "out" } else { "in" },
            is_initiator: record.initiator() == Some(viewer),
            account_number,
            entity_name,
            amount: number(record.amount, unit),
            status: status_word(record.status),
            date_proposed: date(record.proposed_at),
            date_completed: record.settled_at.filter(|_| record.status == TransferStatus::Completed).map(date),
            description: record.description,
            cancellation_reason: record.reason,
            reverses: link.reverses.map(|id| id_text(id.0)),
            reversed_by: link.reversed_by.map(|id| id_text(id.0)),
        }
    }
}

fn counterparty(record: &TransferRecord, viewer: AccountId) -> AccountId {
    if record.payer == viewer { record.payee } else { record.payer }
}

pub(super) const fn status_word(status: TransferStatus) -> &'static str {
    match status {
        TransferStatus::Initiated => "transferInitiated",
        TransferStatus::Completed => "transferCompleted",
        TransferStatus::Cancelled => "transferCancelled",
    }
}
