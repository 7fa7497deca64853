//! The pictures of picked stories: whether they are there, and how large they are.
//!
//! A mail must say how large a picture is before it is loaded, or its text jumps; and a picture that is not there, or is a
//! dot that counts readers, must not be in it at all.

use std::collections::HashMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::StreamExt as _;
use imagesize::ImageType;
use url::Url;

use super::FetchOptions;
use super::fetch::Fetcher;
use crate::model::Picture;

/// How many pictures are fetched at a time.
const AT_A_TIME: usize = 8;

/// How long an edition waits for its pictures; it goes out with those that have come by then.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a phone can show without shrinking it, in pixels; smaller ones are icons.
const NARROWEST: usize = 280;

/// Fetches the pictures at `urls`, and gives those that a mail can show: of a kind that mail programs know, no larger than
/// `max_bytes`, wide enough, and not taller than wide.
///
/// # Errors
/// Only when no HTTP client can be set up on this machine.
pub async fn find_pictures(
    urls: Vec<Url>,
    options: &FetchOptions,
    max_bytes: u64,
    wall: DateTime<Utc>,
) -> anyhow::Result<HashMap<Url, Picture>> {
    let fetcher = Fetcher::new(&FetchOptions {
        max_bytes,
        ..options.clone()
    })?;
    let look = |url: Url| {
        let fetcher = &fetcher;
        async move {
            let page = fetcher.fetch_page(&url, wall).await;
            let found = page
                .map_err(|failure| failure.to_string())
                .and_then(|page| picture(&url, &page.bytes));
            match found {
                Ok(picture) => Some((url, picture)),
                Err(reason) => {
                    tracing::info!(%url, reason, "no picture");
                    None
                }
            }
        }
    };
    let mut looking = futures::stream::iter(urls)
        .map(look)
        .buffer_unordered(AT_A_TIME);
    let mut found = HashMap::new();
    let all = async {
        while let Some(one) = looking.next().await {
            found.extend(one);
        }
    };
    let _ = tokio::time::timeout(PATIENCE, all).await;
    drop(looking);
    Ok(found)
}

/// The picture that `bytes` are, if a mail can show it.
fn picture(url: &Url, bytes: &[u8]) -> Result<Picture, String> {
    let kind = imagesize::image_type(bytes).map_err(|_| "it is no picture".to_owned())?;
    // Outlook for Windows and Gmail know no others.
    if !matches!(kind, ImageType::Jpeg | ImageType::Png | ImageType::Gif) {
        return Err(format!("mail programs do not know {kind:?}"));
    }
    let size = imagesize::blob_size(bytes).map_err(|error| error.to_string())?;
    if size.width < NARROWEST || size.height > size.width || size.height * 4 < size.width {
        return Err(format!("{} by {} pixels", size.width, size.height));
    }
    let pixels = |size| u32::try_from(size).map_err(|_| "it is too large".to_owned());
    Ok(Picture {
        url: url.to_string(),
        width: pixels(size.width)?,
        height: pixels(size.height)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The beginning of a PNG file of that size.
    fn png(width: u32, height: u32) -> Vec<u8> {
        let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
        bytes.extend(width.to_be_bytes());
        bytes.extend(height.to_be_bytes());
        bytes.extend([8, 2, 0, 0, 0, 0, 0, 0, 0]);
        bytes
    }

    #[test]
    fn only_what_a_mail_can_show_is_a_picture() {
        let url: Url = "https://example.org/a.png".parse().unwrap();
        let size = |bytes: &[u8]| {
            let picture = picture(&url, bytes);
            picture.map(|picture| (picture.width, picture.height))
        };
        assert_eq!(size(&png(1200, 675)), Ok((1200, 675)));
        for (bytes, reason) in [
            (png(1, 1), "1 by 1 pixels"),
            (png(600, 900), "600 by 900 pixels"),
            (png(970, 90), "970 by 90 pixels"),
            (b"<html>gone</html>".to_vec(), "it is no picture"),
            (
                b"RIFF\x24\0\0\0WEBPVP8 ".to_vec(),
                "mail programs do not know Webp",
            ),
            (Vec::new(), "it is no picture"),
        ] {
            assert_eq!(size(&bytes), Err(reason.to_owned()));
        }
    }
}
