//! Says when it may be worth looking at a CSV source again. An event is only a hint: whoever is woken looks at
//! everything, and looks every `poll_interval` anyway, which is all there is on a network share, where the kernel tells
//! nothing of what other machines do.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher as _};

use crate::config;

/// Why a folder can't be watched. Looking every `poll_interval` goes on.
#[derive(Debug, thiserror::Error)]
#[error(
    "{folder} can't be watched, so it is only looked into every `poll_interval`; set watch = \"poll\" if that is meant"
)]
pub struct WatchError {
    pub folder: PathBuf,
    #[source]
    cause: notify::Error,
}

/// Watches the folder of one source.
#[derive(Debug)]
pub struct Watcher {
    /// The folder, or the one file.
    path: PathBuf,
    /// `None`: only looked at every `poll_interval`.
    native: Option<RecommendedWatcher>,
    /// The folder that is watched, and the inode that it had then.
    watched: Option<(PathBuf, u64)>,
}

impl Watcher {
    /// Watches from now on, where there is something to watch; `wake` is called on a thread of its own for each event
    /// that may be news.
    ///
    /// # Errors
    /// When the system gives no way to watch, as when its limit of inotify instances is reached.
    pub fn new(path: &Path, watch: config::Watch, wake: impl Fn() + Send + 'static) -> Result<Watcher, WatchError> {
        let mut watcher = Watcher { path: path.to_owned(), native: None, watched: None };
        if watch == config::Watch::Poll || (watch == config::Watch::Auto && is_on_network(path)) {
            return Ok(watcher);
        }
        let source = path.to_owned();
        let heard = move |event: notify::Result<Event>| {
            // What went wrong with watching is found out by looking.
            if event.is_ok_and(|event| is_news(&event, &source)) {
                wake();
            }
        };
        let native = notify::recommended_watcher(heard);
        watcher.native = Some(native.map_err(|cause| WatchError { folder: path.to_owned(), cause })?);
        watcher.refresh()?;
        Ok(watcher)
    }

    /// Watches the folder again where it was made again; to be called before each look. A folder that is not there is no
    /// error: the look says so.
    ///
    /// # Errors
    /// When the folder can't be watched.
    pub fn refresh(&mut self) -> Result<(), WatchError> {
        let Some(native) = &mut self.native else { return Ok(()) };
        let folder = folder_of(&self.path);
        let inode = fs::metadata(&folder).map(|metadata| metadata.ino()).ok();
        let wanted = inode.map(|inode| (folder, inode));
        if wanted == self.watched {
            return Ok(());
        }
        if let Some((folder, _)) = self.watched.take() {
            // It is gone, and the watch with it, or another one has its name; either way this is no longer wanted.
            let _ = native.unwatch(&folder);
        }
        if let Some((folder, _)) = &wanted {
            let told = native.watch(folder, RecursiveMode::NonRecursive);
            told.map_err(|cause| WatchError { folder: folder.clone(), cause })?;
        }
        self.watched = wanted;
        Ok(())
    }
}

/// The folder to watch: the path itself, or the one that holds the file.
fn folder_of(path: &Path) -> PathBuf {
    if path.is_dir() || path.extension().is_none() {
        return path.to_owned();
    }
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Whether an event may mean that there is something to read. Opening and reading is what rosterd itself does.
fn is_news(event: &Event, source: &Path) -> bool {
    let kind = match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        _ => true,
    };
    // In the folder, or the one file and what lies beside it under its name: a digest.
    let starts_alike = |name: &std::ffi::OsStr| {
        source.file_name().is_none_or(|file| name.as_encoded_bytes().starts_with(file.as_encoded_bytes()))
    };
    let is_ours = |path: &PathBuf| path.parent() == Some(source) || path.file_name().is_none_or(starts_alike);
    // An event without a path, and one that asks for a new look, says that others were lost.
    kind && (event.need_rescan() || event.paths.is_empty() || event.paths.iter().any(is_ours))
}

/// Whether a path lies on a file system where the kernel does not hear of every change.
#[cfg(target_os = "linux")]
fn is_on_network(path: &Path) -> bool {
    /// NFS, SMB, CIFS, SMB2, FUSE, 9P, Ceph, AFS, from linux/magic.h and the file systems' own headers.
    const MAGIC: [u32; 8] =
        [0x6969, 0x517b, 0xff53_4d42, 0xfe53_4d42, 0x6573_5546, 0x0102_1997, 0x00c3_6400, 0x5346_414f];
    let told = rustix::fs::statfs(path).or_else(|_| rustix::fs::statfs(folder_of(path)));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the numbers have 32 bits")]
    told.is_ok_and(|told| MAGIC.contains(&(told.f_type as u32)))
}

#[cfg(not(target_os = "linux"))]
fn is_on_network(_: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Duration;

    use notify::event::{CreateKind, Flag, ModifyKind, RenameMode};

    use super::*;

    /// How long an event may take on a busy machine.
    const PATIENCE: Duration = Duration::from_secs(20);

    fn watcher(path: &Path) -> (Watcher, Receiver<()>) {
        let (send, heard) = channel();
        let wake = move || send.send(()).unwrap_or_default();
        (Watcher::new(path, config::Watch::Native, wake).unwrap(), heard)
    }

    #[test]
    fn opening_and_reading_is_no_news() {
        let event = |kind| Event::new(kind).add_path("drops/a.csv".into());
        let told = |kind| is_news(&event(kind), Path::new("drops"));
        assert!(!told(EventKind::Access(AccessKind::Open(AccessMode::Read))));
        assert!(!told(EventKind::Access(AccessKind::Close(AccessMode::Read))));
        assert!(told(EventKind::Access(AccessKind::Close(AccessMode::Write))));
        assert!(told(EventKind::Modify(ModifyKind::Name(RenameMode::To))));
        assert!(told(EventKind::Create(CreateKind::File)));
        assert!(is_news(&Event::new(EventKind::Other).set_flag(Flag::Rescan), Path::new("drops")));
    }

    #[test]
    fn of_one_file_only_its_own_events_are_news() {
        let told = |name: &str| {
            is_news(&Event::new(EventKind::Create(CreateKind::File)).add_path(name.into()), Path::new("drops/a.csv"))
        };
        assert!(told("drops/a.csv") && told("drops/a.csv.sha256"));
        assert!(!told("drops/b.csv"));
    }

    #[test]
    fn a_dropped_file_wakes_also_in_a_folder_that_was_made_again() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("drops");
        fs::create_dir(&folder).unwrap();
        let (mut watcher, heard) = watcher(&folder);
        fs::write(folder.join("a.csv"), "email\n").unwrap();
        heard.recv_timeout(PATIENCE).unwrap();

        fs::remove_dir_all(&folder).unwrap();
        watcher.refresh().unwrap();
        fs::create_dir(&folder).unwrap();
        watcher.refresh().unwrap();
        while heard.try_recv().is_ok() {}
        fs::write(folder.join("b.csv"), "email\n").unwrap();
        heard.recv_timeout(PATIENCE).unwrap();
    }

    #[test]
    fn polling_needs_no_watcher() {
        let watcher = Watcher::new(Path::new("nowhere"), config::Watch::Poll, || {}).unwrap();
        assert!(watcher.native.is_none());
    }
}
