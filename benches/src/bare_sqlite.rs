//! The baseline on SQLite: a prepared loop with nothing but two balances and a row for each payment. No check, no index, no history.

use crate::contest::{Limit, Round, Sample, Side};
use crate::scratch::Fresh;
use crate::statistics::nanos;
use crate::workload::{Ids, Payment, Payments, account};
use anyhow::ensure;
use rusqlite::{Connection, Statement, params};
use std::time::Instant;

const SCHEMA: &str = "
    create table account (id blob primary key, balance integer) strict, without rowid;
    create table transfer (id blob, payer blob, payee blob, amount integer, at integer) strict;";

/// One connection, one transaction for each batch, as durable as the ledger's.
pub(crate) struct BareSqlite {
    connection: Connection,
    payments: Payments,
    size: usize,
    sent: u64,
    _folder: Fresh,
}

impl BareSqlite {
    pub(crate) fn new(accounts: u64, size: usize) -> anyhow::Result<BareSqlite> {
        let folder = Fresh::new("bare")?;
        let mut connection = Connection::open(folder.path.join("bare.db"))?;
        let mode: String = connection.query_row("pragma journal_mode = wal", [], |row| row.get(0))?;
        ensure!(mode == "wal", "the baseline has no write-ahead log but {mode}");
        connection.execute_batch("pragma synchronous = full")?;

        connection.execute_batch(SCHEMA)?;
        let opening = connection.transaction()?;
        {
            let mut open = opening.prepare("insert into account (id, balance) values (?1, 0)")?;
            for number in 0..accounts {
                open.execute(params![bytes(account(number).0)])?;
            }
        }
        opening.commit()?;
        let payments = Payments::new(1, accounts, Ids::from_now());
        Ok(BareSqlite { connection, payments, size, sent: 0, _folder: folder })
    }

    /// That the baseline did what it was asked to.
    pub(crate) fn prove(&self) -> anyhow::Result<()> {
        let sql = "select (select count(*) from transfer), (select sum(balance) from account)";
        let (rows, sum): (i64, i64) = self.connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        ensure!(u64::try_from(rows)? == self.sent && sum == 0, "the baseline kept {rows} of {} payments", self.sent);
        Ok(())
    }
}

struct Statements<'c> {
    begin: Statement<'c>,
    debit: Statement<'c>,
    credit: Statement<'c>,
    insert: Statement<'c>,
    commit: Statement<'c>,
}

impl<'c> Statements<'c> {
    fn on(connection: &'c Connection) -> rusqlite::Result<Statements<'c>> {
        Ok(Statements {
            begin: connection.prepare("begin immediate")?,
            debit: connection.prepare("update account set balance = balance - ?2 where id = ?1")?,
            credit: connection.prepare("update account set balance = balance + ?2 where id = ?1")?,
            insert: connection
                .prepare("insert into transfer (id, payer, payee, amount, at) values (?1, ?2, ?3, ?4, ?5)")?,
            commit: connection.prepare("commit")?,
        })
    }

    fn pay(&mut self, payment: &Payment, at: i64) -> rusqlite::Result<()> {
        let Payment { id, payer, payee, amount } = *payment;
        let (payer, payee) = (bytes(payer.0), bytes(payee.0));
        self.debit.execute(params![payer, amount])?;
        self.credit.execute(params![payee, amount])?;
        self.insert.execute(params![bytes(id), payer, payee, amount, at])?;
        Ok(())
    }
}

impl Side for BareSqlite {
    fn round(&mut self, limit: Limit) -> anyhow::Result<Sample> {
        let mut statements = Statements::on(&self.connection)?;
        let mut latencies = Vec::new();
        let round = Round::begin(limit);
        while round.take(self.size) {
            let begun = Instant::now();
            let at = i64::try_from(nanos(round.elapsed()))?;
            statements.begin.execute([])?;
            for payment in self.payments.batch(self.size) {
                statements.pay(&payment, at)?;
            }
            statements.commit.execute([])?;
            latencies.push(begun.elapsed());
        }
        let elapsed = round.elapsed();
        let count = u64::try_from(latencies.len() * self.size)?;
        self.sent += count;
        Ok(Sample { count, elapsed, latencies, memory: None })
    }
}

fn bytes(id: u128) -> [u8; 16] {
    id.to_be_bytes()
}
