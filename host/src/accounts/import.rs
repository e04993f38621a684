//! Rows of a CSV file as orders. They are read some at a time, so that a file of any length takes the same memory.
//!
//! The first row names the columns: `payer`, `payee`, `amount`, and perhaps `description` and `key`. A file of refused rows, with `row` and
//! `reason` before them, can be read again once it has been put right.

use super::batch::{Decided, Mode, ORDERS_MAX, Order, Placed, Refusal, Sender, is_key, parse_amount, place};
use super::proposals::Direction;
use crate::posting::{self, Ledger, Posting, PostingError};
use csv::ByteRecord;
use ledger_core::{Key, Rejection, Unit};
use std::borrow::Cow;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};

/// The most bytes of a row: many times its longest texts. A quote that is never closed is noticed here.
const ROW_BYTES_MAX: usize = 64 << 10;

/// Rows are handed out when they have so many bytes together, if they are not [`ORDERS_MAX`] before that.
const BATCH_BYTES_MAX: usize = 16 << 20;

/// Batches that are read ahead while one is being posted.
const READ_AHEAD: usize = 1;

/// How long a batch is tried while the ledger is busy, or another host has it.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// Columns that a file of refused rows has more.
const REFUSED_COLUMNS: [&str; 2] = ["row", "reason"];

/// A row as it stands in the file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// From 1, without the first, which names the columns.
    pub number: u64,
    record: ByteRecord,
}

/// What the columns of a file mean.
#[derive(Clone, Debug)]
pub struct Form {
    names: ByteRecord,
    payer: usize,
    payee: usize,
    amount: usize,
    description: Option<usize>,
    key: Option<usize>,
    keys: Keys,
    unit: Unit,
}

/// What the keys of rows are made of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Keys {
    /// Whose they are. The same text of somebody else is another key.
    pub sender: u128,
    /// With the number of a row, its key when it has none of its own.
    pub prefix: Option<String>,
}

impl Keys {
    /// Whose the keys of an operator's files are: nobody's who could log in.
    pub const OPERATOR: u128 = 0;
}

/// A file that is read on a thread of its own, a little ahead of what is posted.
pub struct Reading {
    form: Arc<Form>,
    /// The last is empty, or says why there are no more.
    batches: mpsc::Receiver<Result<Vec<Row>, ImportError>>,
}

/// A file on its way in.
struct Rows<R> {
    reader: csv::Reader<Bounded<R>>,
    form: Arc<Form>,
    number: u64,
    /// To be told after the rows before it.
    failed: Option<ImportError>,
}

/// Why a file cannot be read, or not further.
#[derive(thiserror::Error, Debug)]
pub enum ImportError {
    /// The first row lacks a column.
    #[error(
        "the first row must name the columns payer, payee and amount, and perhaps description and key: there is no {0}"
    )]
    ColumnMissing(&'static str),
    /// The first row has a column that nobody knows: a misspelt one must not be ignored.
    #[error("the first row names a column {0:?}: there can be payer, payee, amount, description and key, each once")]
    ColumnUnknown(String),
    /// Nothing tells rows from each other when the file is read again.
    #[error(
        "rows need keys, so that the same file again does nothing twice: add a column key, or a key prefix that no other file has"
    )]
    NoKeys,
    /// A row is too long.
    #[error("row {0} has more than {ROW_BYTES_MAX} bytes: perhaps a quote is not closed")]
    TooLong(u64),
    /// The file could not be read.
    #[error("the file cannot be read after row {0}")]
    Unreadable(u64, #[source] csv::Error),
    /// Whoever read it is gone.
    #[error("the file was not read to its end")]
    Interrupted,
}

impl Reading {
    /// Begins to read a file whose amounts count `unit`.
    ///
    /// # Errors
    /// See [`ImportError`].
    ///
    /// # Panics
    /// When the system gives no thread.
    pub async fn of(source: impl Read + Send + 'static, unit: Unit, keys: Keys) -> Result<Reading, ImportError> {
        let (opening, opened) = oneshot::channel();
        let (sender, batches) = mpsc::channel(READ_AHEAD);
        let read = move || {
            let mut rows = match Rows::open(source, unit, keys) {
                Ok(rows) => rows,
                Err(error) => return drop(opening.send(Err(error))),
            };
            let _ = opening.send(Ok(Arc::clone(&rows.form)));
            let mut last = false;
            while !last {
                let batch = rows.next_batch();
                last = batch.as_ref().map_or(true, Vec::is_empty);
                // Nobody waits for more when posting has failed.
                last |= sender.blocking_send(batch).is_err();
            }
        };
        // A thread that is not waited for: standard input may never end.
        std::thread::Builder::new().name("import".into()).spawn(read).expect("the system gives a thread");
        Ok(Reading { form: opened.await.map_err(|_| ImportError::Interrupted)??, batches })
    }

    /// What the columns mean.
    pub fn form(&self) -> &Arc<Form> {
        &self.form
    }

    /// The next rows, as many as one batch takes; none at the end of the file.
    ///
    /// # Errors
    /// See [`ImportError`]. The rows before it have been handed out.
    pub async fn next_batch(&mut self) -> Result<Vec<Row>, ImportError> {
        self.batches.recv().await.ok_or(ImportError::Interrupted)?
    }
}

/// Posts rows as transfers at once, each for itself, however long the ledger is busy. Nothing happens twice: every row has a key.
///
/// # Errors
/// When posting fails for a whole minute: then nothing happened, except as [`PostingError`] notes.
pub async fn post_rows(
    posting: &Posting,
    ledger: &Ledger,
    form: &Form,
    sender: Sender,
    rows: &[Row],
) -> Result<Vec<Result<Placed, Refusal>>, PostingError> {
    let (started, mut pause) = (Instant::now(), PAUSE_MIN);
    loop {
        let orders = rows.iter().map(|row| form.order(row)).collect();
        match place(posting, ledger, sender, Mode::Independent, orders).await {
            Ok(Decided::Each(each)) => return Ok(each),
            Err(PostingError::Busy | PostingError::Unavailable) if started.elapsed() < PATIENCE => {}
            // Rows that stand for themselves stop nobody.
            Ok(Decided::Stopped(..)) => return Err(PostingError::Unavailable),
            Err(error) => return Err(error),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

impl<R: Read> Rows<R> {
    /// Reads the first row.
    fn open(source: R, unit: Unit, keys: Keys) -> Result<Rows<R>, ImportError> {
        let bounded = Bounded { source, left: ROW_BYTES_MAX };
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(bounded);
        let names = reader.byte_headers().map_err(|error| unreadable(error, 0))?.clone();
        let form = Arc::new(Form::of(names, unit, keys)?);
        Ok(Rows { reader, form, number: 0, failed: None })
    }

    fn next_batch(&mut self) -> Result<Vec<Row>, ImportError> {
        let (mut rows, mut bytes) = (vec![], 0);
        while self.failed.is_none() && rows.len() < ORDERS_MAX && bytes < BATCH_BYTES_MAX {
            let mut record = ByteRecord::new();
            self.reader.get_mut().left = ROW_BYTES_MAX;
            match self.reader.read_byte_record(&mut record) {
                Ok(true) => {
                    self.number += 1;
                    bytes += record.as_slice().len();
                    rows.push(Row { number: self.number, record });
                }
                Ok(false) => break,
                Err(error) => self.failed = Some(unreadable(error, self.number)),
            }
        }
        match self.failed.take() {
            Some(error) if rows.is_empty() => Err(error),
            failed => {
                self.failed = failed;
                Ok(rows)
            }
        }
    }
}

fn unreadable(error: csv::Error, read: u64) -> ImportError {
    match error.kind() {
        csv::ErrorKind::Io(io) if io.kind() == io::ErrorKind::FileTooLarge => ImportError::TooLong(read + 1),
        _ => ImportError::Unreadable(read, error),
    }
}

impl Form {
    fn of(names: ByteRecord, unit: Unit, keys: Keys) -> Result<Form, ImportError> {
        let words: Vec<String> = names.iter().map(|name| text(name).unwrap_or_default().to_ascii_lowercase()).collect();
        let known = ["payer", "payee", "amount", "description", "key"];
        for (place, word) in words.iter().enumerate() {
            let is_known = known.iter().chain(&REFUSED_COLUMNS).any(|known| known == word);
            if !is_known || words[..place].contains(word) {
                return Err(ImportError::ColumnUnknown(word.clone()));
            }
        }
        let find = |name: &str| words.iter().position(|word| word == name);
        let need = |name: &'static str| find(name).ok_or(ImportError::ColumnMissing(name));
        let key = find("key");
        if key.is_none() && keys.prefix.is_none() {
            return Err(ImportError::NoKeys);
        }
        let (payer, payee, amount) = (need("payer")?, need("payee")?, need("amount")?);
        Ok(Form { payer, payee, amount, description: find("description"), key, names, keys, unit })
    }

    /// The order that a row is.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn order<'r>(&self, row: &'r Row) -> Result<Order<'r>, Refusal> {
        if row.record.len() != self.names.len() {
            return Err(Refusal::RowInvalid);
        }
        let field = |place: usize| text(&row.record[place]).ok_or(Refusal::TextUnreadable);
        let given = |place: usize, missing: Refusal| field(place).and_then(|text| some(text).ok_or(missing));
        let amount = given(self.amount, Refusal::AmountMissing)?;
        Ok(Order {
            initiator: Cow::Borrowed(given(self.payer, Refusal::InitiatorMissing)?),
            receiver: Cow::Borrowed(given(self.payee, Refusal::ReceiverMissing)?),
            direction: Direction::Out,
            amount: parse_amount(amount, &self.unit).ok_or(Refusal::Rejected(Rejection::AmountOutOfRange))?,
            description: Cow::Borrowed(self.description.map_or(Ok(""), field)?),
            key: Some(self.key(row.number, self.key.map_or(Ok(""), field)?)?),
        })
    }

    fn key(&self, number: u64, own: &str) -> Result<Key, Refusal> {
        let Keys { sender, prefix } = &self.keys;
        match (some(own), prefix) {
            (Some(own), _) if is_key(own) => Ok(posting::key(*sender, own)),
            // No key of a row's own has U+0000 in it.
            (None, Some(prefix)) => Ok(posting::key(*sender, &format!("{prefix}\0{number}"))),
            _ => Err(Refusal::KeyInvalid),
        }
    }

    /// The names of the columns, for a file of refused rows.
    pub fn refused_names(&self) -> impl Iterator<Item = &[u8]> {
        REFUSED_COLUMNS.iter().map(|name| name.as_bytes()).chain(self.own_fields(&self.names))
    }

    /// A row with the reason why it was refused, for a file of them. The reason stands in front, so that it stands in its column also when
    /// the row has too few or too many.
    pub fn refused_fields<'r>(&'r self, row: &'r Row, refusal: Refusal) -> impl Iterator<Item = Cow<'r, [u8]>> {
        let reason = match refusal.amount() {
            Some(amount) => format!("{} {}", refusal.word(), self.unit.format_fixed(amount)),
            None => refusal.word().to_owned(),
        };
        let added = [row.number.to_string(), reason].map(|text| Cow::Owned(text.into_bytes()));
        added.into_iter().chain(self.own_fields(&row.record).map(Cow::Borrowed))
    }

    /// The fields of a record without those that a file of refused rows has more.
    fn own_fields<'r>(&'r self, record: &'r ByteRecord) -> impl Iterator<Item = &'r [u8]> {
        let is_added = |place: usize| {
            let name = self.names.get(place).and_then(text).unwrap_or_default();
            REFUSED_COLUMNS.iter().any(|added| name.eq_ignore_ascii_case(added))
        };
        record.iter().enumerate().filter(move |(place, _)| !is_added(*place)).map(|(_, field)| field)
    }
}

/// A field without the spaces around it; nothing when it is not UTF-8.
fn text(field: &[u8]) -> Option<&str> {
    std::str::from_utf8(field).ok().map(str::trim)
}

fn some(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}

/// A source that ends with an error when a row does not end.
struct Bounded<R> {
    source: R,
    /// What may still be read for this row.
    left: usize,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let most = buffer.len().min(self.left);
        let read = self.source.read(&mut buffer[..most])?;
        self.left -= read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENDER: u128 = 7;

    fn open(text: &[u8], prefix: Option<&str>) -> Result<Rows<io::Cursor<Vec<u8>>>, ImportError> {
        let unit = Unit::new("KES-MC", 2).unwrap();
        let keys = Keys { sender: SENDER, prefix: prefix.map(str::to_owned) };
        Rows::open(io::Cursor::new(text.to_vec()), unit, keys)
    }

    fn orders(text: &[u8], prefix: Option<&str>) -> Vec<Result<Key, Refusal>> {
        let mut rows = open(text, prefix).unwrap();
        let (form, batch) = (Arc::clone(&rows.form), rows.next_batch().unwrap());
        assert!(rows.next_batch().unwrap().is_empty());
        batch.iter().map(|row| form.order(row).map(|order| order.key.unwrap())).collect()
    }

    #[test]
    fn columns_may_stand_in_any_order_and_rows_may_be_wrong_by_themselves() {
        let text = "\u{feff}amount, Payee ,payer,description,key\r\n\
                    1.50,2,1,\"a, \"\"b\"\"\nc\",k\r\n1.505,2,1,,k\n,2,1,,k\n1,,1,,k\n1,2,,,k\n1,2,1,\n1,2,1,,\n1,2,1,,k,more\n1,2,1,,k\n";
        let expected = [
            Ok(posting::key(SENDER, "k")),
            Err(Refusal::Rejected(Rejection::AmountOutOfRange)),
            Err(Refusal::AmountMissing),
            Err(Refusal::ReceiverMissing),
            Err(Refusal::InitiatorMissing),
            Err(Refusal::RowInvalid),
            Err(Refusal::KeyInvalid),
            Err(Refusal::RowInvalid),
            Ok(posting::key(SENDER, "k")),
        ];
        assert_eq!(orders(text.as_bytes(), None), expected);
        let mut rows = open(text.as_bytes(), None).unwrap();
        let first = rows.next_batch().unwrap().swap_remove(0);
        let order = rows.form.order(&first).unwrap();
        assert_eq!((&*order.initiator, &*order.receiver, order.amount.minor()), ("1", "2", 150));
        assert_eq!(order.description, "a, \"b\"\nc");
        assert_eq!(orders(b"payer,payee,amount,description\n1,2,3,\xff\n", Some("p")), [Err(Refusal::TextUnreadable)]);
    }

    #[test]
    fn a_row_without_a_key_has_the_prefix_and_its_number() {
        let keys = orders(b"payer,payee,amount,key\n1,2,3,\n1,2,3,own\n1,2,3,\n", Some("p"));
        assert_eq!(keys, ["p\x001", "own", "p\x003"].map(|text| Ok(posting::key(SENDER, text))));
        let keys = orders(b"payer,payee,amount\n1,2,3\n", Some("p"));
        assert_eq!(keys, [Ok(posting::key(SENDER, "p\x001"))]);
        // Which nobody can write as a key of a row's own.
        assert_eq!(orders(b"payer,payee,amount,key\n1,2,3,p\x001\n", None), [Err(Refusal::KeyInvalid)]);
    }

    #[test]
    fn a_file_that_cannot_be_meant_is_not_begun() {
        let refused = |text: &[u8], prefix| open(text, prefix).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(refused(b"payer,payee,amount\n", None).contains("key prefix"));
        assert!(refused(b"payer,payee,key\n", None).contains("there is no amount"));
        assert!(refused(b"", None).contains("column"));
        assert!(refused(b"payer,payee,amount,key,descripton\n", None).contains("\"descripton\""));
        assert!(refused(b"payer,payee,amount,key,amount\n", None).contains("\"amount\""));
        assert!(refused(&vec![b'x'; 1 << 20], None).contains("row 1 has more"));
    }

    #[test]
    fn a_quote_that_is_not_closed_stops_after_the_rows_before_it() {
        let text = [&b"payer,payee,amount,key\n1,2,3,a\n1,2,3,b\n1,2,\""[..], &vec![b'x'; 1 << 20]].concat();
        let mut rows = open(&text, None).unwrap();
        assert_eq!(rows.next_batch().unwrap().len(), 2);
        assert_eq!(
            rows.next_batch().unwrap_err().to_string(),
            "row 3 has more than 65536 bytes: perhaps a quote is not closed"
        );
    }

    #[test]
    fn refused_rows_can_be_read_again() {
        let first = open(b"payer,amount,payee,key\n1,2,3,k\n", None).unwrap();
        let mut row = ByteRecord::from(vec!["1", "2", "3", "k"]);
        let again = |form: &Form, row: &Row| {
            let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(vec![]);
            writer.write_record(form.refused_names()).unwrap();
            writer.write_record(form.refused_fields(row, Refusal::Forbidden)).unwrap();
            String::from_utf8(writer.into_inner().unwrap()).unwrap()
        };
        let text = again(&first.form, &Row { number: 7, record: row.clone() });
        assert_eq!(text, "row,reason,payer,amount,payee,key\n7,forbidden,1,2,3,k\n");
        let mut second = open(text.as_bytes(), None).unwrap();
        let rows = second.next_batch().unwrap();
        assert_eq!(second.form.order(&rows[0]).unwrap().receiver, "3");
        assert_eq!(again(&second.form, &rows[0]), text.replace("\n7", "\n1"));
        row.push_field(b"more");
        let text = again(&first.form, &Row { number: 8, record: row });
        assert!(text.ends_with("\n8,forbidden,1,2,3,k,more\n"));
    }
}
