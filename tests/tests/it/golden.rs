//! The canonical bytes of version 1 never change: journals were hashed with them.
//!
//! `golden/codec_v1.txt` holds one value a line, its bytes in hexadecimal and its meaning, for every command, flag and verdict. Each line
//! must be what is written today, and must be read as the same value. A new kind of value adds lines; a line that differs
//! needs a new codec version beside the old one.

use ledger_core::codec::{
    decode_batch, encode_batch, encode_item, encode_verdict, item_from_bytes, verdict_from_bytes,
};
use ledger_core::{
    AccountId, AccountStatus, Action, Amount, Command, Create, Direction, Item, Key, Memo, OpenAccount, Period,
    Rejection, SetLimits, SetStatus, SetWindow, Settle, Timestamp, TransferId, TransferKind, UtcOffset, Verdict,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

const GOLDEN: &str = include_str!("../../golden/codec_v1.txt");
const ALICE: AccountId = AccountId(0xA11C_E000_0000_0000_0000_0000_0000_0001);
const BOB: AccountId = AccountId(0xB0B0_0000_0000_0000_0000_0000_0000_0002);
const ID: TransferId = TransferId(0x0192_3F4E_5D6C_7B8A_9900_1122_3344_5566);
const MEMO: Memo = Memo(0xFEED_FACE_CAFE_BEEF_0123_4567_89AB_CDEF);
const KEY: Key = Key(0x4B45_5900_1111_2222_3333_4444_5555_6666);
const NOW: Timestamp = Timestamp(1_760_000_000_123_456);

#[test]
fn bytes_of_version_1_never_change() {
    let today = render(&values());
    let today: BTreeSet<&str> = today.lines().collect();
    let golden: BTreeSet<&str> = golden_lines().collect();
    let lost: Vec<&str> = golden.difference(&today).copied().collect();
    assert!(
        lost.is_empty(),
        "old journals could no longer be verified, for these are written otherwise now:\n{}",
        lost.join("\n")
    );
    let added: Vec<&str> = today.difference(&golden).copied().collect();
    assert!(added.is_empty(), "append these lines to tests/golden/codec_v1.txt:\n{}", added.join("\n"));
}

#[test]
fn golden_bytes_are_read_as_what_they_mean() {
    let values: BTreeMap<String, Value> = values().into_iter().collect();
    for line in golden_lines() {
        let (bytes, meaning) = line.split_once(' ').expect("bytes and meaning");
        let bytes = unhex(bytes);
        match &values[meaning] {
            Value::Item(item) => assert_eq!(item_from_bytes(&bytes), Ok(*item), "{meaning}"),
            Value::Verdict(verdict) => assert_eq!(verdict_from_bytes(&bytes), Ok(*verdict), "{meaning}"),
            Value::Batch(now, entries) => assert_eq!(decode_batch(&bytes), Ok((*now, entries.clone())), "{meaning}"),
        }
    }
}

fn golden_lines() -> impl Iterator<Item = &'static str> {
    GOLDEN.lines().filter(|line| !line.starts_with('#'))
}

#[test]
fn every_kind_of_command_and_verdict_is_golden() {
    let mut tags = BTreeSet::new();
    for (_, value) in values() {
        match value {
            Value::Item(item) => tags.insert(match item.command {
                Command::OpenAccount(open) => format!("open {:?}", open.status),
                Command::SetLimits(limits) => format!("limits {} {}", limits.floor.is_some(), limits.ceiling.is_some()),
                Command::SetStatus(change) => format!("status {:?}", change.status),
                Command::Create(create) => {
                    format!(
                        "create {:?} {} {} {} {}",
                        create.kind,
                        create.key.is_some(),
                        create.payable_now,
                        create.expires_at.is_some(),
                        create.memo != Memo::NONE
                    )
                }
                Command::Settle(settle) => format!("settle {:?} {}", settle.action, settle.memo != Memo::NONE),
                Command::SetWindow(set) => {
                    let maxima = (set.max_amount.is_some(), set.max_count.is_some());
                    format!("window {:?} {:?} {maxima:?}", set.direction, set.period)
                }
            }),
            Value::Verdict(Verdict::Refused(rejection)) => tags.insert(rejection.word().into()),
            Value::Verdict(verdict) => tags.insert(format!("{verdict:?}")),
            Value::Batch(..) => tags.insert("batch".into()),
        };
    }
    // 2 ways to open, 4 of limits, 3 statuses; 3 kinds with 3 flags each, a request with one more; 7 actions with and without memo;
    // 2 directions and 3 periods with 4 flags each; 3 verdicts and the refusals; batches.
    let rejections = (1..=u8::MAX).map_while(|code| Rejection::from_code(code, Amount::ZERO)).count();
    assert_eq!(tags.len(), 9 + 3 * 8 + 1 + 7 * 2 + 2 * 3 * 4 + 3 + rejections + 1, "{tags:?}");
}

enum Value {
    Item(Item),
    Verdict(Verdict),
    Batch(Timestamp, Vec<(Item, Verdict)>),
}

/// Every value with its meaning, in the order of the file.
fn values() -> Vec<(String, Value)> {
    let mut values = Vec::new();
    for (meaning, command) in account_commands().into_iter().chain(creates()).chain(settles()).chain(windows()) {
        values.push((meaning, Value::Item(Item::alone(command))));
    }
    let linked = Item { linked: true, ..Item::alone(create(TransferKind::Immediate, true, None, Memo::NONE)) };
    values.push(("immediate keyed, linked to the next".into(), Value::Item(linked)));
    for (meaning, verdict) in verdicts() {
        values.push((format!("verdict {meaning}"), Value::Verdict(verdict)));
    }
    let refused = Verdict::Refused(Rejection::FloorExceeded { available: amount(40) });
    let entries = vec![(linked, Verdict::Refused(Rejection::LinkedFailed)), (Item::alone(limits()), refused)];
    values.push(("empty batch before 1970".into(), Value::Batch(Timestamp(-1), Vec::new())));
    values.push(("batch of a linked pair, refused".into(), Value::Batch(NOW, entries)));
    values
}

fn account_commands() -> Vec<(String, Command)> {
    let open = |status| {
        Command::OpenAccount(OpenAccount { account: ALICE, floor: amount(-10_000), ceiling: amount(50_000), status })
    };
    let mark = |status| Command::SetStatus(SetStatus { account: BOB, status });
    vec![
        ("open alice, floor -10000, ceiling 50000".into(), open(AccountStatus::Open)),
        ("open alice frozen".into(), open(AccountStatus::Frozen)),
        ("limits of bob: none".into(), limits()),
        ("limits of bob: floor only".into(), change(Some(amount(-5)), None)),
        ("limits of bob: ceiling only".into(), change(None, Some(amount(5)))),
        ("limits of bob: as they are".into(), change(None, None)),
        ("status of bob: open".into(), mark(AccountStatus::Open)),
        ("status of bob: frozen".into(), mark(AccountStatus::Frozen)),
        ("status of bob: closed".into(), mark(AccountStatus::Closed)),
    ]
}

fn limits() -> Command {
    change(Some(Amount::MIN), Some(Amount::MAX))
}

fn change(floor: Option<Amount>, ceiling: Option<Amount>) -> Command {
    Command::SetLimits(SetLimits { account: BOB, floor, ceiling })
}

fn creates() -> Vec<(String, Command)> {
    let mut creates = Vec::new();
    for (kind, name) in
        [(TransferKind::Immediate, "immediate"), (TransferKind::Hold, "hold"), (TransferKind::Request, "request")]
    {
        for (keyed, expires_at, memo) in [
            (false, None, Memo::NONE),
            (true, None, Memo::NONE),
            (false, Some(NOW), Memo::NONE),
            (false, None, MEMO),
            (true, Some(NOW), Memo::NONE),
            (true, None, MEMO),
            (false, Some(NOW), MEMO),
            (true, Some(NOW), MEMO),
        ] {
            let word = |present: bool, word: &'static str| if present { word } else { "" };
            let flags =
                [word(keyed, " keyed"), word(expires_at.is_some(), " expiry"), word(memo != Memo::NONE, " memo")];
            creates.push((format!("{name}{}", flags.concat()), create(kind, keyed, expires_at, memo)));
        }
    }
    if let Command::Create(request) = create(TransferKind::Request, false, None, Memo::NONE) {
        let payable = Command::Create(Create { payable_now: true, ..request });
        creates.push(("request payable now".into(), payable));
    }
    creates
}

fn create(kind: TransferKind, keyed: bool, expires_at: Option<Timestamp>, memo: Memo) -> Command {
    let key = keyed.then_some(KEY);
    let amount = amount(1_250);
    Command::Create(Create {
        id: ID,
        kind,
        payer: ALICE,
        payee: BOB,
        amount,
        expires_at,
        key,
        payable_now: false,
        memo,
    })
}

fn settles() -> Vec<(String, Command)> {
    let actions = [
        ("capture all", Action::Capture(None)),
        ("capture 1250", Action::Capture(Some(amount(1_250)))),
        ("release", Action::Release),
        ("accept", Action::Accept),
        ("decline", Action::Decline),
        ("withdraw", Action::Withdraw),
        ("expire", Action::Expire),
    ];
    let mut settles = Vec::new();
    for (name, action) in actions {
        settles.push((name.into(), Command::Settle(Settle { transfer: ID, action, memo: Memo::NONE })));
        settles.push((format!("{name} memo"), Command::Settle(Settle { transfer: ID, action, memo: MEMO })));
    }
    settles
}

fn windows() -> Vec<(String, Command)> {
    let mut windows = Vec::new();
    for (direction, way) in [(Direction::Out, "out of"), (Direction::In, "into")] {
        for (period, name, minutes) in
            [(Period::Day, "day", 0), (Period::Week, "week", 180), (Period::Month, "month", -210)]
        {
            let offset = UtcOffset::new(minutes).expect("in range");
            for (max_amount, max_count) in
                [(None, None), (Some(amount(1_250)), None), (None, Some(12)), (Some(Amount::ZERO), Some(u32::MAX))]
            {
                let set = SetWindow { account: ALICE, direction, period, max_amount, max_count, offset };
                let most = max_amount.map_or_else(String::new, |max| format!(" amount {}", max.minor()));
                let times = max_count.map_or_else(String::new, |max| format!(" count {max}"));
                let meaning = format!("window {way} alice by {name}{most}{times}, midnight {minutes} before UTC");
                windows.push((meaning, Command::SetWindow(set)));
            }
        }
    }
    windows
}

fn verdicts() -> Vec<(String, Verdict)> {
    let moved = Verdict::Transfer { payer_balance: amount(-1_250), payee_balance: amount(1_250) };
    let mut verdicts =
        vec![("account".into(), Verdict::Account), ("transfer".into(), moved), ("repeated".into(), Verdict::Repeated)];
    for rejection in (1..=u8::MAX).map_while(|code| Rejection::from_code(code, amount(7))) {
        verdicts.push((format!("refused {rejection}"), Verdict::Refused(rejection)));
    }
    verdicts
}

fn render(values: &[(String, Value)]) -> String {
    let mut text = String::new();
    for (meaning, value) in values {
        let mut bytes = Vec::new();
        match value {
            Value::Item(item) => encode_item(&mut bytes, item),
            Value::Verdict(verdict) => encode_verdict(&mut bytes, verdict),
            Value::Batch(now, entries) => encode_batch(&mut bytes, *now, entries),
        }
        for byte in bytes {
            write!(text, "{byte:02x}").expect("writing to a String does not fail");
        }
        writeln!(text, " {meaning}").expect("writing to a String does not fail");
    }
    text
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |digit: char| u8::try_from(digit.to_digit(16).expect("a hexadecimal digit")).expect("below 16");
    let digits: Vec<u8> = text.chars().map(digit).collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn amount(minor: i64) -> Amount {
    Amount::new(minor).expect("in range")
}
