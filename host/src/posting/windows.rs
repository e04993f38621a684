//! Windows of accounts: as a lane keeps them beside the accounts, and as they are stored.
//!
//! Their rows are written with the batch that changes them, so what is read is as the journal's end has it. What an account's row does not
//! have yet can be told from its history; what a window has counted cannot.

use super::resident::ById;
use super::rows::{self, AccountRow};
use crate::store::{Db, Error, Row, Tx, Value};
use const_format::formatcp;
use ledger_core::{AccountId, Amount, Date, Direction, LedgerId, Period, Timestamp, UtcOffset, Window};

/// What names a window in its ledger.
pub(super) type WindowKey = (AccountId, Direction, Period);

pub(super) fn key(window: &Window) -> WindowKey {
    (window.account, window.direction, window.period)
}

/// The windows of some accounts, as they are now.
#[derive(Default, Debug)]
pub(super) struct Windows(ById<AccountId, Vec<Window>>);

impl Windows {
    pub(super) fn of(&self, account: AccountId) -> &[Window] {
        self.0.get(&account).map_or(&[], Vec::as_slice)
    }

    /// Takes in windows as the database has them, of accounts that were not here.
    pub(super) fn admit(&mut self, windows: Vec<Window>) {
        for window in windows {
            self.0.entry(window.account).or_default().push(window);
        }
    }

    /// Takes in a window that changed. One without maxima was taken away.
    pub(super) fn change(&mut self, window: Window) {
        let all = self.0.entry(window.account).or_default();
        all.retain(|other| key(other) != key(&window));
        if window.limits() {
            all.push(window);
        }
        if all.is_empty() {
            self.0.remove(&window.account);
        }
    }

    /// Puts an account's windows back to what they were.
    pub(super) fn restore(&mut self, account: AccountId, windows: Vec<Window>) {
        if windows.is_empty() {
            self.0.remove(&account);
        } else {
            self.0.insert(account, windows);
        }
    }

    /// All of them, in the order of their keys.
    pub(super) fn into_sorted(self) -> Vec<Window> {
        let mut all: Vec<Window> = self.0.into_values().flatten().collect();
        all.sort_unstable_by_key(key);
        all
    }

    /// Drops the windows of accounts that are not kept.
    pub(super) fn retain(&mut self, keep: impl Fn(AccountId) -> bool) {
        self.0.retain(|account, _| keep(*account));
    }
}

const COLUMNS: &str =
    "account_id, direction, period, max_amount, max_count, used_amount, used_count, began, since, utc_offset";

/// The windows of those accounts that have any.
pub(super) async fn load(tx: &mut Tx, ledger: LedgerId, accounts: &[AccountRow]) -> Result<Vec<Window>, Error> {
    let windowed = accounts.iter().filter(|row| row.account.windowed);
    let keys: Vec<Value> = windowed.map(|row| row.account.id.0.into()).collect();
    if keys.is_empty() {
        return Ok(vec![]);
    }
    let sql = formatcp!("select {COLUMNS} from account_window where ledger_id = $1 and account_id");
    let found = tx.fetch_among(sql, &[ledger.0.into()], &keys, "").await?;
    found.iter().map(window).collect()
}

/// One account as it is stored, with its windows.
pub(super) async fn account(
    db: &Db,
    ledger: LedgerId,
    id: AccountId,
) -> Result<Option<(AccountRow, Vec<Window>)>, Error> {
    match rows::account(db, ledger, id).await? {
        // Both tables are to be read as of one moment.
        Some(row) if row.account.windowed => load_account(&mut db.begin_read().await?, ledger, id).await,
        row => Ok(row.map(|row| (row, vec![]))),
    }
}

pub(super) async fn load_account(
    tx: &mut Tx,
    ledger: LedgerId,
    id: AccountId,
) -> Result<Option<(AccountRow, Vec<Window>)>, Error> {
    let mut rows = rows::load_accounts(tx, ledger, &[id]).await?;
    let windows = load(tx, ledger, &rows).await?;
    Ok(rows.pop().map(|row| (row, windows)))
}

/// The next rows of a ledger's windows in the order of [`WindowKey`], those after `after`, at most so many.
pub(super) async fn load_next(
    tx: &mut Tx,
    ledger: LedgerId,
    after: Option<WindowKey>,
    most: i64,
) -> Result<Vec<Row>, Error> {
    const ORDER: &str = "order by account_id, direction, period limit $2";
    let first = formatcp!("select {COLUMNS} from account_window where ledger_id = $1 {ORDER}");
    let next = formatcp!(
        "select {COLUMNS} from account_window
         where ledger_id = $1 and (account_id, direction, period) > ($3, $4, $5) {ORDER}"
    );
    let mut values = vec![ledger.0.into(), most.into()];
    let Some((account, direction, period)) = after else { return tx.fetch_all(first, values).await };
    values.extend([account.0.into(), direction_number(direction).into(), period_number(period).into()]);
    tx.fetch_all(next, values).await
}

pub(super) fn window(row: &Row) -> Result<Window, Error> {
    let max_amount = row.optional_int("max_amount")?.map(|_| not_negative(row, "max_amount")).transpose()?;
    let max_count = row.optional_int("max_count")?.map(|_| number(row, "max_count")).transpose()?;
    let window = Window {
        account: AccountId(row.id("account_id")?),
        direction: match row.int("direction")? {
            1 => Direction::Out,
            2 => Direction::In,
            other => return Err(Error::Corrupt(format!("{other} is no direction of a window"))),
        },
        period: match row.int("period")? {
            1 => Period::Day,
            2 => Period::Week,
            3 => Period::Month,
            other => return Err(Error::Corrupt(format!("{other} is no period of a window"))),
        },
        max_amount,
        max_count,
        used_amount: not_negative(row, "used_amount")?,
        used_count: number(row, "used_count")?,
        began: Date(number(row, "began")?),
        since: Timestamp(row.int("since")?),
        offset: UtcOffset::new(number(row, "utc_offset")?)
            .ok_or_else(|| Error::Corrupt("an offset of a window is out of range".into()))?,
    };
    if window.limits() { Ok(window) } else { Err(Error::Corrupt("a window limits nothing".into())) }
}

fn not_negative(row: &Row, column: &str) -> Result<Amount, Error> {
    let amount = rows::amount(row, column)?;
    if amount >= Amount::ZERO { Ok(amount) } else { Err(Error::Corrupt(format!("{column} of a window is negative"))) }
}

fn number<N: TryFrom<i64>>(row: &Row, column: &str) -> Result<N, Error> {
    let number = row.int(column)?;
    N::try_from(number).map_err(|_| Error::Corrupt(format!("{column} of a window is {number}")))
}

/// A window's numbers, in the order of the columns after `account_id`.
pub(super) fn numbers(window: &Window) -> [Option<i64>; 9] {
    [
        Some(direction_number(window.direction)),
        Some(period_number(window.period)),
        window.max_amount.map(Amount::minor),
        window.max_count.map(i64::from),
        Some(window.used_amount.minor()),
        Some(window.used_count.into()),
        Some(window.began.0.into()),
        Some(window.since.0),
        Some(window.offset.minutes().into()),
    ]
}

const fn direction_number(direction: Direction) -> i64 {
    match direction {
        Direction::Out => 1,
        Direction::In => 2,
    }
}

const fn period_number(period: Period) -> i64 {
    match period {
        Period::Day => 1,
        Period::Week => 2,
        Period::Month => 3,
    }
}
