//! Every value has exactly one canonical form, and bytes that are not one are refused, never misread.
//!
//! Method: what random histories say and answer is written and read back; then each beginning of those bytes is read, and the bytes with any
//! one of them changed. Whatever can be read must be written as it was.

use hesabu_tests::{commands, explore::explore};
use ledger_core::codec::{decode_batch, encode_batch};
use ledger_core::{Book, Item, Timestamp, Verdict, post};
use proptest::prelude::*;
use std::cell::Cell;

#[test]
fn bytes_mean_one_thing() {
    let (entries_seen, mutants_read) = (Cell::new(0), Cell::new(0));
    explore(150, &(commands::histories(), 1..=u8::MAX), |(history, mask)| {
        let mut book = Book::new([]);
        for batch in history {
            let outcomes = post(&mut book, &batch.items, batch.now);
            let entries: Vec<(Item, Verdict)> =
                batch.items.iter().copied().zip(outcomes.iter().map(Verdict::of)).collect();
            let bytes = encoded(batch.now, &entries);
            prop_assert_eq!(decode_batch(&bytes), Ok((batch.now, entries.clone())));
            for end in 0..bytes.len() {
                let error = decode_batch(&bytes[..end]).expect_err("a batch without its end is no batch");
                prop_assert!(error.at <= end);
            }
            for at in 0..bytes.len() {
                for change in [mask, 1, 0x80] {
                    let mut mutant = bytes.clone();
                    mutant[at] ^= change;
                    match decode_batch(&mutant) {
                        Ok((now, entries)) => {
                            prop_assert_eq!(encoded(now, &entries), mutant);
                            mutants_read.set(mutants_read.get() + 1);
                        }
                        Err(error) => prop_assert!(error.at <= mutant.len()),
                    }
                }
            }
            entries_seen.set(entries_seen.get() + entries.len());
        }
        Ok(())
    });
    println!("{} entries; {} mutants meant something else", entries_seen.get(), mutants_read.get());
    assert!(mutants_read.get() > 0, "no mutant could be read, so nothing was compared");
}

fn encoded(now: Timestamp, entries: &[(Item, Verdict)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode_batch(&mut bytes, now, entries);
    bytes
}
