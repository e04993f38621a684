//! The core's decision, natively: nanoseconds for each payment of a batch. What crossing into the component adds is in `crossing.rs`.

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hesabu_benches::workload::{Batch, SIZES};
use ledger_core::{Book, Timestamp, post, preview};
use std::hint::black_box;

/// A batch of random payments against the accounts that it touches: loading the book and deciding.
fn batches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decision");
    for size in SIZES {
        group.throughput(Throughput::Elements(u64::try_from(size).unwrap_or(u64::MAX)));
        for accounts in [10_000, 1_000_000] {
            let batch = Batch::of(size, accounts);
            group.bench_function(BenchmarkId::new(format!("{accounts} accounts"), size), |bencher| {
                bencher.iter_batched_ref(
                    || batch.clone(),
                    |batch| {
                        let mut book = Book::load(&batch.accounts, &[], &[]).expect("each account is there once");
                        black_box(post(&mut book, &batch.items, Timestamp(1)))
                    },
                    BatchSize::LargeInput,
                );
            });
        }
    }
    group.finish();
}

/// Would one payment be accepted?
fn one(criterion: &mut Criterion) {
    let batch = Batch::of(1, 10_000);
    let book = Book::load(&batch.accounts, &[], &[]).expect("each account is there once");
    let item = batch.items.first().expect("a batch of one has one");
    criterion.bench_function("decision/preview", |bencher| {
        bencher.iter(|| black_box(preview(&book, black_box(item.command), Timestamp(1))));
    });
}

criterion_group!(benches, batches, one);
criterion_main!(benches);
