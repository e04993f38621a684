//! What the journal costs without a disk: a batch into canonical bytes, their hash, and back. Writing them is in `posting.rs`.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use hesabu_benches::workload::{Batch, SIZES};
use ledger_core::{Amount, Item, Timestamp, Verdict, codec};
use sha2::{Digest, Sha256};
use std::hint::black_box;

/// A batch as the journal keeps it.
fn entries(size: usize) -> Vec<(Item, Verdict)> {
    let batch = Batch::of(size, 10_000);
    let verdict = Verdict::Transfer { payer_balance: Amount::MAX, payee_balance: Amount::MAX };
    batch.items.iter().map(|item| (*item, verdict)).collect()
}

fn journal(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("journal");
    for size in SIZES {
        group.throughput(Throughput::Elements(u64::try_from(size).unwrap_or(u64::MAX)));
        let entries = entries(size);
        let mut body = Vec::new();
        codec::encode_batch(&mut body, Timestamp(1), &entries);
        group.bench_function(BenchmarkId::new("encode", size), |bencher| {
            let mut out = Vec::with_capacity(body.len());
            bencher.iter(|| {
                out.clear();
                codec::encode_batch(&mut out, Timestamp(1), black_box(&entries));
                black_box(out.len())
            });
        });
        group.bench_function(BenchmarkId::new("hash", size), |bencher| {
            bencher.iter(|| black_box(Sha256::digest(black_box(&body))));
        });
        group.bench_function(BenchmarkId::new("decode", size), |bencher| {
            bencher.iter(|| black_box(codec::decode_batch(black_box(&body)).expect("it was encoded here")));
        });
    }
    group.finish();
}

criterion_group!(benches, journal);
criterion_main!(benches);
