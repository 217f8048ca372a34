//! The files as they are: found, read, taken apart into tables with places. What they mean is for [`super::build`].

use std::ffi::OsString;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnose::{Complaint, Problem};

/// A value with its place.
pub(super) type Value<'a> = Spanned<DeValue<'a>>;

/// Where a configuration was looked for in vain.
#[derive(Debug, thiserror::Error)]
#[error(
    "there is no configuration: looked at {}; `rosterd init` writes one, --config or $ROSTERD_CONFIG names one, and \
     `rosterd demo` shows what rosterd does and needs none",
    shown(looked)
)]
pub struct NotFound {
    /// The paths where none was, in the order in which they were tried.
    pub looked: Vec<PathBuf>,
}

fn shown(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// The configuration to use: this one, `$ROSTERD_CONFIG`, `./rosterd.toml` or `/etc/rosterd/rosterd.toml`.
///
/// One that was named is not looked for: when it is missing, [`super::load`] says so.
pub fn find(flag: Option<&Path>) -> Result<PathBuf, NotFound> {
    let usual = [PathBuf::from("rosterd.toml"), PathBuf::from("/etc/rosterd/rosterd.toml")];
    find_among(flag, std::env::var_os("ROSTERD_CONFIG"), &usual)
}

fn find_among(flag: Option<&Path>, variable: Option<OsString>, usual: &[PathBuf]) -> Result<PathBuf, NotFound> {
    if let Some(path) = flag {
        return Ok(path.to_owned());
    }
    if let Some(path) = variable.filter(|path| !path.is_empty()) {
        return Ok(path.into());
    }
    let there = usual.iter().find(|path| path.exists());
    there.cloned().ok_or_else(|| NotFound { looked: usual.to_vec() })
}

/// By what a file that was replaced, written to or made readable is known, behind links, too. The time of its change can't
/// be set as that of its writing can. Nothing where there is no file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Stamp(Option<[u64; 7]>);

impl Stamp {
    fn of(file: &fs::Metadata) -> Stamp {
        let [written, written_ns, changed, changed_ns] =
            [file.mtime(), file.mtime_nsec(), file.ctime(), file.ctime_nsec()].map(i64::cast_unsigned);
        Stamp(Some([file.dev(), file.ino(), file.size(), written, written_ns, changed, changed_ns]))
    }

    pub(super) fn at(path: &Path) -> Stamp {
        fs::metadata(path).map_or_else(|_| Stamp::default(), |file| Stamp::of(&file))
    }

    pub(super) fn words(self) -> impl Iterator<Item = u64> {
        self.0.into_iter().flatten()
    }
}

/// One file of the configuration.
#[derive(Debug)]
pub(super) struct File {
    /// As the person wrote it, for messages.
    pub(super) shown: PathBuf,
    /// From the root.
    pub(super) path: PathBuf,
    pub(super) text: String,
    /// Of the file as it was when the reading of it began.
    pub(super) stamp: Stamp,
}

impl File {
    pub(super) fn new(shown: &Path, text: String) -> File {
        let path = std::path::absolute(shown).unwrap_or_else(|_| shown.to_owned());
        File { shown: shown.to_owned(), path, text, stamp: Stamp::default() }
    }

    pub(super) fn read(shown: &Path) -> Result<File, Complaint> {
        let (stamp, bytes) = read(shown).map_err(|cause| unreadable(&cause))?;
        match String::from_utf8(bytes) {
            // What is cut off at its beginning would say that nothing is configured.
            Ok(text) if text.trim().is_empty() => {
                Err(Complaint::new("this file is empty", "write the configuration into it, or delete it"))
            }
            Ok(text) => Ok(File { stamp, ..File::new(shown, text) }),
            Err(error) => {
                let good = error.utf8_error().valid_up_to();
                let line = error.as_bytes()[..good].split(|byte| *byte == b'\n').count();
                Err(Complaint::new(format!("this file is not UTF-8 in line {line}"), "save it as UTF-8 in an editor"))
            }
        }
    }

    /// A path of the configuration, from the root: relative ones are relative to this file.
    pub(super) fn resolve(&self, path: &str) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("/")).join(path)
    }

    /// The file's tables, or why it has none.
    pub(super) fn parse(&self) -> Result<Spanned<DeTable<'_>>, Vec<Problem>> {
        let (table, errors) = DeTable::parse_recoverable(&self.text);
        // What follows a first mistake in the syntax is often its echo; a key that is there twice echoes nothing.
        let mut others = 0;
        let problems: Vec<_> = errors
            .iter()
            .filter(|error| {
                let twice = error.message() == "duplicate key";
                others += usize::from(!twice);
                twice || others == 1
            })
            .map(|error| Problem::at(self, error.span().unwrap_or(0..0), syntax(error.message())))
            .collect();
        if problems.is_empty() { Ok(table) } else { Err(problems) }
    }
}

fn read(path: &Path) -> io::Result<(Stamp, Vec<u8>)> {
    let mut file = fs::File::open(path)?;
    let stamp = Stamp::of(&file.metadata()?);
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok((stamp, bytes))
}

fn unreadable(cause: &io::Error) -> Complaint {
    match cause.kind() {
        io::ErrorKind::NotFound => {
            Complaint::new("this file is not there", "write it, or name another one with --config")
        }
        io::ErrorKind::PermissionDenied => Complaint::new(
            "this file may not be read by the user that runs rosterd",
            "give that user the right to read it",
        ),
        _ => {
            Complaint::new(format!("this file can't be read: {cause}"), "mend that, or name another one with --config")
        }
    }
}

fn syntax(message: &str) -> Complaint {
    match message {
        "duplicate key" => Complaint::new("this key is here twice", "keep one of the two"),
        message => Complaint::new(
            format!("this is not TOML: {message}"),
            "write `key = value`, texts in double quotes, lists as [\"a\", \"b\"]",
        ),
    }
}

/// The files that a pattern of `include` names, in order; without the configuration itself.
///
/// # Errors
/// What is wrong with the pattern; or that what it names can't be looked through: clients that stand there are not to be
/// forgotten.
pub(super) fn included(main: &File, pattern: &str) -> Result<Vec<PathBuf>, Complaint> {
    let help = "write globs relative to this file, such as \"clients/*.toml\"";
    let mut found = vec![main.shown.parent().map(Path::to_owned).unwrap_or_default()];
    let mut is_glob = false;
    for component in Path::new(pattern).components() {
        let name = component.as_os_str().to_string_lossy();
        if name == "**" {
            let says = "`**` is not understood here; name each folder, as in \"clients/*/*.toml\"";
            return Err(Complaint::new(says, help));
        }
        let step: Step = if name.contains(['*', '?', '[', '{']) {
            let glob = GlobBuilder::new(&name).literal_separator(true).build();
            Step::Match(glob.map_err(|error| Complaint::new(error.kind().to_string(), help))?.compile_matcher())
        } else {
            Step::Enter(component.as_os_str())
        };
        let taken: Result<Vec<Vec<PathBuf>>, Complaint> =
            found.iter().map(|folder| step.take(folder, is_glob)).collect();
        is_glob |= matches!(step, Step::Match(_));
        found = taken?.concat();
    }
    // A link that leads nowhere is a client's file that is gone.
    found.retain(|path| path.is_file() || path.is_symlink() && !path.exists() || !is_glob);
    found.retain(|path| std::path::absolute(path).ok().as_ref() != Some(&main.path));
    Ok(found)
}

/// Whether a pattern that matches nothing is one of names in a folder that is there.
pub(super) fn is_for_files_to_come(main: &File, pattern: &str) -> bool {
    let pattern = Path::new(pattern);
    let folder = main.path.parent().zip(pattern.parent()).map(|(main, folder)| main.join(folder));
    let is_glob = pattern.file_name().is_some_and(|name| name.to_string_lossy().contains('*'));
    is_glob && folder.is_some_and(|folder| folder.is_dir())
}

enum Step<'a> {
    Enter(&'a std::ffi::OsStr),
    Match(GlobMatcher),
}

impl Step<'_> {
    /// `is_any`: the folder is one of those that a pattern matches, and need be none.
    fn take(&self, folder: &Path, is_any: bool) -> Result<Vec<PathBuf>, Complaint> {
        let matcher = match self {
            Step::Enter(name) => return Ok(vec![folder.join(name)]),
            Step::Match(matcher) => matcher,
        };
        let looked_at = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let names: io::Result<Vec<_>> =
            fs::read_dir(looked_at).and_then(|names| names.map(|entry| Ok(entry?.file_name())).collect());
        let names = match names {
            Err(error)
                if error.kind() == io::ErrorKind::NotFound
                    || is_any && error.kind() == io::ErrorKind::NotADirectory =>
            {
                Vec::new()
            }
            names => names.map_err(|error| {
                let says = format!("the folder {} can't be read: {error}", folder.display());
                Complaint::new(says, "give the user that runs rosterd the right to read it")
            })?,
        };
        // A name with a dot before it is an editor's copy more often than a client.
        let hidden =
            |name: &std::ffi::OsStr| name.to_string_lossy().starts_with('.') && !matcher.glob().glob().starts_with('.');
        let mut names: Vec<_> = names.into_iter().filter(|name| matcher.is_match(name) && !hidden(name)).collect();
        names.sort();
        Ok(names.into_iter().map(|name| folder.join(name)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flag_counts_before_the_variable_and_both_before_the_usual_places() {
        let folder = tempfile::tempdir().unwrap();
        let [first, second] = ["a.toml", "b.toml"].map(|name| folder.path().join(name));
        let usual = [first.clone(), second.clone()];
        let variable = || Some(OsString::from("variable.toml"));

        assert_eq!(find_among(Some(Path::new("flag.toml")), variable(), &usual).unwrap(), Path::new("flag.toml"));
        assert_eq!(find_among(None, variable(), &usual).unwrap(), Path::new("variable.toml"));
        assert_eq!(find_among(None, Some(OsString::new()), &usual).unwrap_err().looked, usual);
        fs::write(&second, "").unwrap();
        assert_eq!(find_among(None, None, &usual).unwrap(), second);
        fs::write(&first, "").unwrap();
        assert_eq!(find_among(None, None, &usual).unwrap(), first);
    }

    #[test]
    fn a_relative_configuration_includes_files_beside_it() {
        let main = File::new(Path::new("Cargo.toml"), String::new());
        let beside = included(&main, "*.toml").unwrap();
        assert!(beside.contains(&PathBuf::from("clippy.toml")) && !beside.contains(&PathBuf::from("Cargo.toml")));
        assert_eq!(included(&main, "src/config/m?d.rs").unwrap(), [Path::new("src/config/mod.rs")]);
    }
}
