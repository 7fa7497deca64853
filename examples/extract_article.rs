//! Reads a page from standard input and prints the article that Tidings finds in it, as JSON.
//!
//! The last argument is the address of the page.
//!
//!     curl -s https://example.org/a | cargo run --example extract_article -- https://example.org/a

use std::io::{Read as _, Write as _};

use serde_json::json;
use url::Url;

fn main() -> anyhow::Result<()> {
    let mut bytes = Vec::new();
    std::io::stdin().read_to_end(&mut bytes)?;
    let address = std::env::args().next_back().unwrap_or_default();
    let url = Url::parse(&address).or_else(|_| Url::parse("https://example.org/"))?;
    let found = match tidings::collect::extract(&String::from_utf8_lossy(&bytes), &url) {
        Ok(article) => json!({
            "articleBody": article.text, "title": article.title, "image": article.image, "published": article.published,
        }),
        Err(error) => {
            json!({ "articleBody": "", "title": null, "image": null, "published": null, "error": error })
        }
    };
    writeln!(std::io::stdout(), "{found}")?;
    Ok(())
}
