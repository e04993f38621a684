//! The bytes that are hashed: commands and verdicts in one canonical form, for the journal.
//!
//! Version 1. Integers are big-endian; what is absent takes no bytes and is told by a flag. Every value has exactly one
//! form, and decoding refuses every other, so that equal hashes mean equal content.
//!
//! | thing | bytes |
//! | --- | --- |
//! | batch | version `1`, time i64, count u32, then an item and its verdict for each |
//! | item | tag (high bit set: linked to the next), then by tag |
//! | 1 open account | id 16, floor i64, ceiling i64, status |
//! | 2 set limits | flags (1 floor, 2 ceiling), id 16, floor i64?, ceiling i64? |
//! | 3 set status | id 16, status |
//! | 4 create | kind, flags (1 key, 2 expiry, 4 memo, 8 payable now), id 16, payer 16, payee 16, amount i64, key 16?, expiry i64?, memo 16? |
//! | 5 settle | action, flags (1 amount, 4 memo), transfer 16, amount i64?, memo 16? |
//! | 6 set window | direction (0 out, 1 in), period (0 day, 1 week, 2 month), flags (1 amount, 2 count), id 16, offset in minutes i64, amount i64?, count u32? |
//! | verdict | 0 account; 1 transfer: payer's and payee's balance i64; 2 repeated; 3 refused: code, amount i64? |

pub(crate) mod bytes; // numbers, one after the other
pub(crate) mod item; // commands
mod verdict; // what the journal keeps of an outcome

use crate::{Item, Timestamp, Verdict};
use alloc::vec::Vec;
use bytes::{BigEndian, Reader, Writer};

/// The version that [`encode_batch`] writes and [`decode_batch`] reads.
pub const VERSION: u8 = 1;

/// Bytes that are not the canonical form of anything; `at` is the offset of the first that is wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CodecError {
    /// Offset from the start.
    pub at: usize,
}

/// Appends a batch as the journal keeps it.
///
/// # Panics
/// When there are more than `u32::MAX` entries; a batch has at most [`crate::BATCH_MAX`].
pub fn encode_batch(out: &mut Vec<u8>, now: Timestamp, entries: &[(Item, Verdict)]) {
    let mut writer = Writer::<BigEndian>::new(out);
    writer.byte(VERSION);
    writer.i64(now.0);
    writer.count(entries.len());
    for (item, verdict) in entries {
        item::write(&mut writer, item);
        verdict::write(&mut writer, verdict);
    }
}

/// Reads what [`encode_batch`] wrote, to the last byte.
///
/// # Errors
/// When the bytes are anything but a canonical batch of [`VERSION`].
pub fn decode_batch(bytes: &[u8]) -> Result<(Timestamp, Vec<(Item, Verdict)>), CodecError> {
    let (mut reader, now, count) = open_batch(bytes)?;
    let mut entries = Vec::with_capacity(reader.at_most(count, ENTRY_MIN));
    for _ in 0..count {
        entries.push((item::read(&mut reader)?, verdict::read(&mut reader)?));
    }
    reader.end()?;
    Ok((now, entries))
}

/// The same, with the commands and the verdicts each in a list of their own: for who decides the commands again.
///
/// # Errors
/// See [`decode_batch`].
pub fn decode_batch_apart(bytes: &[u8]) -> Result<(Timestamp, Vec<Item>, Vec<Verdict>), CodecError> {
    let (mut reader, now, count) = open_batch(bytes)?;
    let room = reader.at_most(count, ENTRY_MIN);
    let (mut items, mut verdicts) = (Vec::with_capacity(room), Vec::with_capacity(room));
    for _ in 0..count {
        items.push(item::read(&mut reader)?);
        verdicts.push(verdict::read(&mut reader)?);
    }
    reader.end()?;
    Ok((now, items, verdicts))
}

/// The fewest bytes of a command and its verdict.
const ENTRY_MIN: usize = 1 + 16 + 1 + 1;

/// At the first command of a batch, with its time and how many there are.
fn open_batch(bytes: &[u8]) -> Result<(Reader<'_, BigEndian>, Timestamp, usize), CodecError> {
    let mut reader = Reader::<BigEndian>::new(bytes);
    if reader.byte()? != VERSION {
        return Err(CodecError { at: 0 });
    }
    let now = Timestamp(reader.i64()?);
    let count = reader.count()?;
    Ok((reader, now, count))
}

/// Appends one command.
pub fn encode_item(out: &mut Vec<u8>, item: &Item) {
    item::write(&mut Writer::<BigEndian>::new(out), item);
}

/// Appends one verdict.
pub fn encode_verdict(out: &mut Vec<u8>, verdict: &Verdict) {
    verdict::write(&mut Writer::<BigEndian>::new(out), verdict);
}

/// Reads one command that stands alone in `bytes`, as [`encode_item`] wrote it.
///
/// # Errors
/// When the bytes are anything else.
pub fn item_from_bytes(bytes: &[u8]) -> Result<Item, CodecError> {
    let mut reader = Reader::<BigEndian>::new(bytes);
    let item = item::read(&mut reader)?;
    reader.end()?;
    Ok(item)
}

/// Reads one verdict that stands alone in `bytes`, as [`encode_verdict`] wrote it.
///
/// # Errors
/// When the bytes are anything else.
pub fn verdict_from_bytes(bytes: &[u8]) -> Result<Verdict, CodecError> {
    let mut reader = Reader::<BigEndian>::new(bytes);
    let verdict = verdict::read(&mut reader)?;
    reader.end()?;
    Ok(verdict)
}
