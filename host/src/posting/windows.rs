//! Windows of accounts: as a lane keeps them beside the accounts, and as they are stored.
//!
//! Their rows are written with the batch that changes them, so what is read is as the journal's end has it. What an account's row does not
//! have yet can be told from its history; what a window has counted cannot.

use super::resident::ById;
use super::rows::{self, AccountRow};
use crate::store::{Error, Row, Tx, Value};
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
    let sql = const_format::formatcp!("select {COLUMNS} from account_window where ledger_id = $1 and account_id");
    let found = tx.fetch_among(sql, &[ledger.0.into()], &keys, "").await?;
    found.iter().map(window).collect()
}

/// All windows of a ledger.
pub(super) async fn load_all(tx: &mut Tx, ledger: LedgerId) -> Result<Vec<Row>, Error> {
    let sql = const_format::formatcp!("select {COLUMNS} from account_window where ledger_id = $1");
    tx.fetch_all(sql, vec![ledger.0.into()]).await
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
        Some(match window.direction {
            Direction::Out => 1,
            Direction::In => 2,
        }),
        Some(match window.period {
            Period::Day => 1,
            Period::Week => 2,
            Period::Month => 3,
        }),
        window.max_amount.map(Amount::minor),
        window.max_count.map(i64::from),
        Some(window.used_amount.minor()),
        Some(window.used_count.into()),
        Some(window.began.0.into()),
        Some(window.since.0),
        Some(window.offset.minutes().into()),
    ]
}
