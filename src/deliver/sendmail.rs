//! Through the system's sendmail program, which queues and retries by itself.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use super::message::Mail;
use crate::model::{About, Outcome, Refusal};

/// A local program that takes longer than this to queue one mail is stuck.
const LIMIT: Duration = Duration::from_secs(300);

/// Exit codes of sysexits.h that mean "never": EX_DATAERR, EX_NOHOST, and that there is no such user: EX_NOUSER.
const NEVER: [i32; 2] = [65, 68];
const NO_USER: i32 = 67;

/// Makes sure that the program is there.
pub(super) async fn probe(command: &Path) -> anyhow::Result<()> {
    tokio::fs::metadata(command)
        .await
        .with_context(|| format!("looking for {}", command.display()))?;
    Ok(())
}

/// Hands `mail` to the program. `-i`: a line with a single dot does not end the message.
pub(super) async fn send(command: &Path, mail: &Mail) -> anyhow::Result<Outcome> {
    let mut child = Command::new(command)
        .args(["-i", "-f", mail.from.as_str(), "--", mail.to.as_str()])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("starting {}", command.display()))?;
    let mut stdin = child
        .stdin
        .take()
        .context("the program has no standard input")?;
    // A program that refuses the mail may close its input early; its exit code says why.
    let work = async {
        let _ = stdin.write_all(&mail.bytes).await;
        drop(stdin);
        child.wait_with_output().await
    };
    let Ok(output) = tokio::time::timeout(LIMIT, work).await else {
        return Ok(Outcome::Unknown(format!(
            "{} did not end within {} s",
            command.display(),
            LIMIT.as_secs()
        )));
    };
    let output = output.with_context(|| format!("waiting for {}", command.display()))?;
    let said = format!(
        "{}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(match output.status.code() {
        Some(0) => Outcome::Accepted,
        Some(NO_USER) => Outcome::Rejected(Refusal {
            about: About::Recipient,
            text: format!("550 5.1.1 {said}"),
        }),
        Some(code) if NEVER.contains(&code) => Outcome::Rejected(Refusal::of_ours(said)),
        _ => Outcome::Deferred(Refusal::of_ours(said)),
    })
}
