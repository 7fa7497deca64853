//! One send at a time on one store, and a word about who it is.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context as _;
use chrono::{DateTime, TimeDelta, Utc};

/// How often progress is put on record.
const EVERY: Duration = Duration::from_secs(60);

/// The right to send. The operating system takes it back when the process ends, however it ends. The time of the file's last change is that of
/// its holder's last progress.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    noted: Mutex<Instant>,
}

/// What came of asking for the lock.
#[derive(Debug)]
pub(super) enum Asked {
    /// We have it.
    Ours(Lock),
    /// Somebody else has it.
    Theirs {
        /// Who, in words.
        holder: String,
        /// How long ago they got on with their work.
        idle: TimeDelta,
    },
}

/// Asks for the right to send from the store at `store`.
///
/// # Errors
/// When the lock cannot be had at all: its folder cannot be written to, it is a link, or another user's.
pub(super) fn ask(store: &Path, wall: DateTime<Utc>) -> anyhow::Result<Asked> {
    let path = PathBuf::from(format!("{}.lock", store.display()));
    let locking = || format!("locking {}", path.display());
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder
            .create(folder)
            .with_context(|| format!("creating {}", folder.display()))?;
    }
    let mut file = open(&path).with_context(locking)?;
    match file.try_lock() {
        Ok(()) => {
            let since = wall.to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
            let holder = format!("process {} since {since}", std::process::id());
            file.set_len(0).with_context(locking)?;
            file.write_all(holder.as_bytes()).with_context(locking)?;
            let lock = Lock {
                file,
                noted: Mutex::new(Instant::now()),
            };
            lock.note(wall);
            Ok(Asked::Ours(lock))
        }
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let _ = file
                .rewind()
                .and_then(|()| file.read_to_string(&mut holder));
            if holder.is_empty() {
                // It has only just begun, or is just about to end; or it is none of ours.
                "another process".clone_into(&mut holder);
            }
            let changed = file
                .metadata()
                .and_then(|found| found.modified())
                .map(DateTime::<Utc>::from);
            let idle = wall - changed.with_context(locking)?;
            Ok(Asked::Theirs { holder, idle })
        }
        Err(TryLockError::Error(error)) => Err(error).with_context(locking),
    }
}

/// Opens the lock, which nobody else can hold: it is open to its owner only, and leads nowhere else.
fn open(path: &Path) -> anyhow::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
        options.mode(0o600);
        let no_link = rustix::fs::OFlags::NOFOLLOW.bits();
        options.custom_flags(i32::try_from(no_link).unwrap_or_default());
        let file = options.open(path).map_err(|error| {
            let error = anyhow::Error::from(error);
            match path.is_symlink() {
                true => error.context("it is a link: remove it"),
                false => error,
            }
        })?;
        let found = file.metadata()?;
        let user = rustix::process::geteuid().as_raw();
        anyhow::ensure!(
            user == 0 || found.uid() == user,
            "it belongs to another user: remove it, and run every tidings command as the same user"
        );
        if found.permissions().mode() & 0o077 != 0 {
            file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        }
        Ok(file)
    }
    #[cfg(not(unix))]
    Ok(options.open(path)?)
}

impl Lock {
    /// Puts on record that the work gets on.
    pub(super) fn progress(&self, wall: DateTime<Utc>) {
        if let Ok(mut noted) = self.noted.try_lock()
            && noted.elapsed() >= EVERY
        {
            *noted = Instant::now();
            self.note(wall);
        }
    }

    fn note(&self, wall: DateTime<Utc>) {
        // Whoever waits for us is told too early that we are stuck; nothing worse.
        let _ = self.file.set_modified(SystemTime::from(wall));
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // So that nobody reads the name of a process that is gone.
        let _ = self.file.set_len(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_sender_is_told_who_the_first_one_is_and_how_long_it_has_been_idle() {
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("store.db");
        let first = ask(&store, DateTime::UNIX_EPOCH).unwrap();
        let later = DateTime::UNIX_EPOCH + TimeDelta::hours(2);
        let Asked::Theirs { holder, idle } = ask(&store, later).unwrap() else {
            panic!("the lock is taken")
        };
        assert_eq!(
            holder,
            format!("process {} since 1970-01-01T00:00:00Z", std::process::id())
        );
        assert_eq!(idle, TimeDelta::hours(2));
        drop(first);
        assert!(matches!(
            ask(&store, DateTime::UNIX_EPOCH).unwrap(),
            Asked::Ours(_)
        ));
    }

    #[cfg(unix)]
    #[test]
    fn a_lock_is_its_owners_only_and_leads_nowhere() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let store = folder.path().join("store.db");
        let lock = folder.path().join("store.db.lock");
        // As an older version has left it.
        std::fs::write(&lock, "").unwrap();
        std::fs::set_permissions(&lock, std::fs::Permissions::from_mode(0o644)).unwrap();
        drop(ask(&store, DateTime::UNIX_EPOCH).unwrap());
        let mode = std::fs::metadata(&lock).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);

        let elsewhere = folder.path().join("elsewhere");
        std::fs::write(&elsewhere, "precious").unwrap();
        std::fs::remove_file(&lock).unwrap();
        std::os::unix::fs::symlink(&elsewhere, &lock).unwrap();
        let error = ask(&store, DateTime::UNIX_EPOCH).unwrap_err();
        assert!(format!("{error:#}").contains("it is a link"), "{error:#}");
        assert_eq!(std::fs::read_to_string(&elsewhere).unwrap(), "precious");
    }
}
