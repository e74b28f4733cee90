//! A network with faults, between a client and a registry.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A fault of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is cut after this number of bytes from the registry.
    CutAfterReceived(u64),
    /// It is cut after this number of bytes to the registry.
    CutAfterSent(u64),
    /// It is refused.
    Refuse,
}

/// An event on any of the connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// This number of bytes was sent to the registry, counted from [`Network::when`]. It occurs
    /// once.
    Sent(u64),
    /// This number of bytes was received from the registry, counted from [`Network::when`]. It
    /// occurs once.
    Received(u64),
    /// This text is sent to the registry, such as the beginning of a request. It may occur several
    /// times.
    Request(String),
}

/// The reaction to an event. It comes before the bytes of the event pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// The connection is cut.
    Cut,
    /// Nothing passes on this connection until [`Network::clear`].
    Hold,
}

/// Time after which waiting for an event fails.
const PATIENCE: Duration = Duration::from_secs(120);

/// Passes connections on to a registry, with faults that a test asks for.
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

/// The events that are waited for.
#[derive(Default)]
struct Watch {
    rules: Vec<(Event, Reaction)>,
    holding: u64,
    /// How often all held connections were released.
    released: u64,
    /// The number of the release that cut the connections instead.
    severed: u64,
}

/// The direction of bytes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    ToRegistry,
    FromRegistry,
}

impl Network {
    /// A network in front of a registry, whose address is `host:port`.
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

    /// Plans faults for the next connections, one each. A connection that ends before its cut
    /// leaves it to the next one.
    ///
    /// # Panics
    /// Never in practice.
    pub fn plan(&self, faults: &[Fault]) {
        self.shared.faults.lock().expect("faults").extend(faults);
    }

    /// Reacts to an event, until [`Network::clear`].
    pub fn when(&self, event: Event, reaction: Reaction) {
        let event = match event {
            Event::Sent(bytes) => Event::Sent(self.sent() + bytes),
            Event::Received(bytes) => Event::Received(self.received() + bytes),
            text => text,
        };
        self.shared.watch().rules.push((event, reaction));
    }

    /// Waits until this number of connections is held.
    ///
    /// # Panics
    /// When that takes more than two minutes.
    pub fn wait_until_held(&self, connections: u64) {
        let watch = self.shared.watch();
        let waited =
            self.shared.changed.wait_timeout_while(watch, PATIENCE, |watch| watch.holding < connections);
        let (watch, _) = waited.unwrap_or_else(PoisonError::into_inner);
        assert!(watch.holding >= connections, "{} connections are held", watch.holding);
    }

    /// Forgets all events, and releases the connections that are held.
    pub fn clear(&self) {
        self.shared.clear();
    }

    /// As [`Network::clear`], but cuts the connections that are held. Bytes on their way are lost.
    pub fn sever(&self) {
        let mut watch = self.shared.watch();
        watch.severed = watch.released + 1;
        drop(watch);
        self.shared.clear();
    }

    /// Number of bytes from the registry.
    pub fn received(&self) -> u64 {
        self.shared.received.load(Ordering::SeqCst)
    }

    /// Number of connections that were cut or refused.
    pub fn cuts(&self) -> u64 {
        self.shared.cuts.load(Ordering::SeqCst)
    }

    /// Number of bytes to the registry.
    pub fn sent(&self) -> u64 {
        self.shared.sent.load(Ordering::SeqCst)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        self.shared.closed.store(true, Ordering::SeqCst);
        self.shared.clear();
        // This wakes the thread that accepts connections.
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
                let reached = self.copy(client, &server, sent, Direction::ToRegistry);
                if reached {
                    self.cut(client);
                    self.close(&server);
                }
                let _ = server.shutdown(Shutdown::Write);
                reached
            });
            let down = self.copy(&server, client, received, Direction::FromRegistry);
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
        // The stream may be closed already.
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

    /// Whether these bytes pass. It waits while the connection is held.
    fn passes(&self, direction: Direction, count: u64, bytes: &[u8]) -> bool {
        let mut watch = self.watch();
        let happens = |event: &Event| match event {
            Event::Sent(limit) => direction == Direction::ToRegistry && count >= *limit,
            Event::Received(limit) => direction == Direction::FromRegistry && count >= *limit,
            Event::Request(text) => {
                direction == Direction::ToRegistry
                    && bytes.windows(text.len()).any(|part| part == text.as_bytes())
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
        // The wait ends with `clear` or `sever`.
        let watch = self.changed.wait_while(watch, |watch| watch.released == released);
        let is_severed = watch.unwrap_or_else(PoisonError::into_inner).severed == released + 1;
        // A network that is gone delivers nothing any more.
        !is_severed && !self.closed.load(Ordering::SeqCst)
    }

    /// Copies until the end. Returns whether it was cut before, by `limit` bytes or an event.
    fn copy(&self, mut from: &TcpStream, mut to: &TcpStream, limit: u64, direction: Direction) -> bool {
        let count = match direction {
            Direction::ToRegistry => &self.sent,
            Direction::FromRegistry => &self.received,
        };
        let mut buffer = [0; 16 * 1024];
        let mut copied: u64 = 0;
        loop {
            let Ok(read) = from.read(&mut buffer) else { return false };
            let left = usize::try_from(limit - copied).unwrap_or(usize::MAX);
            let passed = read.min(left);
            let bytes = &buffer[..passed];
            if read > 0 && !self.passes(direction, count.load(Ordering::SeqCst) + passed as u64, bytes) {
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
