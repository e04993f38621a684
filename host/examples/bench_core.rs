//! throw-away
use hesabu::engine::{Book, COMPONENT, Engine};
use ledger_core::*;
fn main() {
    let engine = Engine::load(COMPONENT).unwrap();
    let am = |m| Amount::new(m).unwrap();
    let mix = |n: u128| n.wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
    let id = |n: u128| AccountId(mix(n + 1));
    let mut accounts: Vec<Account> = (0..10_000u128).map(|n| Account::open(id(n), am(-1_000_000_000), am(1_000_000_000))).collect();
    accounts.sort_by_key(|a| a.id);
    let batch = |size: u128, turn: u128| -> Vec<Item> { (0..size).map(|n| { let r = mix(turn * 10_000 + n) >> 64; let p = r % 10_000; let q = (p + 1 + (r >> 20) % 9_999) % 10_000;
        Item::alone(Command::Create(Create { id: TransferId((1 << 100) + turn * 10_000 + n), kind: TransferKind::Immediate, payer: id(p), payee: id(q), amount: am(5), expires_at: None, key: None, payable_now: false, memo: Memo::NONE })) }).collect() };
    let pair = [1, 2].map(|i| Account::open(AccountId(i), am(-1_000_000), am(1_000_000))).to_vec();
    for shift in [0u32, 47, 50, 64] {
        let b: Vec<Item> = (1..=8190u128).map(|n| Item::alone(Command::Create(Create { id: TransferId(n << shift), kind: TransferKind::Immediate, payer: AccountId(1), payee: AccountId(2), amount: am(1), expires_at: None, key: None, payable_now: false, memo: Memo::NONE }))).collect();
        let start = std::time::Instant::now();
        let r = engine.post_here(&Book { accounts: pair.clone(), transfers: vec![] }, &b, Timestamp(0));
        println!("ids n << {shift}: {} in {:?}", match r { Ok(_) => "answered".to_string(), Err(e) => format!("{e:?}").lines().next().unwrap().chars().take(90).collect() }, start.elapsed());
    }
    for (size, rounds) in [(8190u128, 300usize), (1, 30_000)] {
        let mut t = vec![];
        for k in 0..rounds {
            let b = batch(size, k as u128);
            let book = if size == 1 {
                let Command::Create(c) = b[0].command else { panic!() };
                let mut a: Vec<Account> = [c.payer, c.payee].map(|i| Account::open(i, am(-1_000_000_000), am(1_000_000_000))).to_vec(); a.sort_by_key(|a| a.id);
                Book { accounts: a, transfers: vec![] }
            } else { Book { accounts: accounts.clone(), transfers: vec![] } };
            let start = std::time::Instant::now();
            let p = engine.post_here(&book, &b, Timestamp(k as i64)).unwrap();
            t.push(start.elapsed().as_nanos() as u64);
            assert!(p.outcomes.iter().all(Result::is_ok));
        }
        t.sort();
        println!("{size}: median {} ns ({} per transfer), p10 {} ns, p90 {} ns", t[rounds / 2], t[rounds / 2] / size as u64, t[rounds / 10], t[rounds * 9 / 10]);
    }
}
