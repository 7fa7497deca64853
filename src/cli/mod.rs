//! The command line: one file per command. Only here do the stages meet, in `line`.
//!
//! Results go to stdout, talk to stderr. Where nobody watches (cron, a pipe), a run in which all is well
//! says nothing.

#[macro_use]
mod terminal;

mod check;
mod collect;
mod discover;
mod editions;
mod explain;
mod feeds;
mod inbound;
mod init;
mod line;
mod lock;
mod opml;
mod preview;
mod rehearsal;
mod report;
mod send;
mod serve;
mod store;
mod subscribers;
mod supervise;
mod templates;
mod work;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use clap::{Parser, Subcommand};

use crate::collect::FetchOptions;
use crate::config::{self, Config, Migrations};
use crate::store::Store;

/// All is well.
const DONE: u8 = 0;
/// The command could not do its work.
const FAILED: u8 = 1;
/// Wrong arguments, or a configuration with problems. (clap uses it too.)
const USAGE: u8 = 2;
/// Done, but something needs a look: feeds or deliveries failed, an edition was skipped or waits, choices lead nowhere.
const PARTLY: u8 = 3;
/// Stopped by an interrupt, as shells count it.
const INTERRUPTED: u8 = 130;

/// Reads feeds, folds the reports of one event into one story, ranks the stories for each topic, and mails
/// the digest to people who asked for it.
#[derive(Debug, Parser)]
#[command(name = "tidings", version, max_term_width = 100, after_help = AFTER_HELP)]
struct Arguments {
    /// The configuration file
    #[arg(
        long,
        short,
        global = true,
        value_name = "FILE",
        default_value = "config.toml"
    )]
    config: PathBuf,

    /// Say what was done, in a line for each run; twice (-vv) for a line for each decision
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    verbose: u8,

    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Start here:
  tidings init                 write a config.toml by answering a few questions
  tidings preview --open       look at the digest that would go out now
  tidings explain              why each story is in it, and why other items are not
  tidings send                 send what is due; from cron: */15 * * * * tidings send --config …

Exit codes:
  0 done · 1 failed · 2 wrong usage or configuration
  3 done, but something needs a look · 130 interrupted";

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a config.toml by answering a few questions
    Init(init::Init),
    /// Write the digest that would go out now to files, and change nothing
    Preview(preview::Preview),
    /// Say why each story would be in the digest, and why each other item would not
    Explain(explain::Explain),
    /// One pass over everything that is due: collect, rank, render, deliver
    Send(send::Send),
    /// Serve the pages for readers: sign-up, preferences, unsubscribing, archive, feeds
    Serve(serve::Serve),
    /// Send what was decided on another machine: one more worker on a shared PostgreSQL
    Work(work::Work),
    /// Only fetch the feeds, so that short ones lose nothing between editions
    Collect(collect::Collect),
    /// List the feeds, or ask each of them how it is
    #[command(subcommand)]
    Feeds(feeds::Feeds),
    /// Add, list, import, export, remove or erase subscribers
    #[command(subcommand)]
    Subscribers(subscribers::Subscribers),
    /// Read a mail that came back: a bounce, a complaint or a request to leave
    Inbound(inbound::Inbound),
    /// List the editions, say where their deliveries stand, cancel and resume them
    #[command(subcommand)]
    Editions(editions::Editions),
    /// Bring the store up to date, move it to another engine, rotate the signing key for links
    #[command(subcommand)]
    Store(store::Command),
    /// Write the templates of mails to a folder, to be changed
    Templates(templates::Templates),
    /// Check the configuration, the store and the way out, without sending anything
    Check(check::Check),
}

/// Runs the command line of this process and returns its exit code.
pub async fn run() -> u8 {
    let arguments = Arguments::parse();
    log_to_stderr(arguments.verbose);
    // A mail server that hands a mail over takes any other failure for the last word, and the mail is gone.
    let is_handed_over =
        matches!(&arguments.command, Command::Inbound(inbound) if inbound.is_handed_over());
    match finish(arguments).await {
        USAGE | FAILED if is_handed_over => inbound::TRY_AGAIN,
        code => code,
    }
}

async fn finish(arguments: Arguments) -> u8 {
    match dispatch(arguments).await {
        Ok(code) => code,
        // Whoever reads us has read enough: `tidings subscribers list | head`.
        Err(error) if is_broken_pipe(&error) => DONE,
        Err(error) if error.is::<config::ConfigError>() => {
            tell_part!("{}", in_words(&error));
            USAGE
        }
        Err(error) => {
            tell!("tidings: {}", in_words(&error));
            FAILED
        }
    }
}

/// An error as an operator reads it.
fn in_words(error: &anyhow::Error) -> String {
    match error.downcast_ref::<config::ConfigError>() {
        Some(problems) => problems.to_string(),
        None => crate::store::describe(error),
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let broken = std::io::ErrorKind::BrokenPipe;
    error.chain().any(|cause| {
        let io = cause
            .downcast_ref::<std::io::Error>()
            .map(std::io::Error::kind);
        let csv = cause.downcast_ref::<csv::Error>().map(csv::Error::kind);
        io == Some(broken)
            || matches!(csv, Some(csv::ErrorKind::Io(error)) if error.kind() == broken)
    })
}

async fn dispatch(arguments: Arguments) -> anyhow::Result<u8> {
    let path = arguments.config;
    // These two write what the others read.
    let command = match arguments.command {
        Command::Init(init) => return init.run(&path),
        Command::Templates(templates) => return templates.run(),
        command => command,
    };
    // Feeds can be looked for before there is a configuration.
    if let Command::Feeds(feeds::Feeds::Discover(discover)) = command {
        let options = if path.exists() {
            config::load(&path)?.collect
        } else {
            FetchOptions::default()
        };
        return discover.run(&options).await;
    }
    let config = config::load(&path)?;
    match command {
        Command::Init(_) | Command::Templates(_) => Ok(DONE),
        Command::Preview(preview) => preview.run(config.with_templates()?, &path).await,
        Command::Explain(explain) => explain.run(&config).await,
        Command::Send(send) => send.run(&config.with_templates()?).await,
        Command::Serve(serve) => serve.run(config.with_templates()?, &path).await,
        Command::Work(work) => work.run(&config.with_templates()?).await,
        Command::Collect(collect) => collect.run(&config).await,
        Command::Feeds(feeds) => feeds.run(&config, &path).await,
        Command::Subscribers(subscribers) => subscribers.run(&config).await,
        Command::Inbound(inbound) => inbound.run(&config).await,
        Command::Store(store) => store.run(&config).await,
        Command::Editions(editions) => editions.run(&config).await,
        Command::Check(check) => check.run(&config.with_templates()?, &path).await,
    }
}

/// Opens the store for `work`, and closes it in good order whatever comes of that. (Unless the process is killed, the file of a SQLite store
/// then is the whole store.)
async fn with_store<T>(
    config: &Config,
    work: impl AsyncFnOnce(&Arc<Store>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    ensure_migrated(config).await?;
    let store = Arc::new(Store::open(&config.store, &config.newsletter.id).await?);
    tell_if_new(config, &store);
    close_after(&store, work(&store)).await
}

/// As [`with_store`], for who only looks.
async fn reading_store<T>(
    config: &Config,
    work: impl AsyncFnOnce(&Arc<Store>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let store = Store::open_to_read(&config.store, &config.newsletter.id).await?;
    let store = Arc::new(store);
    close_after(&store, work(&store)).await
}

async fn close_after<T>(
    store: &Store,
    work: impl Future<Output = anyhow::Result<T>>,
) -> anyhow::Result<T> {
    let done = work.await;
    let closed = store.close().await.context("closing the store");
    let done = done?;
    closed?;
    Ok(done)
}

/// An operator who wants to decide when a store is brought up to date is asked to.
async fn ensure_migrated(config: &Config) -> anyhow::Result<()> {
    anyhow::ensure!(
        config.migrations == Migrations::Automatic || !Store::is_behind(&config.store).await?,
        "{} is of an older version, and store.migrate is \"manual\": back it up, then run `tidings store migrate`",
        config.store
    );
    Ok(())
}

/// That a store is new is told even under cron: where there was one yesterday, everything would be gone.
fn tell_if_new(config: &Config, store: &Store) {
    if store.is_new() {
        tell!(
            "A new store was made: {}. (If there was one before, look for it: this one knows no subscribers and no editions.)",
            config.store
        );
    }
}

/// The time that a run goes by: `--at`, else the configuration's pretended one, else the real one.
fn now(config: &Config, at: Option<DateTime<Utc>>) -> DateTime<Utc> {
    at.or(config.now).unwrap_or_else(line::wall)
}

fn log_to_stderr(verbose: u8) {
    let level = match verbose {
        0 => "warn,html5ever=error",
        1 => "warn,tidings=info,html5ever=error",
        _ => "info,tidings=debug,html5ever=error",
    };
    let filter = tracing_subscriber::EnvFilter::new(level);
    // A second subscriber in one process (tests) is no reason to stop.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .try_init();
}

/// Prints `value` as JSON for scripts.
fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    use std::io::Write as _;
    writeln!(
        std::io::stdout(),
        "{}",
        serde_json::to_string_pretty(value)?
    )?;
    Ok(())
}
