//! A disk whose power can be cut after any operation, and that can be full.
//!
//! What was synced stays. A file that was written and not synced has its old content, the new one,
//! or half of it. Of the changes to the names of a folder that were not synced, the first ones are
//! there, as on a file system with a journal; each folder has its own number of them.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};

use crate::fleet::disk::Storage;

#[derive(Debug, Clone)]
enum Node {
    File {
        live: Vec<u8>,
        durable: Vec<u8>,
    },
    Folder {
        live: BTreeMap<String, usize>,
        durable: BTreeMap<String, usize>,
        unsynced: Vec<Change>,
    },
}

#[derive(Debug, Clone)]
enum Change {
    Add(String, usize),
    Remove(String),
    Rename(String, String),
}

impl Change {
    fn apply(&self, names: &mut BTreeMap<String, usize>) {
        match self {
            Self::Add(name, node) => {
                names.insert(name.clone(), *node);
            }
            Self::Remove(name) => {
                names.remove(name);
            }
            Self::Rename(from, to) => {
                if let Some(node) = names.remove(from) {
                    names.insert(to.clone(), node);
                }
            }
        }
    }
}

#[derive(Debug)]
struct Inner {
    nodes: Vec<Node>,
    /// Operations that write, so far.
    writes: usize,
    /// The power goes before this operation.
    cut_at: Option<usize>,
    is_off: bool,
    /// This operation finds a full disk.
    full_at: Option<usize>,
    is_full: bool,
    /// The writes that a full disk takes: one once a file that reserves room is removed. `None`:
    /// files cannot reserve room.
    room: Option<usize>,
}

#[derive(Debug, Clone)]
pub struct PowerDisk(Arc<Mutex<Inner>>);

fn folder() -> Node {
    Node::Folder {
        live: BTreeMap::new(),
        durable: BTreeMap::new(),
        unsynced: Vec::new(),
    }
}

impl Default for PowerDisk {
    fn default() -> Self {
        Self::of(vec![folder()])
    }
}

impl PowerDisk {
    fn of(nodes: Vec<Node>) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            nodes,
            writes: 0,
            cut_at: None,
            is_off: false,
            full_at: None,
            is_full: false,
            room: None,
        })))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    pub fn writes(&self) -> usize {
        self.inner().writes
    }

    /// The power goes after so many further operations.
    pub fn cut_after(&self, operations: usize) {
        let mut inner = self.inner();
        inner.cut_at = Some(inner.writes + operations);
    }

    pub fn is_off(&self) -> bool {
        self.inner().is_off
    }

    /// One operation finds a full disk: the one after so many further ones.
    pub fn full_after(&self, operations: usize) {
        let mut inner = self.inner();
        inner.full_at = Some(inner.writes + operations);
    }

    pub fn set_full(&self, is_full: bool) {
        self.inner().is_full = is_full;
    }

    /// From now on, files can reserve room.
    pub fn allow_reserve(&self) {
        self.inner().room = Some(0);
    }

    /// The disk when the power is back. `choose(n)` is a number below n.
    pub fn after_cut(&self, mut choose: impl FnMut(usize) -> usize) -> Self {
        let mut nodes = self.inner().nodes.clone();
        for node in &mut nodes {
            match node {
                Node::File { live, durable } => {
                    if live != durable {
                        match choose(3) {
                            0 => {}
                            1 => durable.clone_from(live),
                            _ => *durable = live[..live.len() / 2].to_vec(),
                        }
                    }
                    live.clone_from(durable);
                }
                Node::Folder {
                    live,
                    durable,
                    unsynced,
                } => {
                    let kept = choose(unsynced.len() + 1);
                    for change in unsynced.drain(..).take(kept) {
                        change.apply(durable);
                    }
                    live.clone_from(durable);
                }
            }
        }
        Self::of(nodes)
    }

    /// The disk of a process that was killed: nothing is lost, and nothing more is synced.
    pub fn after_kill(&self) -> Self {
        Self::of(self.inner().nodes.clone())
    }

    /// Every file below a folder, by its path there.
    pub fn files(&self, path: &str) -> BTreeMap<String, Vec<u8>> {
        let inner = self.inner();
        let mut files = BTreeMap::new();
        let mut open: Vec<(String, usize)> = Vec::new();
        open.extend(inner.find(path).map(|node| (String::new(), node)));
        while let Some((path, node)) = open.pop() {
            match &inner.nodes[node] {
                Node::File { live, .. } => {
                    files.insert(path, live.clone());
                }
                Node::Folder { live, .. } => {
                    let below = |(name, node): (&String, &usize)| match path.as_str() {
                        "" => (name.clone(), *node),
                        path => (format!("{path}/{name}"), *node),
                    };
                    open.extend(live.iter().map(below));
                }
            }
        }
        files
    }

    pub fn has(&self, path: &str) -> bool {
        self.inner().find(path).is_some()
    }

    /// Changes a file behind the gateway's back.
    pub fn damage(&self, path: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut inner = self.inner();
        let node = inner.find(path).unwrap();
        if let Node::File { live, durable } = &mut inner.nodes[node] {
            change(live);
            durable.clone_from(live);
        }
    }
}

impl Inner {
    fn find(&self, path: &str) -> Option<usize> {
        let mut at = 0;
        for part in path.split('/').filter(|part| !part.is_empty()) {
            match &self.nodes[at] {
                Node::Folder { live, .. } => at = *live.get(part)?,
                Node::File { .. } => return None,
            }
        }
        Some(at)
    }

    fn parent<'a>(&self, path: &'a str) -> io::Result<(usize, &'a str)> {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        let parent = self.find(parent).ok_or(io::ErrorKind::NotFound)?;
        Ok((parent, name))
    }

    fn change(&mut self, folder: usize, change: Change) {
        if let Node::Folder { live, unsynced, .. } = &mut self.nodes[folder] {
            change.apply(live);
            unsynced.push(change);
        }
    }

    fn begin(&mut self, takes_space: bool) -> io::Result<()> {
        if self.is_off || self.cut_at == Some(self.writes) {
            self.is_off = true;
            return Err(io::Error::other("the power is off"));
        }
        let mut has_no_room = self.is_full && takes_space;
        if has_no_room && let Some(room @ 1..) = &mut self.room {
            *room -= 1;
            has_no_room = false;
        }
        let is_full = has_no_room || self.full_at == Some(self.writes);
        self.writes += 1;
        if is_full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn remove(&mut self, path: &str) -> io::Result<()> {
        let Some(node) = self.find(path) else {
            return Ok(());
        };
        if let Node::Folder { live, .. } = &self.nodes[node] {
            for name in live.keys().cloned().collect::<Vec<_>>() {
                self.remove(&format!("{path}/{name}"))?;
            }
        }
        let (parent, name) = self.parent(path)?;
        self.change(parent, Change::Remove(name.to_owned()));
        Ok(())
    }
}

impl Storage for PowerDisk {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let inner = self.inner();
        let node = inner.find(path).ok_or(io::ErrorKind::NotFound)?;
        match &inner.nodes[node] {
            Node::File { live, .. } => Ok(live.clone()),
            Node::Folder { .. } => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    fn is_private(&self, path: &str) -> io::Result<bool> {
        self.read(path).map(|_| true)
    }

    fn list(&self, folder: &str) -> io::Result<Vec<String>> {
        let inner = self.inner();
        let node = inner.find(folder).ok_or(io::ErrorKind::NotFound)?;
        match &inner.nodes[node] {
            Node::Folder { live, .. } => Ok(live.keys().cloned().collect()),
            Node::File { .. } => Err(io::ErrorKind::NotADirectory.into()),
        }
    }

    fn create_folder(&mut self, path: &str) -> io::Result<()> {
        let mut inner = self.inner();
        inner.begin(true)?;
        if inner.find(path).is_some() {
            return Ok(());
        }
        let (parent, name) = inner.parent(path)?;
        inner.nodes.push(folder());
        let node = inner.nodes.len() - 1;
        inner.change(parent, Change::Add(name.to_owned(), node));
        Ok(())
    }

    fn write(&mut self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let mut inner = self.inner();
        inner.begin(true)?;
        let node = if let Some(node) = inner.find(path) {
            node
        } else {
            let (parent, name) = inner.parent(path)?;
            inner.nodes.push(Node::File {
                live: Vec::new(),
                durable: Vec::new(),
            });
            let node = inner.nodes.len() - 1;
            inner.change(parent, Change::Add(name.to_owned(), node));
            node
        };
        match &mut inner.nodes[node] {
            Node::File { live, .. } => *live = bytes.to_vec(),
            Node::Folder { .. } => return Err(io::ErrorKind::IsADirectory.into()),
        }
        Ok(())
    }

    fn sync(&mut self, path: &str) -> io::Result<()> {
        let mut inner = self.inner();
        inner.begin(false)?;
        let node = inner.find(path).ok_or(io::ErrorKind::NotFound)?;
        match &mut inner.nodes[node] {
            Node::File { live, durable } => durable.clone_from(live),
            Node::Folder {
                live,
                durable,
                unsynced,
            } => {
                durable.clone_from(live);
                unsynced.clear();
            }
        }
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let mut inner = self.inner();
        inner.begin(false)?;
        inner.find(from).ok_or(io::ErrorKind::NotFound)?;
        let (folder, name) = inner.parent(from)?;
        let (other, new) = inner.parent(to)?;
        assert_eq!(folder, other, "a rename between folders is not atomic");
        inner.change(folder, Change::Rename(name.to_owned(), new.to_owned()));
        Ok(())
    }

    fn remove(&mut self, path: &str) -> io::Result<()> {
        let mut inner = self.inner();
        inner.begin(false)?;
        if inner.room.is_some() && path.ends_with(".reserve") {
            inner.room = Some(usize::from(inner.find(path).is_some()));
        }
        inner.remove(path)
    }

    fn reserve(&mut self, path: &str, _: u64) -> io::Result<()> {
        if self.inner().room.is_none() {
            return Err(io::ErrorKind::Unsupported.into());
        }
        if self.has(path) {
            return Ok(());
        }
        self.write(path, b"")
    }

    fn place(&self, path: &str) -> PathBuf {
        PathBuf::from("fleet").join(path)
    }
}
