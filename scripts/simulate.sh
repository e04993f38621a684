#!/usr/bin/env bash
# Posting while everything fails, from as many seeds as are asked for. What a simulation holds is in tests/src/simulation.
#
#   scripts/simulate.sh             10,000 seeds on SQLite
#   scripts/simulate.sh postgres    200 seeds on a PostgreSQL of its own
#
# SEED is the first seed, SEEDS how many: `SEED=43 SEEDS=1 scripts/simulate.sh` runs the one again that failed.
set -euo pipefail
cd "$(dirname "$0")/.."

simulate() {
    cargo test --locked -p hesabu-tests --test it -- --exact --nocapture \
        "simulation::posting_keeps_its_promises_while_everything_fails_on_$1"
}

case "${1-sqlite}" in
sqlite)
    SEEDS=${SEEDS-10000} simulate sqlite
    ;;
postgres)
    export -f simulate
    SEEDS=${SEEDS-200} scripts/postgres.sh run -- bash -euo pipefail -c 'simulate postgres'
    ;;
*)
    sed -n 's/^#   //p' "$0" >&2
    exit 2
    ;;
esac
