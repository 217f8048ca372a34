//! How the files of a configuration stand: whether they are as they were when it was read. Nothing is read for that but
//! names, sizes and times.

use std::path::{Path, PathBuf};

use super::raw::{File, Stamp, included};

/// How the files of a configuration stood at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// As the person wrote it.
    main: PathBuf,
    /// The patterns of `include`.
    include: Vec<String>,
    /// The same for the same files with the same stamps, in the same order.
    mark: blake3::Hash,
}

impl Standing {
    /// `stamps` are those of the files that the patterns match, in order.
    pub(super) fn of(main: &Path, stamp: Stamp, include: Vec<String>, stamps: &[(PathBuf, Stamp)]) -> Standing {
        let mut hasher = blake3::Hasher::new();
        let one = (main.to_owned(), stamp);
        for (path, stamp) in std::iter::once(&one).chain(stamps) {
            let name = path.as_os_str().as_encoded_bytes();
            hasher.update(&name.len().to_le_bytes()).update(name);
            for word in stamp.words() {
                hasher.update(&word.to_le_bytes());
            }
        }
        Standing { main: main.to_owned(), include, mark: hasher.finalize() }
    }

    /// The configuration's main file, as the person wrote it.
    pub fn main(&self) -> &Path {
        &self.main
    }

    /// How the same files stand now: another one where any was written to, replaced, added or removed.
    #[must_use]
    pub fn now(&self) -> Standing {
        let main = File::new(&self.main, String::new());
        let found = self.include.iter().flat_map(|pattern| included(&main, pattern).unwrap_or_default());
        let stamps: Vec<_> = found.map(|path| (path.clone(), Stamp::at(&path))).collect();
        Standing::of(&self.main, Stamp::at(&self.main), self.include.clone(), &stamps)
    }
}
