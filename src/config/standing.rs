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

#[cfg(test)]
mod tests {
    use std::fs::{self, OpenOptions, Permissions};
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::super::read;
    use super::*;

    const MAIN: &str = "include = [\"clients/*.toml\"]\n[log]\n";

    /// How a configuration in this folder stands.
    fn standing(folder: &Path) -> Standing {
        read(&folder.join("rosterd.toml")).standing
    }

    /// A folder with a configuration that includes one file.
    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("clients")).unwrap();
        fs::write(folder.path().join("rosterd.toml"), MAIN).unwrap();
        fs::write(folder.path().join("clients/a.toml"), "# A\n").unwrap();
        folder
    }

    /// Whether what this does to a folder is noticed.
    #[track_caller]
    fn assert_noticed(what: &str, change: impl Fn(&Path)) {
        let folder = folder();
        let before = standing(folder.path());
        assert_eq!(before.now(), before, "nothing has changed yet");
        change(folder.path());
        assert_ne!(before.now(), before, "{what}");
        let read = standing(folder.path());
        assert!(read.include != before.include || read == before.now(), "{what}: what is seen is what is read");
    }

    /// Does this until the file's time of change is another: moments are coarse. The daemon waits for longer than one.
    fn a_moment_later(path: &Path, change: impl Fn()) {
        let changed = || fs::metadata(path).map(|file| (file.ctime(), file.ctime_nsec())).unwrap();
        let before = changed();
        while changed() == before {
            change();
        }
    }

    #[test]
    fn a_change_of_any_file_is_noticed_however_it_is_made() {
        for file in ["rosterd.toml", "clients/a.toml"] {
            assert_noticed("written in place", |folder| {
                fs::write(folder.join(file), format!("{MAIN}# More\n")).unwrap();
            });
            assert_noticed("emptied", |folder| fs::write(folder.join(file), "").unwrap());
            assert_noticed("renamed into place", |folder| {
                fs::copy(folder.join(file), folder.join("new")).unwrap();
                fs::rename(folder.join("new"), folder.join(file)).unwrap();
            });
            assert_noticed("of the same size and time", |folder| {
                let path = folder.join(file);
                let written = fs::metadata(&path).unwrap();
                let text = fs::read_to_string(&path).unwrap();
                a_moment_later(&path, || {
                    fs::write(&path, text.to_uppercase()).unwrap();
                    let file = OpenOptions::new().append(true).open(&path).unwrap();
                    file.set_modified(written.modified().unwrap()).unwrap();
                });
            });
            assert_noticed("no longer readable", |folder| {
                let path = folder.join(file);
                a_moment_later(&path, || fs::set_permissions(&path, Permissions::from_mode(0o0)).unwrap());
            });
            assert_noticed("deleted", |folder| fs::remove_file(folder.join(file)).unwrap());
        }
    }

    #[test]
    fn a_file_more_or_less_is_noticed_where_a_pattern_matches_it() {
        assert_noticed("a file more", |folder| fs::write(folder.join("clients/b.toml"), "# B\n").unwrap());
        assert_noticed("renamed", |folder| {
            fs::rename(folder.join("clients/a.toml"), folder.join("clients/c.toml")).unwrap();
        });
        assert_noticed("the folder is gone", |folder| fs::remove_dir_all(folder.join("clients")).unwrap());
        let folder = folder();
        let before = standing(folder.path());
        fs::write(folder.path().join("clients/b.toml~"), "# B\n").unwrap();
        assert_eq!(before.now(), before, "an editor's copy is none of them");
    }

    #[test]
    fn a_link_that_is_swapped_is_noticed() {
        // As Kubernetes mounts a ConfigMap: rosterd.toml -> ..data/rosterd.toml, and ..data -> the folder of one version.
        let folder = tempfile::tempdir().unwrap();
        for version in ["..one", "..two"] {
            fs::create_dir(folder.path().join(version)).unwrap();
            fs::write(folder.path().join(version).join("rosterd.toml"), "[log]\n").unwrap();
        }
        symlink("..one", folder.path().join("..data")).unwrap();
        symlink("..data/rosterd.toml", folder.path().join("rosterd.toml")).unwrap();
        let before = standing(folder.path());
        assert_eq!(before.now(), before);
        symlink("..two", folder.path().join("..new")).unwrap();
        fs::rename(folder.path().join("..new"), folder.path().join("..data")).unwrap();
        assert_ne!(before.now(), before);
    }

    #[test]
    fn what_can_not_be_used_has_a_standing_too() {
        let folder = folder();
        for text in ["not TOML", "", "include = [\"clients/*.toml\"]\nunknown = 1\n"] {
            fs::write(folder.path().join("rosterd.toml"), text).unwrap();
            let refused = read(&folder.path().join("rosterd.toml"));
            assert!(refused.config.is_err());
            assert_eq!(refused.standing.now(), refused.standing, "{text}");
        }
    }
}
