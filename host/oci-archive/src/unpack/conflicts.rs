//! What is in two of several pulls.
//!
//! Directories are compared, not pulls: each directory that is in more than one pull is read once
//! for each of them, so that the cost is linear in the number of entries, however many pulls there
//! are.

use super::error::UnpackError;
use super::place::{DIRECTORY_OVER_FILE, FILE_OVER_DIRECTORY, SamePath};
use super::remove::is_directory;
use super::source::BUFFER;
use super::staging::Staging;
use crate::beneath;
use cap_std::fs::Dir;
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};

const DIFFERENT_CONTENT: &str = "two of the layers hold it with different content";
/// Number of pulls up to which each of them is asked for a name. Of more pulls, the names are
/// remembered.
const FEW: usize = 4;
/// Number of directories that are kept open.
const OPEN: usize = 8;

/// Two pulls that cannot be in place at the same time.
#[derive(Debug)]
pub struct Conflict {
    /// The number of the earlier one.
    pub earlier: usize,
    /// The number of the later one. Where the file system failed, both numbers are equal.
    pub later: usize,
    /// The path, and what is wrong.
    pub error: UnpackError,
}

/// Looks for paths that two of several pulls hold. Their targets may be inside of each other.
/// `artifacts` has the number of the artifact of each pull, and the pulls of an artifact follow
/// each other: within one artifact, files at one path must have equal content. Between two
/// artifacts `same` counts.
///
/// # Errors
///
/// If one pull has a directory where another one has a file, or if two hold a file with different
/// content and that is refused. The number of the pull is that in `pulls`.
pub fn check_all(pulls: &[Staging], artifacts: &[usize], same: SamePath) -> Result<(), Box<Conflict>> {
    let locations: Vec<Vec<OsString>> = pulls.iter().map(|pull| parts(pull.folder().location())).collect();
    let Some(first) = locations.first() else { return Ok(()) };
    let is_common = |at: &usize| locations.iter().all(|parts| parts.get(*at) == first.get(*at));
    let common = (0..first.len()).take_while(is_common).count();
    let root: PathBuf = first.iter().take(common).collect();
    let members: Vec<Member<'_>> = pulls
        .iter()
        .zip(locations)
        .enumerate()
        .map(|(number, (staging, parts))| {
            let artifact = artifacts.get(number).copied().unwrap_or(number);
            Member { staging, artifact, above: parts.into_iter().skip(common).collect() }
        })
        .collect();
    let check = Check { members: &members, root, same };
    let mut left = vec![Shared { path: Vec::new(), members: (0..members.len()).collect() }];
    while let Some(shared) = left.pop() {
        left.extend(check.directory(&shared)?);
    }
    Ok(())
}

fn parts(path: &Path) -> Vec<OsString> {
    path.iter().map(OsStr::to_owned).collect()
}

/// A pull. Above its content are the directories that lead to its target.
struct Member<'a> {
    staging: &'a Staging,
    artifact: usize,
    above: Vec<OsString>,
}

/// A directory that several pulls hold.
struct Shared {
    /// Its path below the common root of all targets.
    path: Vec<OsString>,
    members: Vec<usize>,
}

struct Check<'a> {
    members: &'a [Member<'a>],
    /// The directory that all targets are in.
    root: PathBuf,
    same: SamePath,
}

impl Check<'_> {
    /// Compares the entries of a directory. Returns the directories in it that several pulls hold.
    fn directory(&self, shared: &Shared) -> Result<Vec<Shared>, Box<Conflict>> {
        let mut open = OpenDirectories { members: self.members, path: &shared.path, open: HashMap::new() };
        let mut known = Known::new(&shared.members);
        let mut inner: HashMap<OsString, Vec<usize>> = HashMap::new();
        for number in shared.members.iter().copied() {
            let failed = |source| {
                let error = UnpackError::write(&self.shown(number, &shared.path), source);
                Box::new(Conflict { earlier: number, later: number, error })
            };
            let directory = open.open(number).map_err(failed)?;
            for entry in directory.entries().map_err(failed)? {
                let (name, is_dir) = entry.map_err(failed)?;
                let Some(holders) = known.holders(number, &name, &mut open).map_err(failed)? else {
                    continue;
                };
                let is_same_kind = Some(is_dir) == open.is_directory(holders.first, &name).map_err(failed)?;
                let compared = self.must_be_equal(&holders, number).filter(|_| !is_dir);
                let found = match (is_same_kind, compared) {
                    (false, _) if is_dir => Some((holders.first, DIRECTORY_OVER_FILE)),
                    (false, _) => Some((holders.first, FILE_OVER_DIRECTORY)),
                    (true, Some(other)) if !open.is_equal(other, &directory, &name).map_err(failed)? => {
                        Some((other, DIFFERENT_CONTENT))
                    }
                    (true, _) => None,
                };
                if let Some((earlier, reason)) = found {
                    let path = self.shown(number, &[&shared.path[..], &[name]].concat());
                    let error = UnpackError::Clash { path, reason };
                    return Err(Box::new(Conflict { earlier, later: number, error }));
                }
                if is_dir {
                    inner.entry(name).or_insert_with(|| vec![holders.first]).push(number);
                }
            }
        }
        let below = |(name, members)| Shared { path: [&shared.path[..], &[name]].concat(), members };
        Ok(inner.into_iter().map(below).collect())
    }

    /// The earlier pull whose file must have the content of the one of this pull. All that had to
    /// be equal before are equal to it.
    fn must_be_equal(&self, holders: &Holders, number: usize) -> Option<usize> {
        let artifact = |number: usize| self.members.get(number).map(|member| member.artifact);
        match self.same {
            SamePath::Refuse => Some(holders.first),
            SamePath::LastWins => (artifact(holders.last) == artifact(number)).then_some(holders.last),
        }
    }

    /// A path for people: below the target as it was given, where it is below the target.
    fn shown(&self, number: usize, path: &[OsString]) -> PathBuf {
        let member = self.members.get(number);
        let below = member.and_then(|member| Some((member, path.get(member.above.len()..)?)));
        match below {
            Some((member, rest)) => {
                rest.iter().fold(member.staging.path().to_owned(), |all, part| all.join(part))
            }
            None => path.iter().fold(self.root.clone(), |all, part| all.join(part)),
        }
    }
}

/// The first and the last of the pulls before one that have a name.
struct Holders {
    first: usize,
    last: usize,
}

/// Which pulls have which names in one directory.
enum Known<'a> {
    /// The pulls themselves are asked.
    Few(&'a [usize]),
    /// For each name, by its hash, the first pull that has it; and the last one, where there are
    /// several.
    Many { hasher: RandomState, first: HashMap<u64, usize>, last: HashMap<OsString, usize> },
}

impl<'a> Known<'a> {
    fn new(members: &'a [usize]) -> Self {
        if members.len() <= FEW {
            return Known::Few(members);
        }
        Known::Many { hasher: RandomState::new(), first: HashMap::new(), last: HashMap::new() }
    }

    /// The pulls before this one that have a name. From now on, this one counts as one of them.
    fn holders(
        &mut self,
        number: usize,
        name: &OsStr,
        open: &mut OpenDirectories<'_>,
    ) -> io::Result<Option<Holders>> {
        match self {
            Known::Few(members) => {
                let mut holders: Option<Holders> = None;
                for earlier in members.iter().copied().take_while(|member| *member != number) {
                    if open.is_directory(earlier, name)?.is_some() {
                        let first = holders.map_or(earlier, |holders| holders.first);
                        holders = Some(Holders { first, last: earlier });
                    }
                }
                Ok(holders)
            }
            Known::Many { hasher, first, last } => {
                let hash = hasher.hash_one(name);
                let Some(holder) = first.get(&hash).copied() else {
                    first.insert(hash, number);
                    return Ok(None);
                };
                if let Some(last) = last.get_mut(name) {
                    return Ok(Some(Holders { first: holder, last: std::mem::replace(last, number) }));
                }
                // Another name may have the same hash.
                if open.is_directory(holder, name)?.is_none() {
                    return Ok(None);
                }
                last.insert(name.to_owned(), number);
                Ok(Some(Holders { first: holder, last: holder }))
            }
        }
    }
}

/// A directory of a pull.
enum Directory<'a> {
    /// The pull has its target below this directory. This is the name of the only entry.
    Above(&'a OsStr),
    /// A directory with content.
    Content(Dir),
}

/// A name, and whether it is that of a directory.
type Named = (OsString, bool);

impl Directory<'_> {
    fn entries(&self) -> io::Result<Box<dyn Iterator<Item = io::Result<Named>> + '_>> {
        let dir = match self {
            Directory::Above(name) => {
                return Ok(Box::new(std::iter::once(Ok(((*name).to_owned(), true)))));
            }
            Directory::Content(dir) => dir,
        };
        Ok(Box::new(dir.entries()?.map(move |entry| {
            let entry = entry?;
            let name = entry.file_name();
            let is_dir = is_directory(dir, &name, entry.file_type()?)?;
            Ok((name, is_dir))
        })))
    }

    /// Whether an entry is a directory. None where there is none of this name.
    fn is_directory(&self, name: &OsStr) -> io::Result<Option<bool>> {
        match self {
            Directory::Above(only) => Ok((*only == name).then_some(true)),
            Directory::Content(dir) => match dir.symlink_metadata(name) {
                Ok(metadata) => Ok(Some(metadata.is_dir())),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                Err(error) => Err(error),
            },
        }
    }
}

/// One directory as several pulls have it.
struct OpenDirectories<'a> {
    members: &'a [Member<'a>],
    path: &'a [OsString],
    open: HashMap<usize, Directory<'a>>,
}

impl<'a> OpenDirectories<'a> {
    fn open(&self, number: usize) -> io::Result<Directory<'a>> {
        let member = self.members.get(number).ok_or(ErrorKind::NotFound)?;
        if let Some(name) = member.above.get(self.path.len()) {
            return Ok(Directory::Above(name));
        }
        let below = self.path.get(member.above.len()..).unwrap_or_default();
        let content = member.staging.content()?;
        let dir = below.iter().try_fold(content, |dir, name| beneath::directory(&dir, name));
        dir.map(Directory::Content)
    }

    /// The directory, which stays open for a while.
    fn get(&mut self, number: usize) -> io::Result<&Directory<'a>> {
        if !self.open.contains_key(&number) {
            if self.open.len() >= OPEN {
                self.open.clear();
            }
            let dir = self.open(number)?;
            self.open.insert(number, dir);
        }
        self.open.get(&number).ok_or_else(|| ErrorKind::NotFound.into())
    }

    /// Whether an entry of the directory of a pull is a directory. None where there is none of this
    /// name.
    fn is_directory(&mut self, number: usize, name: &OsStr) -> io::Result<Option<bool>> {
        self.get(number)?.is_directory(name)
    }

    fn is_equal(&mut self, earlier: usize, later: &Directory<'_>, name: &OsStr) -> io::Result<bool> {
        match (self.get(earlier)?, later) {
            (Directory::Content(earlier), Directory::Content(later)) => is_equal(earlier, later, name),
            // There is nothing but a directory there, which is compared elsewhere.
            _ => Ok(true),
        }
    }
}

/// Whether two entries that are no directories are links to the same target, or files with equal
/// bytes. Files that their owner cannot read count as different.
fn is_equal(one: &Dir, other: &Dir, name: &OsStr) -> io::Result<bool> {
    match compare(one, other, name) {
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(false),
        compared => compared,
    }
}

fn compare(one: &Dir, other: &Dir, name: &OsStr) -> io::Result<bool> {
    let (left, right) = (one.symlink_metadata(name)?, other.symlink_metadata(name)?);
    if left.is_symlink() && right.is_symlink() {
        return Ok(one.read_link_contents(name)? == other.read_link_contents(name)?);
    }
    if !left.is_file() || !right.is_file() || left.len() != right.len() {
        return Ok(false);
    }
    let mut left = BufReader::with_capacity(BUFFER, beneath::file(one, name)?);
    let mut right = BufReader::with_capacity(BUFFER, beneath::file(other, name)?);
    loop {
        let (ours, theirs) = (left.fill_buf()?, right.fill_buf()?);
        let count = ours.len().min(theirs.len());
        if ours.get(..count) != theirs.get(..count) {
            return Ok(false);
        }
        if count == 0 {
            return Ok(ours.len() == theirs.len());
        }
        left.consume(count);
        right.consume(count);
    }
}
