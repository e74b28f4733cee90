//! Writes archives byte by byte, so that they can hold entries that ordinary programs do not write
//! (POSIX, pax, "ustar Interchange Format").

/// Kinds of entries.
pub const FILE: u8 = b'0';
pub const HARD_LINK: u8 = b'1';
pub const SYMBOLIC_LINK: u8 = b'2';
pub const CHARACTER_DEVICE: u8 = b'3';
pub const BLOCK_DEVICE: u8 = b'4';
pub const DIRECTORY: u8 = b'5';
pub const FIFO: u8 = b'6';

const BLOCK: usize = 512;

/// An archive that is being written.
#[derive(Default)]
pub struct Tar(Vec<u8>);

impl Tar {
    /// Adds an entry with any header.
    pub fn entry(mut self, kind: u8, name: &str, link: &str, content: &[u8]) -> Self {
        self.header(kind, name, link, content.len() as u64);
        self.0.extend_from_slice(content);
        self.0.resize(self.0.len().next_multiple_of(BLOCK), 0);
        self
    }

    /// Adds a file.
    pub fn file(self, name: &str, content: &str) -> Self {
        self.entry(FILE, name, "", content.as_bytes())
    }

    /// Adds the header of a file without its content.
    pub fn announced(mut self, name: &str, size: u64) -> Self {
        self.header(FILE, name, "", size);
        self
    }

    /// The archive.
    pub fn end(mut self) -> Vec<u8> {
        self.0.extend_from_slice(&[0; 2 * BLOCK]);
        self.0
    }

    fn header(&mut self, kind: u8, name: &str, link: &str, size: u64) {
        let mut header = [0; BLOCK];
        let mut put = |at: usize, text: &[u8]| header[at..at + text.len()].copy_from_slice(text);
        put(0, name.as_bytes());
        put(100, b"0000644\0");
        put(108, b"0000000\0");
        put(116, b"0000000\0");
        put(124, format!("{size:011o}\0").as_bytes());
        put(136, b"00000000000\0");
        put(148, b"        ");
        put(156, &[kind]);
        put(157, link.as_bytes());
        put(257, b"ustar\x0000");
        put(329, b"0000001\0");
        put(337, b"0000003\0");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.0.extend_from_slice(&header);
    }
}
