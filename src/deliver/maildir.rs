//! Into a Maildir: written under `tmp`, on the disk, then moved to `new`, where any mail client finds it.

use std::path::Path;

use anyhow::Context as _;
use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;

use super::message::Mail;
use crate::model::Outcome;

/// Makes the folders.
pub(super) async fn create(path: &Path) -> anyhow::Result<()> {
    for folder in ["tmp", "new", "cur"] {
        let folder = path.join(folder);
        tokio::fs::create_dir_all(&folder)
            .await
            .with_context(|| format!("creating {}", folder.display()))?;
    }
    Ok(())
}

/// Puts `mail` into the Maildir. Its file name is made of the Message-ID, so a mail that is stored twice
/// is there once.
pub(super) async fn store(path: &Path, mail: &Mail) -> anyhow::Result<Outcome> {
    create(path).await?;
    let hash: String = Sha256::digest(&mail.message_id)
        .iter()
        .take(10)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let name = format!("{}.{hash}.tidings", mail.date.timestamp());
    let temporary = path.join("tmp").join(&name);
    let failed = || format!("writing {}", temporary.display());
    // Files end their lines as the system does; CRLF belongs to the wire.
    let bytes = String::from_utf8_lossy(&mail.bytes).replace("\r\n", "\n");
    let mut file = tokio::fs::File::create(&temporary)
        .await
        .with_context(failed)?;
    file.write_all(bytes.as_bytes())
        .await
        .with_context(failed)?;
    file.sync_all().await.with_context(failed)?;
    tokio::fs::rename(&temporary, path.join("new").join(&name))
        .await
        .with_context(failed)?;
    // The name must survive a power cut as well as the mail.
    if let Ok(folder) = tokio::fs::File::open(path.join("new")).await {
        folder.sync_all().await.with_context(failed)?;
    }
    Ok(Outcome::Accepted)
}
