//! The baseline on PostgreSQL: one bulk statement for each batch, with nothing but two balances and a row for each payment.

use crate::contest::{Limit, Round, Sample, Side};
use crate::database::{Database, Engine};
use crate::statistics::nanos;
use crate::workload::{Ids, Payments, account};
use anyhow::ensure;
use sqlx::{Connection, Executor, PgConnection};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::{Handle, Runtime};
use tokio::task::JoinSet;
use uuid::Uuid;

const SCHEMA: &str = "
    create table account (id uuid primary key, balance bigint not null);
    create table transfer (id uuid not null, payer uuid not null, payee uuid not null, amount bigint not null, at bigint not null);";

/// Balances change once for each account, however many payments it has in the batch. One connection alone needs no order of
/// locks.
const ALONE: &str = "
    with sent as (select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[]) as s (id, payer, payee, amount)),
         change as (select id, sum(by)::bigint as by
                    from (select payer as id, -amount as by from sent union all select payee, amount from sent) c group by id),
         moved as (update account a set balance = a.balance + change.by from change where a.id = change.id)
    insert into transfer (id, payer, payee, amount, at) select id, payer, payee, amount, $5 from sent";

/// The same for several connections: rows are locked in the order of their ids, so that none waits for another in a circle.
const BESIDE: &str = "
    with sent as (select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::bigint[]) as s (id, payer, payee, amount)),
         change as (select id, sum(by)::bigint as by
                    from (select payer as id, -amount as by from sent union all select payee, amount from sent) c group by id),
         locked as materialized (select a.id, change.by from account a join change on change.id = a.id order by a.id for update of a),
         moved as (update account a set balance = a.balance + locked.by from locked where a.id = locked.id)
    insert into transfer (id, payer, payee, amount, at) select id, payer, payee, amount, $5 from sent";

/// Batches of a size on one connection or several, each of which waits for its batch before it sends the next.
pub(crate) struct BarePostgres {
    runtime: Handle,
    clients: Vec<Client>,
    size: usize,
    sent: u64,
    pub(crate) database: Database,
}

struct Client {
    connection: PgConnection,
    payments: Payments,
    statement: &'static str,
}

impl BarePostgres {
    pub(crate) fn new(runtime: &Runtime, accounts: u64, size: usize, connections: u64) -> anyhow::Result<BarePostgres> {
        let database = Engine::Postgres.fresh(runtime)?;
        let statement = if connections == 1 { ALONE } else { BESIDE };
        let clients = runtime.block_on(async {
            let mut connection = PgConnection::connect(&database.url).await?;
            connection.execute(SCHEMA).await?;
            let ids: Vec<Uuid> = (0..accounts).map(|number| Uuid::from_u128(account(number).0)).collect();
            let open = "insert into account (id, balance) select id, 0 from unnest($1::uuid[]) as a (id)";
            sqlx::query(open).bind(ids).execute(&mut connection).await?;
            connection.execute("vacuum analyze account").await?;
            let commit: String = sqlx::query_scalar("show synchronous_commit").fetch_one(&mut connection).await?;
            ensure!(commit == "on", "the baseline is not durable: synchronous_commit is {commit}");
            let payments_ids = Ids::from_now();
            let mut clients = vec![];
            for seed in 1..=connections {
                let connection = PgConnection::connect(&database.url).await?;
                let payments = Payments::new(seed, accounts, payments_ids.clone());
                clients.push(Client { connection, payments, statement });
            }
            anyhow::Ok(clients)
        })?;
        Ok(BarePostgres { runtime: runtime.handle().clone(), clients, size, sent: 0, database })
    }

    /// That the baseline did what it was asked to.
    pub(crate) fn prove(&mut self) -> anyhow::Result<()> {
        let sql = "select (select count(*) from transfer), (select sum(balance)::bigint from account)";
        let Some(client) = self.clients.first_mut() else { return Ok(()) };
        let found = sqlx::query_as(sql).fetch_one(&mut client.connection);
        let (rows, sum): (i64, i64) = self.runtime.block_on(found)?;
        ensure!(u64::try_from(rows)? == self.sent && sum == 0, "the baseline kept {rows} of {} payments", self.sent);
        Ok(())
    }
}

impl Side for BarePostgres {
    fn round(&mut self, limit: Limit) -> anyhow::Result<Sample> {
        let size = self.size;
        let round = Arc::new(Round::begin(limit));
        let clients = std::mem::take(&mut self.clients);
        let (clients, latencies) = self.runtime.block_on(async {
            let mut working = JoinSet::new();
            for mut client in clients {
                let round = Arc::clone(&round);
                working.spawn(async move {
                    let worked = client.work(&round, size).await;
                    (client, worked)
                });
            }
            let (mut clients, mut all) = (vec![], vec![]);
            while let Some(ended) = working.join_next().await {
                let (client, worked) = ended?;
                clients.push(client);
                all.extend(worked?);
            }
            anyhow::Ok((clients, all))
        })?;
        self.clients = clients;
        let elapsed = round.elapsed();
        let count = u64::try_from(latencies.len() * size)?;
        self.sent += count;
        Ok(Sample { count, elapsed, latencies, memory: None })
    }
}

impl Client {
    async fn work(&mut self, round: &Round, size: usize) -> anyhow::Result<Vec<Duration>> {
        let mut latencies = vec![];
        while round.take(size) {
            let begun = Instant::now();
            let (mut ids, mut payers, mut payees, mut amounts) = (vec![], vec![], vec![], vec![]);
            for payment in self.payments.batch(size) {
                ids.push(Uuid::from_u128(payment.id));
                payers.push(Uuid::from_u128(payment.payer.0));
                payees.push(Uuid::from_u128(payment.payee.0));
                amounts.push(payment.amount);
            }
            let at = i64::try_from(nanos(round.elapsed()))?;
            let statement = sqlx::query(self.statement).bind(ids).bind(payers).bind(payees).bind(amounts).bind(at);
            statement.execute(&mut self.connection).await?;
            latencies.push(begun.elapsed());
        }
        Ok(latencies)
    }
}
