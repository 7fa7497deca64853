//! A name server that knows what it is told.

use std::collections::HashMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};

/// Records by name and type; the data as it goes over the wire.
type Records = HashMap<(String, u16), Vec<Vec<u8>>>;

/// The server; ends with the test's process.
pub(crate) struct Dns {
    pub(crate) address: SocketAddr,
    records: Arc<Mutex<Records>>,
}

impl Dns {
    pub(crate) fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let records = Arc::new(Mutex::new(Records::new()));
        let known = records.clone();
        std::thread::spawn(move || {
            let mut question = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut question) {
                let answer = answer(&question[..length], &known.lock().unwrap());
                let _ = socket.send_to(&answer, from);
            }
        });
        Self { address, records }
    }

    /// Publishes a TXT record.
    pub(crate) fn text(&self, name: &str, text: &str) {
        let pieces = text.as_bytes().chunks(255);
        let data = pieces.flat_map(|piece| {
            let mut data = vec![u8::try_from(piece.len()).unwrap()];
            data.extend_from_slice(piece);
            data
        });
        self.add(name, 16, data.collect());
    }

    /// Publishes an MX record.
    pub(crate) fn exchange(&self, name: &str, host: &str) {
        let mut data = 10u16.to_be_bytes().to_vec();
        data.extend(labels(host));
        self.add(name, 15, data);
    }

    fn add(&self, name: &str, kind: u16, data: Vec<u8>) {
        let mut records = self.records.lock().unwrap();
        let key = (name.trim_end_matches('.').to_lowercase(), kind);
        records.entry(key).or_default().push(data);
    }
}

fn labels(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.trim_end_matches('.').split('.') {
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

/// The answer to a question (RFC 1035 4).
fn answer(question: &[u8], records: &Records) -> Vec<u8> {
    let mut name = Vec::new();
    let mut at = 12;
    while question[at] != 0 {
        let length = usize::from(question[at]);
        name.push(String::from_utf8_lossy(&question[at + 1..at + 1 + length]).to_lowercase());
        at += 1 + length;
    }
    let kind = u16::from_be_bytes([question[at + 1], question[at + 2]]);
    let asked = &question[12..at + 5];
    let name = name.join(".");
    let found = records.get(&(name.clone(), kind));
    let exists = records.keys().any(|(known, _)| *known == name);
    let found = found.map_or(&[][..], Vec::as_slice);
    let mut answer = question[..2].to_vec();
    // An authoritative answer; without any record of that name there is no such name.
    answer.extend([0x85, if exists { 0x80 } else { 0x83 }]);
    answer.extend([0, 1]);
    answer.extend(u16::try_from(found.len()).unwrap().to_be_bytes());
    answer.extend([0, 0, 0, 0]);
    answer.extend_from_slice(asked);
    for data in found {
        answer.extend([0xc0, 12]);
        answer.extend(kind.to_be_bytes());
        answer.extend([0, 1, 0, 0, 0, 60]);
        answer.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
        answer.extend_from_slice(data);
    }
    answer
}
