//! The program `hesabu`: reads what it is told, starts the host, says where to go next.

mod commands;

use clap::{Parser, Subcommand};
use hesabu::config::{Config, Options};
use std::path::PathBuf;
use std::process::ExitCode;

/// Exact money: one ledger under several APIs
#[derive(Parser)]
#[command(name = "hesabu", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    options: Options,
    /// Print results as JSON, for programs
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the API until told to stop
    Serve,
    /// Bring the database up to date and stop
    Migrate,
    /// Prove the books: replay the journal through the component and compare every row
    Verify,
    /// Print the journal, one record on a line, for checking it or a statement elsewhere
    Journal,
    /// Print the description of an API, OpenAPI 3.1
    Openapi {
        /// Which API
        #[arg(value_enum)]
        surface: Surface,
    },
    /// Administrators
    #[command(subcommand)]
    Admin(Admin),
    /// Fill a small network and trade in it
    Demo,
    /// Copy the embedded database to a file, also beside a server that runs
    Backup {
        /// The file to make; it must not be there yet
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Put a copy that `backup` made where the embedded database is, while no server runs
    Restore {
        /// The copy; it stays as it is
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Also when there is a database already, which is kept beside under another name
        #[arg(long)]
        replace: bool,
    },
    /// Make a transfer of every row of a CSV file; running it again does nothing twice
    Import(commands::Import),
}

/// The APIs of this program.
#[derive(clap::ValueEnum, Clone, Copy)]
enum Surface {
    MutualCredit,
}

#[derive(Subcommand)]
enum Admin {
    /// Make an administrator; the password is read from standard input
    Create {
        /// The administrator's e-mail address
        #[arg(long, value_name = "ADDRESS")]
        email: String,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Runtime::new().expect("the operating system gives threads");
    match runtime.block_on(run(cli)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("hesabu: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let config = cli.options.check()?;
    let collector = config.otlp_endpoint.as_deref().filter(|_| matches!(cli.command, Command::Serve));
    let spans = commands::start_logging(collector)?;
    let ended = obey(cli.command, &config, cli.json).await;
    spans.end().await;
    ended
}

async fn obey(command: Command, config: &Config, json: bool) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve => commands::serve(config).await,
        Command::Migrate => commands::migrate(config).await,
        Command::Verify => commands::verify(config, json).await,
        Command::Openapi { surface: Surface::MutualCredit } => commands::openapi(),
        Command::Journal => commands::journal(config).await,
        Command::Admin(Admin::Create { email }) => commands::create_administrator(config, &email).await,
        Command::Demo => commands::demo(config).await,
        Command::Backup { file } => commands::backup(config, &file, json).await,
        Command::Restore { file, replace } => commands::restore(config, &file, replace, json).await,
        Command::Import(import) => commands::import(config, import, json).await,
    }
}
