//! A machine that is not as it should be: another time, a disk that fails.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// A machine for the commands of a test.
#[derive(Debug, Clone, Default)]
pub(crate) struct Machine {
    preloaded: Vec<PathBuf>,
    environment: Vec<(&'static str, String)>,
}

/// What goes wrong with files below a folder.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    /// `write`, `fsync` or `rename`.
    pub(crate) call: &'static str,
    /// The number of the error.
    pub(crate) error: i32,
    /// How many bytes of each file can be written before that.
    pub(crate) room: u32,
}

/// There is no room on the disk, or none for this user; the disk has a fault.
pub(crate) const ENOSPC: i32 = 28;
pub(crate) const EDQUOT: i32 = 122;
pub(crate) const EIO: i32 = 5;

impl Machine {
    /// Its clock is set to `time`, as libfaketime takes it: `-1h`, `+5d`, `@2026-11-20 07:05:00`. `None` where there is no libfaketime.
    pub(crate) fn at(mut self, time: &str) -> Option<Self> {
        let library = faketime()?;
        if !self.preloaded.contains(&library) {
            self.preloaded.push(library);
        }
        self.environment.extend([
            ("FAKETIME", time.to_owned()),
            ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
            ("TZ", "UTC".to_owned()),
        ]);
        Some(self)
    }

    /// Files whose path has `folder` in it fail.
    pub(crate) fn with_fault(mut self, folder: &str, fault: Fault) -> Self {
        self.preloaded.push(faulty_disk());
        self.environment.extend([
            ("DISK_FOLDER", folder.to_owned()),
            ("DISK_CALL", fault.call.to_owned()),
            ("DISK_ERROR", fault.error.to_string()),
            ("DISK_ROOM", fault.room.to_string()),
        ]);
        self
    }

    /// `command`, to be run on it.
    pub(crate) fn run_on(&self, mut command: Command) -> Command {
        let libraries: Vec<_> = self
            .preloaded
            .iter()
            .map(|library| library.to_str().unwrap())
            .collect();
        if !libraries.is_empty() {
            command.env("LD_PRELOAD", libraries.join(":"));
        }
        command.envs(self.environment.iter().cloned());
        command
    }
}

fn faketime() -> Option<PathBuf> {
    let mut folders = std::fs::read_dir("/usr/lib").ok()?;
    let library = folders.find_map(|entry| {
        let library = entry.ok()?.path().join("faketime/libfaketimeMT.so.1");
        library.exists().then_some(library)
    });
    if library.is_none() {
        assert!(
            std::env::var_os("CI").is_none(),
            "CI needs libfaketime (Debian: libfaketime)"
        );
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED a test: it needs libfaketime (Debian: libfaketime)"
        );
    }
    library
}

/// The library that lets a disk fail, made once.
fn faulty_disk() -> PathBuf {
    static MADE: OnceLock<PathBuf> = OnceLock::new();
    let make = || {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/support/disk.c");
        let library = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("libdisk.so");
        let made = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(&library)
            .args([source, "-ldl"])
            .status()
            .unwrap();
        assert!(made.success());
        library
    };
    MADE.get_or_init(make).clone()
}
