//! A real SMTP receiver (aiosmtpd) and an independent mail parser (Python's email), as processes.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

use serde::Deserialize;

const SUPPORT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/support");

/// A Python that has aiosmtpd. In CI its absence is a failure; elsewhere the test is skipped, and says so.
fn python() -> Option<&'static str> {
    static PYTHON: OnceLock<Option<&'static str>> = OnceLock::new();
    *PYTHON.get_or_init(|| {
        let has_aiosmtpd = |python: &&str| {
            let check = Command::new(python)
                .args(["-c", "import aiosmtpd"])
                .stderr(Stdio::null())
                .status();
            check.is_ok_and(|status| status.success())
        };
        let found = ["python3", "/usr/bin/python3"]
            .into_iter()
            .find(has_aiosmtpd);
        assert!(
            found.is_some() || std::env::var_os("CI").is_none(),
            "CI needs aiosmtpd (Debian: python3-aiosmtpd)"
        );
        found
    })
}

/// A mail as the receiver took it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Received {
    pub(crate) file: PathBuf,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) tls: bool,
    pub(crate) login: bool,
}

/// A receiver on a port of its own; ends with the test.
pub(crate) struct Receiver {
    pub(crate) port: u16,
    process: Child,
    output: BufReader<ChildStdout>,
    _folder: tempfile::TempDir,
}

impl Receiver {
    /// Starts one; `None` where there is no aiosmtpd. `security` as `receiver.py` takes it.
    pub(crate) fn start(security: &[&str]) -> Option<Self> {
        let Some(python) = python() else {
            // Not `eprintln!`, which the test harness would hide.
            let _ = writeln!(
                std::io::stderr(),
                "SKIPPED a test: it needs Python with aiosmtpd (Debian: python3-aiosmtpd)"
            );
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let mut process = Command::new(python)
            .arg(Path::new(SUPPORT).join("receiver.py"))
            .arg(folder.path())
            .args(security)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut port = String::new();
        output.read_line(&mut port).unwrap();
        Some(Self {
            port: port.trim().parse().unwrap(),
            process,
            output,
            _folder: folder,
        })
    }

    /// Waits for the next mail.
    pub(crate) fn next(&mut self) -> Received {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    /// Stops receiving and returns all mails that were not waited for. Their files stay as long as this does.
    pub(crate) fn rest(&mut self) -> Vec<Received> {
        drop(self.process.stdin.take());
        let lines = self.output.by_ref().lines().map(|line| line.unwrap());
        lines
            .map(|line| serde_json::from_str(&line).unwrap())
            .collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A mail as Python's email package sees it.
#[derive(Debug, Deserialize)]
pub(crate) struct Inspected {
    #[serde(rename = "type")]
    pub(crate) content_type: String,
    headers: Vec<(String, String)>,
    pub(crate) defects: Vec<String>,
    pub(crate) parts: Vec<(String, String)>,
    pub(crate) longest_line: usize,
    pub(crate) ascii: bool,
    pub(crate) bare_newlines: usize,
}

impl Inspected {
    /// The one header of that name.
    pub(crate) fn header(&self, name: &str) -> &str {
        let values: Vec<&str> = self
            .headers
            .iter()
            .filter(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .collect();
        assert_eq!(values.len(), 1, "{name}: {values:?}");
        values[0]
    }
}

/// Parses mails, in the order given.
pub(crate) fn inspect(files: &[PathBuf]) -> Vec<Inspected> {
    let python = python().unwrap_or("python3");
    let output = Command::new(python)
        .arg(Path::new(SUPPORT).join("inspect_mail.py"))
        .args(files)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}
