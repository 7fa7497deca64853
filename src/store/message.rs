//! What a database says, for an operator: one sentence and the cure, without the words of its source code.

/// The error with its contexts, down to what the database said, which is told once and with a cure.
pub fn describe(error: &anyhow::Error) -> String {
    let mut parts: Vec<String> = Vec::new();
    for cause in error.chain() {
        if let Some(database) = cause.downcast_ref::<sqlx::Error>() {
            parts.push(sentence(database));
            break;
        }
        let said = cause.to_string();
        // Some errors repeat their cause.
        if parts.last().is_none_or(|last| !last.ends_with(&said)) {
            parts.push(said);
        }
    }
    parts.join(": ")
}

/// What went wrong, and the cure where there is one.
fn sentence(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(database) => {
            let code = database.code().unwrap_or_default();
            let said = database.message();
            match cure(&code) {
                Some(cure) => format!("{said}: {cure}"),
                None => format!("{said} (code {code})"),
            }
        }
        sqlx::Error::Io(io) => format!(
            "the database server cannot be reached ({io}): is it running, and are the host and the port right (store.url)?"
        ),
        sqlx::Error::Tls(tls) => format!("no secure connection to the database server: {tls}"),
        sqlx::Error::PoolTimedOut => {
            "no connection to the database was free in time: it is too busy, or allows too few connections".to_owned()
        }
        sqlx::Error::PoolClosed => "the store is closed".to_owned(),
        error => error.to_string(),
    }
}

/// What an operator can do about an error of that code: SQLSTATE of PostgreSQL, or SQLite's number.
fn cure(code: &str) -> Option<&'static str> {
    Some(match code {
        "28P01" => {
            "set the password in TIDINGS_STORE_PASSWORD, or name a file with it (store.password_file)"
        }
        "28000" => "let this user in (pg_hba.conf), or name another one (store.url)",
        "3D000" => "make it with `createdb`, or name another one (store.url)",
        "42501" => {
            "give this user the rights: GRANT ALL ON ALL TABLES IN SCHEMA public, and CREATE ON SCHEMA public"
        }
        "53100" => "make room on the disk of the database server",
        "53300" => "raise max_connections; `tidings serve` needs six",
        "57P01" | "57P02" | "57P03" => "the server is starting or ending; try again in a moment",
        "25006" => "it only reads: is it a replica?",
        _ if code.len() == 5 => return None,
        code => match code.parse::<u32>().ok()? & 0xff {
            5 | 6 => "another program is writing to it; try again in a moment",
            8 => "make the file and its folder writable for this user",
            10 => "the disk has a fault: look at the system's log",
            11 => "the file is damaged: put a backup in its place (`tidings check` says more)",
            13 => "make room on the disk; nothing is lost, and the next run goes on",
            14 => "make the file and its folder readable for this user",
            26 => {
                "it is no SQLite database: name another file (store.url), or put a backup in its place"
            }
            _ => return None,
        },
    })
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[tokio::test]
    async fn what_a_database_says_is_told_once_and_with_a_cure() {
        sqlx::any::install_default_drivers();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("no-database");
        std::fs::write(
            &file,
            "This is a letter, and no database at all. ".repeat(40),
        )
        .unwrap();
        let options = format!("sqlite:{}", file.display());
        let mut connection = <sqlx::AnyConnection as sqlx::Connection>::connect(&options)
            .await
            .unwrap();
        let error = sqlx::query("SELECT * FROM sqlite_schema")
            .fetch_all(&mut connection)
            .await
            .map(|_| ())
            .context("opening the store");
        assert_eq!(
            describe(&error.unwrap_err()),
            "opening the store: file is not a database: it is no SQLite database: name another file (store.url), or put a \
             backup in its place"
        );
    }
}
