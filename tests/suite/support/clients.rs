//! What mail programs, validators, browsers and spam filters say of what we write, as processes.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

const CLIENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients");

/// What was found in a file.
#[derive(Debug, Deserialize)]
pub(crate) struct Found {
    pub(crate) file: PathBuf,
    pub(crate) problems: Vec<String>,
}

/// Whether a tool is there. In CI its absence is a failure; elsewhere the test is skipped, and says so.
fn has(tool: &str, is_there: bool, cure: &str) -> bool {
    use std::io::Write as _;
    assert!(
        is_there || std::env::var_os("CI").is_none(),
        "CI needs {tool} ({cure})"
    );
    if !is_there {
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED a test: it needs {tool} ({cure})"
        );
    }
    is_there
}

fn runs(program: &str) -> bool {
    let mut command = Command::new(program);
    let silent = command
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    silent.status().is_ok_and(|status| status.success())
}

fn node(script: &str, arguments: &[&str], files: &[PathBuf]) -> Vec<Found> {
    let output = Command::new("node")
        .arg(Path::new(CLIENTS).join(script))
        .args(arguments)
        .args(files)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let found: Vec<Found> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(found.len(), files.len().max(1));
    found
}

fn has_packages() -> bool {
    let is_there = Path::new(CLIENTS).join("node_modules/caniemail").exists() && runs("node");
    has(
        "Node.js with the packages of tests/clients",
        is_there,
        "npm ci --prefix tests/clients",
    )
}

/// What mail programs do not know, and what is wrong as HTML; `None` where nobody can tell. `kind` is `mail` or `page`.
pub(crate) fn check(kind: &str, files: &[PathBuf]) -> Option<Vec<Found>> {
    has_packages().then(|| node("check.mjs", &[kind], files))
}

/// What a browser and axe-core have against them, at many widths, by day and by night; `None` where there is no browser.
pub(crate) fn browse(files: &[PathBuf]) -> Option<Vec<Found>> {
    Some(node("browse.mjs", &[&chromium()?], files))
}

/// The path of Chromium, where it and what drives it are there.
fn chromium() -> Option<String> {
    let chromium = ["chromium", "chromium-browser", "google-chrome"]
        .into_iter()
        .find(|program| runs(program));
    if !has("Chromium", chromium.is_some(), "Debian: chromium") || !has_packages() {
        return None;
    }
    let which = Command::new("which").arg(chromium?).output().unwrap();
    let path = String::from_utf8(which.stdout).unwrap();
    Some(path.trim().to_owned())
}

/// What Chromium finds that does what readers do, in that language and with scripts or without, on the pages at `url`, whose letters go to `maildir`; `None` where
/// there is none. `words` are what the pages say.
pub(crate) fn read_along(
    url: &str,
    maildir: &Path,
    language: &str,
    words: &serde_json::Value,
    scripts: bool,
) -> Option<Vec<Found>> {
    let chromium = chromium()?;
    let maildir = maildir.to_str().unwrap();
    let scripts = if scripts { "yes" } else { "no" };
    let arguments = [
        &*chromium,
        url,
        maildir,
        language,
        &*words.to_string(),
        scripts,
    ];
    Some(node("readers.mjs", &arguments, &[]))
}

/// The score that SpamAssassin gives a mail, without asking the network; `None` where there is none.
pub(crate) fn spam_score(mail: &Path) -> Option<f64> {
    if !has("SpamAssassin", runs("spamassassin"), "Debian: spamassassin") {
        return None;
    }
    let home = tempfile::tempdir().unwrap();
    let output = Command::new("spamassassin")
        .args(["-L", "-t"])
        // It writes its preferences home.
        .env("HOME", home.path())
        .stdin(std::fs::File::open(mail).unwrap())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let (_, rest) = text
        .split_once("X-Spam-Status:")
        .unwrap_or_else(|| panic!("{text}"));
    let (_, score) = rest.split_once("score=").unwrap();
    Some(score.split_whitespace().next().unwrap().parse().unwrap())
}
