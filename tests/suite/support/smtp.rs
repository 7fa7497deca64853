//! An SMTP server of our own that can go wrong in every way, and keeps account of what it took.
//!
//! What happens to a mail says the local part of its recipient, up to the first hyphen:
//!
//! | word | what the server does |
//! |-|-|
//! | `refused` | 550 after RCPT |
//! | `refusedslow` | 550 after RCPT, wants the message all the same, and refuses that too late |
//! | `norelay` | 550 after RCPT, in words that mean the sender |
//! | `full` | 552 5.2.2 after the message |
//! | `policy` | 550 5.7.26 after the message |
//! | `later` | 451 after RCPT, each time |
//! | `once` | 451 after RCPT, the first time |
//! | `hang` | no answer to RCPT |
//! | `hangdata` | no answer to the message |
//! | `before` | closes the connection in the message |
//! | `after` | takes the message and closes the connection instead of an answer |
//! | `garbage` | answers the message with what is no answer, and takes it |

use std::collections::{HashMap, HashSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// What the server took.
#[derive(Debug, Default)]
struct Account {
    /// How often each recipient got a mail.
    taken: HashMap<String, u32>,
    messages: usize,
    /// The recipients, in the order in which their mail was taken.
    order: Vec<String>,
    /// The latest message of each recipient, if messages are kept.
    mails: HashMap<String, Vec<u8>>,
    /// Envelope senders, by recipient.
    senders: HashMap<String, String>,
    put_off: HashSet<String>,
}

#[derive(Default)]
struct Shared {
    account: Mutex<Account>,
    took: Condvar,
    /// New connections are closed at once.
    is_gone: AtomicBool,
    stopped: AtomicBool,
    connections: AtomicU64,
}

/// The server; ends with the test.
pub(crate) struct Smtp {
    pub(crate) port: u16,
    shared: Arc<Shared>,
}

/// How it behaves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manners {
    /// Whether it offers PIPELINING.
    pub(crate) pipelining: bool,
    /// How long it thinks about each message.
    pub(crate) thinks: Duration,
    /// Whether it keeps what it took.
    pub(crate) keeps: bool,
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            pipelining: true,
            thinks: Duration::ZERO,
            keeps: false,
        }
    }
}

impl Smtp {
    pub(crate) fn start(manners: Manners) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared::default());
        let server = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if server.stopped.load(Ordering::Relaxed) {
                    return;
                }
                let (Ok(stream), false) = (stream, server.is_gone.load(Ordering::Relaxed)) else {
                    continue;
                };
                server.connections.fetch_add(1, Ordering::Relaxed);
                let server = server.clone();
                std::thread::spawn(move || {
                    // A client that hangs up is no trouble.
                    let _ = converse(&server, stream, manners);
                });
            }
        });
        Self { port, shared }
    }

    /// Waits until it has taken so many messages in all.
    pub(crate) fn wait_for(&self, messages: usize) {
        let mut account = self.shared.account.lock().unwrap();
        while account.messages < messages {
            let limit = Duration::from_secs(60);
            let (waited, late) = self.shared.took.wait_timeout(account, limit).unwrap();
            assert!(!late.timed_out(), "{} of {messages} came", waited.messages);
            account = waited;
        }
    }

    /// Who got a mail, in the order in which it was taken.
    pub(crate) fn order(&self) -> Vec<String> {
        self.shared.account.lock().unwrap().order.clone()
    }

    /// How many messages it has taken.
    pub(crate) fn messages(&self) -> usize {
        self.shared.account.lock().unwrap().messages
    }

    /// How many connections it has had.
    pub(crate) fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::Relaxed)
    }

    /// How often each recipient got a mail.
    pub(crate) fn taken(&self) -> HashMap<String, u32> {
        self.shared.account.lock().unwrap().taken.clone()
    }

    /// The mail that a recipient got, and its envelope sender.
    pub(crate) fn mail(&self, recipient: &str) -> (Vec<u8>, String) {
        let account = self.shared.account.lock().unwrap();
        (
            account.mails[recipient].clone(),
            account.senders[recipient].clone(),
        )
    }

    /// Closes every connection at its next command, and new ones at once; or takes mail again.
    pub(crate) fn be_gone(&self, gone: bool) {
        self.shared.is_gone.store(gone, Ordering::Relaxed);
    }
}

impl Drop for Smtp {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        // Wakes the thread that waits for connections.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn converse(server: &Shared, stream: TcpStream, manners: Manners) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::with_capacity(1 << 17, stream.try_clone()?);
    let mut stream = stream;
    stream.write_all(b"220 faulty.example.org ESMTP\r\n")?;
    let (mut from, mut to, mut slow) = (String::new(), String::new(), false);
    let mut line = String::new();
    loop {
        line.clear();
        if reader.read_line(&mut line)? == 0 || server.is_gone.load(Ordering::Relaxed) {
            return Ok(());
        }
        let command = line.trim_end();
        let address = |text: &str| {
            let start = text.find('<').map_or(0, |at| at + 1);
            let end = text.find('>').unwrap_or(text.len());
            text[start..end].to_owned()
        };
        let answer = match command.get(..4).unwrap_or(command).to_uppercase().as_str() {
            "EHLO" if manners.pipelining => {
                "250-faulty.example.org\r\n250-PIPELINING\r\n250 SMTPUTF8\r\n"
            }
            "EHLO" => "250-faulty.example.org\r\n250 8BITMIME\r\n",
            "MAIL" => {
                from = address(command);
                to.clear();
                "250 2.1.0 ok\r\n"
            }
            "RCPT" => {
                let recipient = address(command);
                match word(&recipient) {
                    "refused" | "refusedslow" => {
                        slow = word(&recipient) == "refusedslow";
                        "550 5.1.1 no such user\r\n"
                    }
                    "norelay" => "550 relay not permitted\r\n",
                    "later" => "451 4.3.0 come back later\r\n",
                    "once"
                        if server
                            .account
                            .lock()
                            .unwrap()
                            .put_off
                            .insert(recipient.clone()) =>
                    {
                        "451 4.3.0 come back later\r\n"
                    }
                    "hang" => return hang(&mut reader),
                    _ => {
                        to = recipient;
                        "250 2.1.5 ok\r\n"
                    }
                }
            }
            // Such a server wants a message for nobody, and is slow to see that there is nobody to get it.
            "DATA" if to.is_empty() && slow => {
                stream.write_all(b"354 go on\r\n")?;
                reader.read_line(&mut line)?;
                std::thread::sleep(Duration::from_millis(1_500));
                slow = false;
                "554 5.5.1 no valid recipients\r\n"
            }
            "DATA" if to.is_empty() => "554 5.5.1 no valid recipients\r\n",
            "DATA" => {
                stream.write_all(b"354 go on\r\n")?;
                if word(&to) == "before" {
                    reader.read_line(&mut line)?;
                    return Ok(());
                }
                let mut message = Vec::new();
                loop {
                    let start = message.len();
                    if reader.read_until(b'\n', &mut message)? == 0 {
                        return Ok(());
                    }
                    if &message[start..] == b".\r\n" {
                        message.truncate(start);
                        break;
                    }
                    if message[start] == b'.' {
                        message.remove(start);
                    }
                }
                std::thread::sleep(manners.thinks);
                match word(&to) {
                    "full" => "552 5.2.2 mailbox full\r\n",
                    "policy" => "550 5.7.26 we do not know you\r\n",
                    "hangdata" => return hang(&mut reader),
                    word => {
                        take(server, &from, &to, message, manners.keeps);
                        match word {
                            "after" => return Ok(()),
                            "garbage" => "what a nice mail\r\n",
                            _ => "250 2.0.0 taken\r\n",
                        }
                    }
                }
            }
            "RSET" => {
                to.clear();
                "250 2.0.0 ok\r\n"
            }
            "QUIT" => {
                return stream.write_all(b"221 2.0.0 goodbye\r\n");
            }
            _ => "500 5.5.2 what?\r\n",
        };
        stream.write_all(answer.as_bytes())?;
    }
}

/// Says nothing until the client gives up.
fn hang(reader: &mut BufReader<TcpStream>) -> std::io::Result<()> {
    let mut rest = Vec::new();
    while reader.read_until(b'\n', &mut rest)? > 0 {}
    Ok(())
}

fn word(recipient: &str) -> &str {
    recipient.split(['-', '@']).next().unwrap_or_default()
}

fn take(server: &Shared, from: &str, to: &str, message: Vec<u8>, keeps: bool) {
    let mut account = server.account.lock().unwrap();
    account.messages += 1;
    account.order.push(to.to_owned());
    *account.taken.entry(to.to_owned()).or_default() += 1;
    if keeps {
        account.mails.insert(to.to_owned(), message);
        account.senders.insert(to.to_owned(), from.to_owned());
    }
    server.took.notify_all();
}
