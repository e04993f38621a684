//! `hesabu-benches`: measures the whole against its baselines and targets. `--help` says how.

fn main() -> std::process::ExitCode {
    hesabu_benches::run()
}
