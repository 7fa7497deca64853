//! How the program talks: results on stdout, talk on stderr, bars only where somebody watches.

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::watch;

/// Writes a line of a result to stdout. Unlike `println!` it returns from the function when nobody reads it any more (`| head`) or
/// there is no room for it (`> file`).
macro_rules! say {
    ($($words:tt)*) => { $crate::cli::terminal::write_out(format_args!("{}\n", format_args!($($words)*)))? };
}

/// Writes a part of a result to stdout, as [`say`] does.
macro_rules! say_part {
    ($($words:tt)*) => { $crate::cli::terminal::write_out(format_args!($($words)*))? };
}

/// Writes a line of talk to stderr. Where nobody reads it, the work goes on.
macro_rules! tell {
    ($($words:tt)*) => { $crate::cli::terminal::write_err(format_args!("{}\n", format_args!($($words)*))) };
}

/// Writes a part of talk to stderr, as [`tell`] does.
macro_rules! tell_part {
    ($($words:tt)*) => { $crate::cli::terminal::write_err(format_args!($($words)*)) };
}

pub(super) fn write_out(words: std::fmt::Arguments<'_>) -> std::io::Result<()> {
    std::io::stdout().write_fmt(words)
}

pub(super) fn write_err(words: std::fmt::Arguments<'_>) {
    let _ = std::io::stderr().write_fmt(words);
}

/// Whether a person reads our standard output. If not (cron, a pipe), a run in which all is well is silent.
pub(super) fn is_watched() -> bool {
    std::io::stdout().is_terminal()
}

/// A progress bar on stderr over `length` steps; invisible where stderr is no terminal.
pub(super) fn bar(what: &'static str, length: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix:>12} {bar:32} {pos}/{len} {eta:>4}");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
    bar.with_style(style).with_prefix(what)
}

/// Becomes `true` at the first interrupt (Ctrl-C, or SIGTERM from a service manager). A second one ends the
/// process at once.
pub(super) fn stop_signal() -> watch::Receiver<bool> {
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        interrupt().await;
        tell!("Stopping in good order. Interrupt again to stop at once.");
        let _ = stop.send(true);
        interrupt().await;
        std::process::exit(super::INTERRUPTED.into());
    });
    stopped
}

/// Hang-ups (SIGHUP), by which services are told to read their configuration again.
pub(super) struct HangUps {
    #[cfg(unix)]
    signals: Option<tokio::signal::unix::Signal>,
}

/// Hears hang-ups from now on, instead of ending at the first.
pub(super) fn hang_up() -> HangUps {
    HangUps {
        #[cfg(unix)]
        signals: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok(),
    }
}

impl HangUps {
    /// The next one.
    pub(super) async fn next(&mut self) {
        #[cfg(unix)]
        if let Some(signals) = &mut self.signals
            && signals.recv().await.is_some()
        {
            return;
        }
        std::future::pending::<()>().await;
    }
}

#[cfg(unix)]
async fn interrupt() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
        }
        Err(_) => {
            let _ = tokio::signal::ctrl_c().await;
        }
    }
}

#[cfg(not(unix))]
async fn interrupt() {
    let _ = tokio::signal::ctrl_c().await;
}

/// Shows an address in the web browser.
pub(super) fn open_url(url: &str) -> anyhow::Result<()> {
    open::that(url).with_context(|| format!("opening {url}"))
}

/// Shows a file in the web browser.
pub(super) fn open(file: &Path) -> anyhow::Result<()> {
    let absolute = std::path::absolute(file)?;
    open::that(&absolute).with_context(|| format!("opening {}", absolute.display()))
}
