//! Into a Maildir: written under `tmp`, on the disk, then moved to `new`, where any mail client finds it.
//!
//! A mail counts as stored when its bytes and its name are on the disk. Its name is made of its Message-ID, so that storing it twice is as
//! good as once: a Maildir has no delivery of which nobody knows whether it went out.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};

use super::message::Mail;
use crate::model::Outcome;

/// How the names of our mails end.
const OURS: &str = ".tidings";

/// A Maildir that mails are put into.
#[derive(Debug)]
pub(super) struct Maildir {
    path: PathBuf,
    /// What earlier processes left in `tmp` was taken away.
    is_clean: bool,
}

/// Whether a mail may be there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Try {
    /// It was never tried.
    First,
    /// It was, and what became of that is not known.
    Again,
}

impl Maildir {
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            is_clean: false,
        }
    }

    /// Puts `mail` into it.
    ///
    /// # Errors
    /// When it could not be written; nothing of it is left then.
    pub(super) async fn store(&mut self, mail: &Mail, tried: Try) -> anyhow::Result<Outcome> {
        let hash: String = Sha256::digest(&mail.message_id)
            .iter()
            .take(10)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let name = format!("{}.{hash}{OURS}", mail.date.timestamp());
        // Files end their lines as the system does; CRLF belongs to the wire.
        let text = String::from_utf8_lossy(&mail.bytes).replace("\r\n", "\n");
        let path = self.path.clone();
        let clean = !std::mem::replace(&mut self.is_clean, true);
        let storing = tokio::task::spawn_blocking(move || {
            create(&path)?;
            if clean {
                take_leftovers_away(&path)?;
            }
            // A mail client moves what it has seen to `cur`, and adds flags to its name.
            if tried == Try::Again && is_in(&path.join("cur"), &name)? {
                return Ok(());
            }
            store(&path, &name, text.as_bytes())
        });
        storing.await.context("writing to the Maildir")??;
        Ok(Outcome::Accepted)
    }
}

/// Makes the folders, for their owner only.
pub(super) fn create(path: &Path) -> anyhow::Result<()> {
    for folder in ["tmp", "new", "cur"] {
        let folder = path.join(folder);
        if folder.is_dir() {
            continue;
        }
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder
            .create(&folder)
            .with_context(|| format!("creating {}", folder.display()))?;
    }
    Ok(())
}

/// Makes sure that mails can be written, by writing a file and taking it away again.
pub(super) fn probe(path: &Path) -> anyhow::Result<()> {
    create(path)?;
    let probe = path.join("tmp").join(format!("probe{OURS}"));
    let written = write(&probe, b"probe");
    let _ = std::fs::remove_file(&probe);
    written.with_context(|| format!("writing {}", probe.display()))
}

fn store(path: &Path, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
    let temporary = path.join("tmp").join(name);
    let stored = write(&temporary, bytes).and_then(|()| {
        let new = path.join("new");
        std::fs::rename(&temporary, new.join(name))?;
        // The name must survive a power cut as well as the mail.
        File::open(new)?.sync_all()
    });
    if stored.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    stored.with_context(|| format!("writing {}", temporary.display()))
}

/// Writes a file that only its owner can read; all of it is on the disk when this returns.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    // As long as it is locked, it is no leftover.
    let _ = file.try_lock();
    file.write_all(bytes)?;
    file.sync_all()
}

/// Takes away what killed processes have left in `tmp`: our files that nobody has locked.
fn take_leftovers_away(path: &Path) -> anyhow::Result<()> {
    let folder = path.join("tmp");
    let reading = || format!("reading {}", folder.display());
    for entry in std::fs::read_dir(&folder).with_context(reading)? {
        let file = entry.with_context(reading)?.path();
        let is_ours = file.to_string_lossy().ends_with(OURS);
        if is_ours && File::open(&file).is_ok_and(|file| file.try_lock().is_ok()) {
            let _ = std::fs::remove_file(&file);
        }
    }
    Ok(())
}

/// Whether a mail of that name is in a folder of mails that were seen.
fn is_in(folder: &Path, name: &str) -> anyhow::Result<bool> {
    let reading = || format!("reading {}", folder.display());
    for entry in std::fs::read_dir(folder).with_context(reading)? {
        let seen = entry.with_context(reading)?.file_name();
        if seen.to_string_lossy().split(':').next() == Some(name) {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_by_a_killed_process_is_taken_away_and_what_is_written_now_is_not() {
        let folder = tempfile::tempdir().unwrap();
        create(folder.path()).unwrap();
        let tmp = folder.path().join("tmp");
        for name in ["left.tidings", "now.tidings", "of another program"] {
            std::fs::write(tmp.join(name), "half a ma").unwrap();
        }
        let writing = File::open(tmp.join("now.tidings")).unwrap();
        writing.try_lock().unwrap();
        take_leftovers_away(folder.path()).unwrap();
        let mut left: Vec<_> = std::fs::read_dir(&tmp)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        left.sort();
        assert_eq!(left, ["now.tidings", "of another program"]);
    }

    #[test]
    fn a_mail_that_was_seen_is_found_under_its_new_name() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("1.ab.tidings:2,S"), "a mail").unwrap();
        assert!(is_in(folder.path(), "1.ab.tidings").unwrap());
        assert!(!is_in(folder.path(), "1.abc.tidings").unwrap());
    }
}
