//! The ledger's rules as texts, each run natively and through the component. The texts are in `scenarios/`.

use hesabu_tests::scenario::{self, check};
use ledger_core::{Amount, Rejection};
use std::collections::BTreeSet;
use std::path::Path;

/// A test for each text, and the list of all.
macro_rules! scenarios {
    ($($name:ident),* $(,)?) => {
        const ALL: &[&str] = &[$(stringify!($name)),*];
        $(
            #[tokio::test]
            async fn $name() {
                check(stringify!($name)).await;
            }
        )*
    };
}

scenarios! {
    credit_limit,
    holds_count,
    partial_capture,
    requests,
    requests_wait,
    expiry,
    linked_groups,
    idempotency,
    closing,
    frozen,
    limits_moved,
    holds_and_moved_limits,
    precedence,
    windows_by_day,
    windows_by_month,
    windows_and_holds,
    windows_in_groups,
}

#[test]
fn every_text_is_run() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let files = std::fs::read_dir(folder).expect("the folder is there");
    let names: BTreeSet<String> = files
        .map(|file| file.expect("it can be read").path().file_stem().expect("a name").to_string_lossy().into())
        .collect();
    let run: BTreeSet<String> = ALL.iter().copied().map(String::from).collect();
    assert_eq!(names, run, "name each file of tests/scenarios in `scenarios!` of this file");
}

#[test]
fn the_rules_that_every_surface_shares_are_told_for_http_too() {
    for name in ["credit_limit", "holds_count", "requests", "frozen", "limits_moved"] {
        assert!(scenario::load(name).http, "scenarios/{name}.txt should say `surfaces: http`");
    }
}

#[test]
fn precedence_tells_every_refusal() {
    let lines: Vec<scenario::Line> =
        scenario::load("precedence").blocks.into_iter().flat_map(|block| block.lines).collect();
    for rejection in (1..=u8::MAX).map_while(|code| Rejection::from_code(code, Amount::ZERO)) {
        let told = |line: &scenario::Line| line.expected.split(' ').next() == Some(rejection.word());
        assert!(lines.iter().any(told), "scenarios/precedence.txt has no line for {}", rejection.word());
    }
}

#[test]
fn a_line_that_means_nothing_is_named() {
    let problem = |lines: &str| scenario::parse(&format!("unit KES 2\n{lines}")).expect_err("it means nothing");
    assert_eq!(
        problem("account a floor 0 ceiling 5\ntransfer t a -> b 1  done"),
        (3, "no answer is called \"done\"".into())
    );
    assert_eq!(problem("transfer t a b 1  ok"), (2, "\"->\" should be where \"b\" is".into()));
    assert_eq!(problem("hold h a -> b 1.005  ok").0, 2);
    assert_eq!(
        problem("hold h a -> b 1  floor-exceeded"),
        (2, "\"floor-exceeded\" is not an answer, or lacks its amount".into())
    );
    assert_eq!(problem("window a up day amount 1"), (2, "no direction is called \"up\"".into()));
    assert_eq!(problem("window a in day count 1 utc 900").0, 2);
    assert_eq!(problem("linked\ntransfer t a -> b 1  ok"), (3, "the last group does not end".into()));
    assert!(problem("surfaces: http\nnow 5").1.starts_with("HTTP cannot express this"));
}
