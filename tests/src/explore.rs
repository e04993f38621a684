//! Runs a property on random values from one seed. A failure shrinks, and says the seed that finds it again.

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseResult, TestError, TestRng, TestRunner};
use std::env;

/// Runs `property` on `cases` values of `strategy`. `HESABU_SEED` repeats a run; `HESABU_CASES` makes it longer.
///
/// # Panics
/// When the property does not hold: with the reason, the seed and the smallest value that was found.
pub fn explore<S: Strategy>(cases: u32, strategy: &S, property: impl Fn(S::Value) -> TestCaseResult) {
    let seed = number_from_env("HESABU_SEED").unwrap_or_else(fresh_seed);
    let cases = number_from_env("HESABU_CASES").and_then(|more| u32::try_from(more).ok()).unwrap_or(0).max(cases);
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    match TestRunner::new_with_rng(config, rng).run(strategy, property) {
        Ok(()) => println!("{cases} cases from seed {seed}"),
        Err(TestError::Abort(reason)) => panic!("gave up: {reason}. Find it again with HESABU_SEED={seed}."),
        Err(TestError::Fail(reason, value)) => {
            panic!("{reason}\nThe smallest case: {value:#?}\nFind it again with HESABU_SEED={seed}.")
        }
    }
}

fn number_from_env(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} must be a whole number, not {text:?}")))
}

fn fresh_seed() -> u64 {
    let low_bits = hesabu::mint_id() & u128::from(u64::MAX);
    u64::try_from(low_bits).expect("64 bits are left")
}
