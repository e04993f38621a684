//! The compact form: the example of its documentation byte by byte, and bytes that are none.

use super::super::extract::{IdempotencyKey, written_key};
use super::binary::{parse, written};
use super::{Batch, Origin};
use crate::accounts::{Decided, Direction, Mode, Order, Placed, Refusal};
use crate::identity::Session;
use ledger_core::{Amount, Rejection, TransferId};
use proptest::prelude::*;

const DOCUMENT: &str = include_str!("../../../../../docs/bulk.md");

const SESSION: Session = Session { id: 1, person: 2, administrator: true };

/// The bytes of the example with this name: two digits each, up to a `#`.
fn example(name: &str) -> Vec<u8> {
    let start = format!("```hex {name}\n");
    let (_, rest) = DOCUMENT.split_once(&start).expect("the example is there");
    let (block, _) = rest.split_once("```").expect("it ends");
    let bytes = block.lines().flat_map(|line| line.split('#').next().unwrap_or_default().split_whitespace());
    bytes.map(|byte| u8::from_str_radix(byte, 16).expect("two digits")).collect()
}

fn parsed<T>(bytes: &[u8], look: impl FnOnce(Option<Batch<'_>>) -> T) -> T {
    let key = IdempotencyKey::default();
    look(parse(bytes, &Origin { session: SESSION, key: &key }).ok())
}

fn minor(minor: i64) -> Amount {
    Amount::new(minor).unwrap()
}

#[test]
fn the_documented_batch_means_what_is_said_beside_it() {
    let orders = [
        Order {
            initiator: "6838115832533278".into(),
            receiver: "0382855564717143".into(),
            direction: Direction::Out,
            amount: minor(4_250),
            description: "Mkate".into(),
            key: written_key(SESSION, "0192f0a1-5c3e-7b21-9d4e-00a1b2c3d4e5"),
        },
        Order {
            initiator: "0382855564717143".into(),
            receiver: "6838115832533278".into(),
            direction: Direction::In,
            amount: minor(100),
            description: "".into(),
            key: None,
        },
    ];
    assert!(orders[0].key.is_some());
    parsed(&example("batch"), |batch| {
        let batch = batch.expect("it is a batch");
        assert_eq!(batch.mode, Mode::Independent);
        assert_eq!(batch.orders, orders.map(Ok));
    });
}

#[test]
fn the_documented_answer_is_what_is_written() {
    let placed = Placed { id: TransferId(0x0192_f0a1_5c3f_7000_8000_0000_0000_0001), repeated: false };
    let refused = Refusal::Rejected(Rejection::FloorExceeded { available: minor(40) });
    assert_eq!(written(&Decided::Each(vec![Ok(placed), Err(refused)]), 2), example("answer"));
    // A batch that was refused as a whole: the reason where it is, and everywhere else that there is one.
    let mut stopped = example("answer");
    stopped[5] = 1;
    stopped[8..34].fill(0);
    stopped[8..10].copy_from_slice(&[2, 1]);
    assert_eq!(written(&Decided::Stopped(1, refused), 2), stopped);
}

#[test]
fn the_documented_codes_are_those_that_are_written() {
    let own = [
        Refusal::Forbidden,
        Refusal::InitiatorMissing,
        Refusal::ReceiverMissing,
        Refusal::AmountMissing,
        Refusal::DirectionUnknown,
        Refusal::DescriptionTooLong,
        Refusal::TextUnreadable,
        Refusal::KeyInvalid,
        Refusal::RowInvalid,
        Refusal::DescriptionInvisible,
    ];
    let ledgers = [1, 3, 5, 6, 10, 11, 23, 24, 25, 26, 29, 30];
    let ledgers = ledgers.map(|code| Refusal::Rejected(Rejection::from_code(code, minor(1)).unwrap()));
    let table: Vec<(Vec<String>, Vec<String>)> = DOCUMENT
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| ")?.split(" | ");
            let list = |cell: &str| cell.split(", ").map(|part| part.trim_matches('`').to_owned()).collect();
            Some((list(cells.next()?), list(cells.next()?)))
        })
        .collect();
    for refusal in own.into_iter().chain(ledgers) {
        let (code, word) = (refusal.code().to_string(), refusal.word());
        let told = table.iter().any(|(codes, words)| {
            let place = words.iter().position(|told| told == word);
            place.is_some_and(|place| codes.get(place) == Some(&code))
        });
        assert!(told, "{code} {word} is not in docs/bulk.md");
    }
}

#[test]
fn a_batch_that_is_cut_or_goes_on_is_none() {
    let whole = example("batch");
    for end in 0..whole.len() {
        parsed(&whole[..end], |batch| assert!(batch.is_none(), "{end}"));
    }
    parsed(&[&whole[..], &[0]].concat(), |batch| assert!(batch.is_none()));
}

proptest! {
    #[test]
    fn any_bytes_are_no_batch(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assume!(!bytes.starts_with(b"HSBT\x01"));
        prop_assert!(parsed(&bytes, |batch| batch.is_none()));
    }

    #[test]
    fn any_bytes_after_the_head_are_as_many_items_as_it_tells_or_none(
        (mode, count) in (0..2_u8, 1..4_u8),
        rest in prop::collection::vec(prop_oneof![Just(0), any::<u8>()], 0..200),
    ) {
        let bytes = [&[b'H', b'S', b'B', b'T', 1, mode, count, 0], &rest[..]].concat();
        let count = usize::from(count);
        prop_assert!(parsed(&bytes, |batch| batch.is_none_or(|batch| batch.orders.len() == count && rest.len() >= 44 * count)));
    }

    #[test]
    fn a_batch_with_changed_bytes_is_one_of_the_same_size_or_none(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut bytes = example("batch");
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        parsed(&bytes, |batch| match batch {
            None => Ok(()),
            Some(batch) => {
                prop_assert_eq!(batch.orders.len(), usize::from(u16::from_le_bytes([bytes[6], bytes[7]])));
                // Every byte belongs to an item.
                let length = |order: &Result<Order<'_>, Refusal>| order.as_ref().map(|order| order.description.len()).ok();
                if let Some(texts) = batch.orders.iter().map(length).sum::<Option<usize>>() {
                    prop_assert_eq!(8 + 44 * batch.orders.len() + texts, bytes.len());
                }
                Ok(())
            }
        })?;
    }
}
