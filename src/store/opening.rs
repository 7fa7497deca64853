//! Opening a store: found or made, known or foreign, current or older.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use sqlx::{AnyConnection, Connection as _, Executor as _};

use super::engine::Engine;
use super::migrations::{KNOWN, Version, migrate};
use super::pool::Pool;
use super::{Store, StoreUrl};

impl Store {
    /// Opens the store of `newsletter` at `url`, creating it and bringing it up to date where necessary, with the one connection
    /// that a command needs.
    ///
    /// # Errors
    /// When it cannot be opened, is empty, damaged or another program's, was written by a newer Tidings, or holds another newsletter.
    pub async fn open(url: &StoreUrl, newsletter: &str) -> anyhow::Result<Self> {
        let opened = open(url, newsletter).await;
        let (engine, connection, is_new) =
            opened.with_context(|| format!("opening the store {url}"))?;
        Ok(Self {
            pool: Pool::of_command(engine, connection),
            is_new,
        })
    }

    /// Opens it as [`Store::open`] does, for the pages: with connections beside it for those who only read, and for those who
    /// unsubscribe.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn open_for_pages(url: &StoreUrl, newsletter: &str) -> anyhow::Result<Self> {
        let opening = || format!("opening the store {url}");
        let (engine, connection, is_new) = open(url, newsletter).await.with_context(opening)?;
        let pool = Pool::of_pages(engine, connection);
        Ok(Self {
            pool: pool.await.with_context(opening)?,
            is_new,
        })
    }

    /// Whether there is an older store at `url` that [`Store::open`] would bring up to date.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn is_behind(url: &StoreUrl) -> anyhow::Result<bool> {
        let opening = || format!("opening the store {url}");
        if let Some(path) = url.file()
            && !is_there(path).with_context(opening)?
        {
            return Ok(false);
        }
        let engine = Engine::to_read(url)?;
        let mut connection = engine.connect().await.with_context(opening)?;
        let version = Version::of(&engine, &mut connection).await;
        let version = version.with_context(opening)?;
        connection.close().await?;
        Ok((1..KNOWN).contains(&version.seen))
    }
}

async fn open(url: &StoreUrl, newsletter: &str) -> anyhow::Result<(Engine, AnyConnection, bool)> {
    let mut is_new = false;
    if let Some(path) = url.file() {
        is_new = find_or_make(path, newsletter).await?;
    }
    let engine = Engine::at(url)?;
    let mut connection = engine.connect().await?;
    if engine.dialect.embedded {
        // A copy that `VACUUM INTO` has made has forgotten it.
        connection.execute("PRAGMA journal_mode = WAL").await?;
    }
    let has_schema = ensure_ours(&engine, &mut connection).await?;
    migrate(&engine, &mut connection, KNOWN).await?;
    belong_to(&mut connection, newsletter).await?;
    Ok((engine, connection, is_new || !has_schema))
}

/// Makes sure that there is a file; returns whether it had to be made.
async fn find_or_make(path: &Path, newsletter: &str) -> anyhow::Result<bool> {
    if is_there(path)? {
        close_to_strangers(path);
        return Ok(false);
    }
    make(path, newsletter).await
}

/// Whether there is a file that may be a store.
pub(super) fn is_there(path: &Path) -> anyhow::Result<bool> {
    match std::fs::metadata(path) {
        Ok(found) => {
            anyhow::ensure!(found.is_file(), "it is no file");
            // SQLite would take it for a new one, and nobody would notice that everything is gone.
            anyhow::ensure!(
                found.len() > 0,
                "the file is empty: put a backup in its place, or delete it to begin anew"
            );
            Ok(true)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).context("looking for its file"),
    }
}

/// Makes a store beside its place and moves it there when it is whole: a process that dies meanwhile leaves nothing that looks
/// like one. Returns whether it was this process that made it.
async fn make(path: &Path, newsletter: &str) -> anyhow::Result<bool> {
    let log = with_suffix(path, "-wal");
    anyhow::ensure!(
        !log.exists(),
        "the file is missing, but its log {} is there: put the file back, or delete the log to begin anew",
        log.display()
    );
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder {
        create_private_folder(folder)
            .with_context(|| format!("creating its folder {}", folder.display()))?;
    }
    let new = with_suffix(path, &format!(".new-{}", std::process::id()));
    let making = || format!("making {}", new.display());
    let made = async {
        create_private(&new)?;
        let engine = Engine::at(&StoreUrl::Sqlite(new.clone()))?;
        let mut connection = engine.connect().await?;
        connection.execute("PRAGMA journal_mode = WAL").await?;
        migrate(&engine, &mut connection, KNOWN).await?;
        belong_to(&mut connection, newsletter).await?;
        connection.close().await?;
        // Fails where there is one by now: another process was faster, and both use that one.
        match std::fs::hard_link(&new, path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            // A file system without links.
            Err(_) => std::fs::rename(&new, path)
                .map(|()| true)
                .map_err(Into::into),
        }
    };
    let made: anyhow::Result<bool> = made.await;
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let _ = std::fs::remove_file(with_suffix(&new, suffix));
    }
    let made = made.with_context(making)?;
    if let Some(folder) = folder {
        std::fs::File::open(folder)?.sync_all()?;
    }
    Ok(made)
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Makes an empty file that only its owner can read: it will hold people's addresses. SQLite gives its side files the same permissions.
fn create_private(path: &Path) -> io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

fn create_private_folder(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Takes from everybody but its owner and its group what they may do with the file.
fn close_to_strangers(path: &Path) {
    #[cfg(unix)]
    for path in ["", "-wal", "-shm"].map(|suffix| with_suffix(path, suffix)) {
        use std::os::unix::fs::PermissionsExt as _;
        let Ok(found) = std::fs::metadata(&path) else {
            continue;
        };
        let mode = found.permissions().mode();
        if mode & 0o007 != 0 {
            let closed = std::fs::Permissions::from_mode(mode & 0o770);
            match std::fs::set_permissions(&path, closed) {
                Ok(()) => tracing::warn!(
                    "{} was open to everybody on this machine; it is not any more.",
                    path.display()
                ),
                Err(error) => tracing::warn!(
                    "{} is open to everybody on this machine, and this could not be changed ({error}): use chmod o-rwx.",
                    path.display()
                ),
            }
        }
    }
}

/// The mark of our files, as migration 7 leaves it (`application_id`).
const OURS: i64 = 0x5469_6469;

/// Makes sure that the database is ours, or has nothing in it where that is no sign of a loss. Returns whether it has our schema.
pub(super) async fn ensure_ours(
    engine: &Engine,
    connection: &mut AnyConnection,
) -> anyhow::Result<bool> {
    let foreign = "it is a database of another program: name another one (store.url)";
    if engine.dialect.embedded {
        let owner: i64 = sqlx::query_scalar("PRAGMA application_id")
            .fetch_one(&mut *connection)
            .await?;
        let settings: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM sqlite_schema WHERE name IN ('setting', 'subscriber', 'edition')",
        )
        .fetch_one(&mut *connection)
        .await?;
        let tables: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM sqlite_schema")
            .fetch_one(&mut *connection)
            .await?;
        anyhow::ensure!(
            tables > 0,
            "the database in it has no tables: put a backup in its place, or delete it to begin anew"
        );
        anyhow::ensure!([0, OURS].contains(&owner) && settings == 3, foreign);
        return Ok(true);
    }
    if Version::of(engine, connection).await?.needs > 0 {
        return Ok(true);
    }
    let others: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM information_schema.tables
         WHERE table_schema = current_schema() AND table_name IN ('setting', 'subscriber', 'edition', 'item', 'feed')",
    )
    .fetch_one(&mut *connection)
    .await?;
    anyhow::ensure!(others == 0, foreign);
    Ok(false)
}

/// A store holds one newsletter: its subscribers have agreed to get that one, and no other.
pub(super) async fn belong_to(
    connection: &mut AnyConnection,
    newsletter: &str,
) -> anyhow::Result<()> {
    let known = match setting(connection, "newsletter").await? {
        Some(known) => known,
        None => {
            sqlx::query(
                "INSERT INTO setting (key, value) VALUES ('newsletter', $1) ON CONFLICT DO NOTHING",
            )
            .bind(newsletter)
            .execute(&mut *connection)
            .await?;
            setting(connection, "newsletter").await?.unwrap_or_default()
        }
    };
    ensure_in_use(connection, &known, newsletter).await
}

/// Makes sure that a store, which `known` owns, is that of `newsletter` and still in use.
pub(super) async fn ensure_in_use(
    connection: &mut AnyConnection,
    known: &str,
    newsletter: &str,
) -> anyhow::Result<()> {
    if let Some(moved) = setting(connection, "moved_to").await? {
        anyhow::bail!(
            "it was copied into {moved}, and is out of use since then: name that one in the configuration (store.url)"
        );
    }
    anyhow::ensure!(
        known == newsletter,
        "it holds the newsletter “{known}”, and this configuration is for “{newsletter}”; name another store \
         (store.url), or put newsletter.id back, which must never change"
    );
    Ok(())
}

pub(super) async fn setting(
    connection: &mut AnyConnection,
    key: &str,
) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar("SELECT value FROM setting WHERE key = $1")
        .bind(key)
        .fetch_optional(connection)
        .await
}
