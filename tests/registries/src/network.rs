//! A network between a client and a registry, with faults.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What happens to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Cut once so many bytes came from the registry.
    CutAfterReceived(u64),
    /// Cut once so many bytes went to the registry.
    CutAfterSent(u64),
    /// Refused at once.
    Refuse,
}

/// Something that passes, over all connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// So many bytes went to the registry since this was asked for. It happens once.
    Sent(u64),
    /// So many bytes came from the registry since this was asked for. It happens once.
    Received(u64),
    /// This text goes to the registry, such as the beginning of a request. It happens each time.
    Request(String),
}

/// What is done then, before anything of it passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// The connection is cut.
    Cut,
    /// Nothing passes on this connection until [`Network::clear`].
    Hold,
}

/// How long somebody waits for something to be held.
const PATIENCE: Duration = Duration::from_secs(120);

/// Passes connections on, and does to the next ones what it is told.
pub struct Network {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    to: SocketAddr,
    faults: Mutex<Vec<Fault>>,
    cuts: AtomicU64,
    sent: AtomicU64,
    received: AtomicU64,
    closed: AtomicBool,
    watch: Mutex<Watch>,
    changed: Condvar,
}

/// What is looked out for.
#[derive(Default)]
struct Watch {
    rules: Vec<(Event, Reaction)>,
    holding: u64,
    /// How often everything was let go,
    released: u64,
    /// and when last to be cut.
    severed: u64,
}

/// The direction of bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    ToRegistry,
    FromRegistry,
}

impl Network {
    /// In front of a registry.
    ///
    /// # Panics
    /// When there is no free port.
    pub fn to(registry: &str) -> Self {
        let to = registry.parse().expect("an address");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        let shared = Arc::new(Shared {
            to,
            faults: Mutex::default(),
            cuts: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            watch: Mutex::default(),
            changed: Condvar::new(),
        });
        let inner = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if inner.closed.load(Ordering::SeqCst) {
                    return;
                }
                let inner = Arc::clone(&inner);
                std::thread::spawn(move || inner.pass(&stream));
            }
        });
        Network { address, shared }
    }

    /// Address, as `host:port`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// Does this to coming connections, one after another. A cut that a connection does not reach is kept for the next one.
    ///
    /// # Panics
    /// Never in practice.
    pub fn plan(&self, faults: &[Fault]) {
        self.shared.faults.lock().expect("faults").extend(faults);
    }

    /// Does this when that happens, until [`Network::clear`].
    pub fn when(&self, event: Event, reaction: Reaction) {
        let event = match event {
            Event::Sent(bytes) => Event::Sent(self.sent() + bytes),
            Event::Received(bytes) => Event::Received(self.received() + bytes),
            text => text,
        };
        self.shared.watch().rules.push((event, reaction));
    }

    /// Waits until so many connections are held.
    ///
    /// # Panics
    /// When they are not for two minutes.
    pub fn wait_until_held(&self, connections: u64) {
        let watch = self.shared.watch();
        let waited =
            self.shared.changed.wait_timeout_while(watch, PATIENCE, |watch| watch.holding < connections);
        let (watch, _) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(watch.holding >= connections, "{} connections are held", watch.holding);
    }

    /// Looks out for nothing any more, and lets go what is held.
    pub fn clear(&self) {
        self.shared.clear();
    }

    /// As [`Network::clear`], but what is held is cut, with all that is on its way.
    pub fn sever(&self) {
        let mut watch = self.shared.watch();
        watch.severed = watch.released + 1;
        drop(watch);
        self.shared.clear();
    }

    /// How many bytes came from the registry.
    pub fn received(&self) -> u64 {
        self.shared.received.load(Ordering::SeqCst)
    }

    /// How many connections were cut or refused.
    pub fn cuts(&self) -> u64 {
        self.shared.cuts.load(Ordering::SeqCst)
    }

    /// How many bytes went to the registry.
    pub fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::SeqCst)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        self.shared.clear();
        // Wakes the thread that accepts.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn pass(&self, client: &TcpStream) {
        let fault = {
            let mut faults = self.faults.lock().expect("faults");
            if faults.is_empty() { None } else { Some(faults.remove(0)) }
        };
        if fault == Some(Fault::Refuse) {
            self.cut(client);
            return;
        }
        let Ok(server) = TcpStream::connect(self.to) else { return self.close(client) };
        let (sent, received) = match fault {
            Some(Fault::CutAfterSent(bytes)) => (bytes, u64::MAX),
            Some(Fault::CutAfterReceived(bytes)) => (u64::MAX, bytes),
            _ => (u64::MAX, u64::MAX),
        };
        let reached = std::thread::scope(|scope| {
            let up = scope.spawn(|| {
                let reached = self.copy(client, &server, sent, Way::ToRegistry);
                if reached {
                    self.cut(client);
                    self.close(&server);
                }
                let _ = server.shutdown(Shutdown::Write);
                reached
            });
            let down = self.copy(&server, client, received, Way::FromRegistry);
            if down {
                self.cut(client);
                self.close(&server);
            }
            let _ = client.shutdown(Shutdown::Write);
            let up = up.join().unwrap_or(false);
            up || down
        });
        if let Some(fault) = fault.filter(|_| !reached) {
            self.faults.lock().expect("faults").insert(0, fault);
        }
    }

    fn cut(&self, stream: &TcpStream) {
        self.cuts.fetch_add(1, Ordering::SeqCst);
        self.close(stream);
    }

    fn close(&self, stream: &TcpStream) {
        // It may be closed already.
        let _ = stream.shutdown(Shutdown::Both);
    }

    fn watch(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn clear(&self) {
        let mut watch = self.watch();
        watch.rules.clear();
        watch.holding = 0;
        watch.released += 1;
        self.changed.notify_all();
    }

    /// Whether these bytes pass, perhaps after a while.
    fn passes(&self, way: Way, count: u64, bytes: &[u8]) -> bool {
        let mut watch = self.watch();
        let happens = |event: &Event| match event {
            Event::Sent(limit) => way == Way::ToRegistry && count >= *limit,
            Event::Received(limit) => way == Way::FromRegistry && count >= *limit,
            Event::Request(text) => {
                way == Way::ToRegistry && bytes.windows(text.len()).any(|part| part == text.as_bytes())
            }
        };
        let Some(index) = watch.rules.iter().position(|(event, _)| happens(event)) else { return true };
        let (event, reaction) = watch.rules[index].clone();
        if !matches!(event, Event::Request(_)) {
            watch.rules.remove(index);
        }
        if reaction == Reaction::Cut {
            return false;
        }
        let released = watch.released;
        watch.holding += 1;
        self.changed.notify_all();
        // Whoever holds says when it is over.
        let watch = self.changed.wait_while(watch, |watch| watch.released == released);
        let is_severed = watch.unwrap_or_else(PoisonError::into_inner).severed == released + 1;
        // With the network goes what was still on its way.
        !is_severed && !self.closed.load(Ordering::SeqCst)
    }

    /// Copies until the end, or until `limit` bytes were copied or a rule cuts, which is true then.
    fn copy(&self, mut from: &TcpStream, mut to: &TcpStream, limit: u64, way: Way) -> bool {
        let count = match way {
            Way::ToRegistry => &self.sent,
            Way::FromRegistry => &self.received,
        };
        let mut buffer = [0; 16 * 1024];
        let mut copied: u64 = 0;
        loop {
            let Ok(read) = from.read(&mut buffer) else { return false };
            let left = usize::try_from(limit - copied).unwrap_or(usize::MAX);
            let passed = read.min(left);
            let bytes = &buffer[..passed];
            if read > 0 && !self.passes(way, count.load(Ordering::SeqCst) + passed as u64, bytes) {
                return true;
            }
            if to.write_all(bytes).is_err() {
                return false;
            }
            copied += passed as u64;
            count.fetch_add(passed as u64, Ordering::SeqCst);
            if copied >= limit {
                return true;
            }
            if read == 0 {
                return false;
            }
        }
    }
}
