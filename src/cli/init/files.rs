//! Where a configuration is written, and the files that become new: they go away again where it comes to nothing.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use secrecy::{ExposeSecret as _, SecretString};
use tokio::signal::unix::{SignalKind, signal};

use super::draft::Draft;
use crate::cli::failure::Failure;
use crate::config::{self, Config};
use crate::exit::ExitStatus;

/// Where packages have their configuration, and their state.
const SYSTEM: &str = "/etc/rosterd";
const STATE: &str = "/var/lib/rosterd";

/// Where it is written.
#[derive(Debug)]
pub(super) struct Place {
    main: PathBuf,
    /// What stands in the main file already, where a file of the subscription's own comes beside it.
    existing: Option<(Config, String)>,
}

impl Place {
    /// The file that was named; or the system's, where there is a folder for it; or one in this folder.
    ///
    /// # Errors
    /// Where there is a file that includes no others: it is not overwritten.
    pub(super) fn find(named: Option<&Path>) -> Result<Place, Failure> {
        let system = Path::new(SYSTEM);
        let usual = || if system.is_dir() { system.join("rosterd.toml") } else { PathBuf::from("rosterd.toml") };
        let main = named.map_or_else(usual, Path::to_owned);
        let main = std::path::absolute(&main).unwrap_or(main);
        if !main.exists() {
            return Ok(Place { main, existing: None });
        }
        let config = config::load(&main).map_err(|problems| Failure::of_configuration(&problems))?;
        let text = fs::read_to_string(&main).map_err(|cause| Failure::new(format!("{}: {cause}", main.display())))?;
        let table: toml::Table = text.parse().unwrap_or_default();
        let clients = toml::Value::from("clients/*.toml");
        if table.get("include").and_then(toml::Value::as_array).is_some_and(|include| include.contains(&clients)) {
            return Ok(Place { main, existing: Some((config, text)) });
        }
        Err(Failure::usage(format!("{} is there already, and nothing is overwritten", main.display()))
            .hint("name another file with --config; or write include = [\"clients/*.toml\"] at its top, and the subscription gets a file of its own"))
    }

    pub(super) fn main(&self) -> &Path {
        &self.main
    }

    pub(super) fn folder(&self) -> &Path {
        self.main.parent().unwrap_or(Path::new("/"))
    }

    /// Whether rosterd looks here by itself, and the service does.
    pub(super) fn is_usual(&self) -> bool {
        self.folder() == Path::new(SYSTEM)
    }

    pub(super) fn shown(&self) -> String {
        match &self.existing {
            Some(_) => format!("a new file in {}", self.folder().join("clients").display()),
            None => self.main.display().to_string(),
        }
    }

    /// The licensing server of the configuration that is there.
    pub(super) fn base_url(&self) -> Option<String> {
        self.existing.as_ref().map(|(config, _)| config.licensing.base_url.to_string())
    }

    /// Whether a subscription of this name is configured.
    pub(super) fn has(&self, name: &str) -> bool {
        self.existing.as_ref().is_some_and(|(config, _)| config.subscriptions.contains_key(name))
    }

    /// A subscription's file beside the configuration.
    pub(super) fn beside(&self, name: &str, ending: &str) -> PathBuf {
        self.folder().join(format!("{name}.{ending}"))
    }

    /// Whether the service may not write there, by its unit.
    pub(super) fn is_beyond_service(&self, folder: &Path) -> bool {
        self.is_usual() && !folder.starts_with(STATE)
    }

    pub(super) fn ledger(&self) -> PathBuf {
        if self.is_usual() { Path::new(STATE).join("rosterd.db") } else { PathBuf::from("rosterd.db") }
    }

    /// Where files are dropped, unless somebody says otherwise.
    pub(super) fn drops(&self) -> String {
        let folder = if self.is_usual() { Path::new(STATE) } else { self.folder() };
        folder.join("drops").display().to_string()
    }

    /// The configuration as it would be.
    pub(super) fn preview(&self, draft: &Draft) -> Result<Config, Failure> {
        let text = match &self.existing {
            Some((_, text)) => format!("{text}\n{}", draft.tables()),
            None => draft.whole(),
        };
        config::load_str(&self.main, &text).map_err(|problems| Failure::new(problems.to_string()))
    }

    /// The file to write, and its text.
    pub(super) fn write(&self, draft: &Draft) -> Result<(PathBuf, String), Failure> {
        self.preview(draft)?;
        Ok(match &self.existing {
            Some(_) => (self.folder().join("clients").join(format!("{}.toml", draft.name)), draft.tables()),
            None => (self.main.clone(), draft.whole()),
        })
    }
}

/// What was made. It goes away with the value, unless it is kept.
#[derive(Debug, Default)]
pub(super) struct New {
    made: Arc<Mutex<Made>>,
}

#[derive(Debug, Default)]
struct Made {
    files: Vec<PathBuf>,
    folders: Vec<PathBuf>,
}

impl New {
    /// Also when the process is ended by hand.
    pub(super) fn goes_away_on_ctrl_c(&self) -> Result<(), Failure> {
        let failed = |cause: io::Error| Failure::new(format!("Ctrl-C can't be waited for: {cause}"));
        let made = Arc::clone(&self.made);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let mut pressed = {
            let _inside = runtime.enter();
            signal(SignalKind::interrupt()).map_err(failed)?
        };
        std::thread::spawn(move || {
            runtime.block_on(pressed.recv());
            // Held until the end, so that nothing more is made.
            let mut made = made.lock().unwrap_or_else(PoisonError::into_inner);
            made.take_away();
            eprintln!("\nnothing was written");
            std::process::exit(ExitStatus::Failed.code().into());
        });
        Ok(())
    }

    fn made(&self) -> MutexGuard<'_, Made> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this file was made here.
    pub(super) fn has(&self, path: &Path) -> bool {
        self.made().files.iter().any(|file| file == path)
    }

    /// A file for its owner's eyes only. One that was written a moment ago is written again.
    pub(super) fn write_secret(&mut self, path: &Path, secret: &SecretString) -> Result<(), Failure> {
        let mut made = self.made();
        if let Some(place) = made.files.iter().position(|file| file == path) {
            let _ = fs::remove_file(made.files.remove(place));
        }
        made.write(path, &format!("{}\n", secret.expose_secret()), 0o600)
    }

    /// Never one that is there.
    pub(super) fn write(&mut self, path: &Path, text: &str, mode: u32) -> Result<(), Failure> {
        self.made().write(path, text, mode)
    }

    pub(super) fn make_folder(&mut self, path: &Path) -> Result<(), Failure> {
        self.made().make_folder(path)
    }

    /// Where root writes for a service that is somebody else: that user owns the secrets and folders, and may read the
    /// configuration. Best effort; `rosterd check` as that user tells what can't be read.
    pub(super) fn give_to_service(&self, state: &Path, configuration: &Path) {
        let Ok(owner) = fs::metadata(state) else { return };
        if !rustix::process::geteuid().is_root() || owner.uid() == 0 {
            return;
        }
        let made = self.made();
        for path in made.files.iter().chain(&made.folders) {
            let user = (path != configuration && Some(path.as_path()) != configuration.parent()).then(|| owner.uid());
            let _ = std::os::unix::fs::chown(path, user, Some(owner.gid()));
        }
    }

    /// What was made stays. Gives the files.
    pub(super) fn keep(self) -> Vec<PathBuf> {
        std::mem::take(&mut *self.made()).files
    }
}

impl Drop for New {
    fn drop(&mut self) {
        self.made().take_away();
    }
}

impl Made {
    fn write(&mut self, path: &Path, text: &str, mode: u32) -> Result<(), Failure> {
        let failed = |cause: io::Error| Failure::new(format!("{} can't be written: {cause}", path.display()));
        if let Some(folder) = path.parent().filter(|folder| !folder.exists()) {
            self.make_folder(folder)?;
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(failed)?;
        self.files.push(path.to_owned());
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)
    }

    fn make_folder(&mut self, path: &Path) -> Result<(), Failure> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o750).create(path);
        made.map_err(|cause| Failure::new(format!("{} can't be made: {cause}", path.display())))?;
        self.folders.push(path.to_owned());
        Ok(())
    }

    fn take_away(&mut self) {
        for file in self.files.drain(..) {
            let _ = fs::remove_file(file);
        }
        for folder in self.folders.drain(..) {
            // One that is in use stays.
            let _ = fs::remove_dir(folder);
        }
    }
}

/// A command for each of these files that the service can't read: as root it was tried with other rights than the service
/// has, which is whoever owns the state's folder.
pub(super) fn unreadable_for_service(state: &Path, files: &[&Path]) -> Vec<String> {
    let Some(owner) = fs::metadata(state).ok().filter(|it| it.uid() != 0 && rustix::process::geteuid().is_root())
    else {
        return Vec::new();
    };
    let can_not = |path: &&&Path| fs::metadata(path).is_ok_and(|file| !may_read(&file, owner.uid(), owner.gid()));
    let user = user_name(owner.uid());
    files.iter().filter(can_not).map(|path| format!("chown {user} {}", path.display())).collect()
}

fn user_name(number: u32) -> String {
    let known = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let mut users = known.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let user = users.find(|user| user.get(2) == Some(&number.to_string().as_str()));
    user.and_then(|user| user.first().map(|name| (*name).to_owned())).unwrap_or_else(|| number.to_string())
}

/// By the file's owner, group and mode alone.
fn may_read(file: &fs::Metadata, user: u32, group: u32) -> bool {
    let bit = match (file.uid() == user, file.gid() == group) {
        (true, _) => 0o400,
        (false, true) => 0o040,
        (false, false) => 0o004,
    };
    file.mode() & bit != 0
}

/// The system's time zone, by its name.
pub(super) fn system_zone() -> String {
    let link = fs::read_link("/etc/localtime").ok();
    let name = link.and_then(|link| link.to_str()?.split_once("zoneinfo/").map(|(_, name)| name.to_owned()));
    name.filter(|name| name.parse::<chrono_tz::Tz>().is_ok()).unwrap_or_else(|| "UTC".to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_file_is_read_by_its_owner_its_group_or_everybody() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.key");
        let may = |mode, user: u32, group: u32| {
            fs::write(&path, "a").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let file = fs::metadata(&path).unwrap();
            may_read(&file, file.uid() + user, file.gid() + group)
        };
        assert!(may(0o600, 0, 1) && may(0o640, 1, 0) && may(0o604, 1, 1));
        assert!(!may(0o600, 1, 0) && !may(0o640, 1, 1) && !may(0o044, 0, 0));
    }

    #[test]
    fn what_is_there_is_not_overwritten_and_what_was_made_goes_away() {
        let folder = tempfile::tempdir().unwrap();
        let (old, key) = (folder.path().join("old"), folder.path().join("made/a.key"));
        fs::write(&old, "old").unwrap();
        let mut new = New::default();
        assert!(new.write(&old, "new", 0o640).is_err());
        new.write_secret(&key, &"one".into()).unwrap();
        new.write_secret(&key, &"two".into()).unwrap();
        assert_eq!(fs::read_to_string(&key).unwrap(), "two\n");
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        drop(new);
        assert!(!key.exists() && !key.parent().unwrap().exists());
        assert_eq!(fs::read_to_string(&old).unwrap(), "old");
    }
}
