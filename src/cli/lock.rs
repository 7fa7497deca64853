//! One send at a time on one store, and a word about who it is.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use chrono::{DateTime, Utc};

/// The right to send. The operating system takes it back when the process ends, however it ends.
#[derive(Debug)]
pub(super) struct SendLock {
    file: File,
}

/// What came of asking for the lock.
#[derive(Debug)]
pub(super) enum Asked {
    /// We have it.
    Ours(SendLock),
    /// Somebody else has it.
    Theirs {
        /// Who, in words.
        holder: String,
        /// Since when, as far as they said.
        since: Option<DateTime<Utc>>,
    },
}

/// Asks for the right to send from the store at `store`.
pub(super) fn ask(store: &Path, wall: DateTime<Utc>) -> anyhow::Result<Asked> {
    let path = PathBuf::from(format!("{}.lock", store.display()));
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("creating {}", folder.display()))?;
    }
    let open = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path);
    let mut file = open.with_context(|| format!("opening the lock {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => {
            let since = wall.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
            let holder = format!("process {} since {since}", std::process::id());
            file.set_len(0)?;
            file.write_all(holder.as_bytes())?;
            Ok(Asked::Ours(SendLock { file }))
        }
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let _ = file
                .rewind()
                .and_then(|()| file.read_to_string(&mut holder));
            if holder.is_empty() {
                // It has only just begun, or is just about to end.
                "another process".clone_into(&mut holder);
            }
            let since = holder
                .rsplit_once(" since ")
                .and_then(|(_, since)| DateTime::parse_from_rfc3339(since).ok());
            let since = since.map(|since| since.to_utc());
            Ok(Asked::Theirs { holder, since })
        }
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("locking {}", path.display()))
        }
    }
}

impl Drop for SendLock {
    fn drop(&mut self) {
        // So that nobody reads the name of a process that is gone.
        let _ = self.file.set_len(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_sender_is_told_who_the_first_one_is() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("store.db");
        let first = ask(&store, DateTime::UNIX_EPOCH).unwrap();
        let Asked::Theirs { holder, since } = ask(&store, DateTime::UNIX_EPOCH).unwrap() else {
            panic!("the lock is taken")
        };
        assert_eq!(
            holder,
            format!("process {} since 1970-01-01T00:00:00Z", std::process::id())
        );
        assert_eq!(since, Some(DateTime::UNIX_EPOCH));
        drop(first);
        assert!(matches!(
            ask(&store, DateTime::UNIX_EPOCH).unwrap(),
            Asked::Ours(_)
        ));
    }
}
