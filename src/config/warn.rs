//! What is not wrong with a configuration but worth a word.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::{After, Auth, Config, Ldap, LedgerUrl, SecretRef, SourceKind, Way};

/// Adds to the warnings what can be told from the whole, each a sentence.
pub(super) fn about(config: &mut Config) {
    let mut warnings = Vec::new();
    loose_ends(config, &mut warnings);
    shared_folders(config, &mut warnings);
    permissions(config, &mut warnings);
    config.warnings.append(&mut warnings);
}

fn loose_ends(config: &Config, warnings: &mut Vec<String>) {
    if config.subscriptions.is_empty() {
        warnings
            .push("There is no subscription, so there is nothing to do: `rosterd init` adds one, or a table [subscriptions.NAME].".to_owned());
    }
    let named: BTreeSet<_> = config.subscriptions.values().flat_map(|it| &it.sources).collect();
    for source in config.sources.keys().filter(|source| !named.contains(source)) {
        warnings.push(format!("No subscription names the source `{source}`: it is not read."));
    }
}

/// Two sources that take each other's files away, by whatever path.
fn shared_folders(config: &Config, warnings: &mut Vec<String>) {
    let mut first = BTreeMap::new();
    for (name, source) in &config.sources {
        let SourceKind::Csv(csv) = &source.kind else { continue };
        let path = std::fs::canonicalize(&csv.path).unwrap_or_else(|_| csv.path.clone());
        let (other, after) = first.entry((path, &csv.pattern)).or_insert((name, csv.after));
        if *other != name && (*after != After::Leave || csv.after != After::Leave) {
            warnings.push(format!(
                "The sources `{other}` and `{name}` take the same files: which of them sees a file is left to chance."
            ));
        }
    }
}

fn permissions(config: &Config, warnings: &mut Vec<String>) {
    for path in &config.files {
        if mode(path).is_some_and(|mode| mode & 0o002 != 0) {
            warnings.push(format!(
                "Others may write {}, and with it say where keys are sent: `chmod o-w` it.",
                path.display()
            ));
        }
    }
    for (what, path) in secrets(config) {
        if let Some(mode) = mode(path).filter(|mode| mode & 0o077 != 0) {
            warnings.push(format!(
                "Others may read {what}: {} has the mode {:o}; `chmod 600` it.",
                path.display(),
                mode & 0o777
            ));
        }
    }
    for (folder, what) in folders(config) {
        // In a folder such as /tmp nobody takes away what is another's.
        if mode_of_folder(&folder).is_some_and(|mode| mode & 0o1002 == 0o002) {
            warnings.push(format!(
                "Others may write into {}, and put another file in the place of {what}: `chmod o-w` it.",
                folder.display()
            ));
        }
    }
}

/// Of which files everybody on this machine may read who the clients are and where their keys lie: nothing to be told with
/// each command.
pub fn readable(config: &Config) -> Vec<String> {
    let told = |path: &&PathBuf| mode(path).is_some_and(|mode| mode & 0o004 != 0) && is_open_to_all(path);
    let told = config.files.iter().filter(told);
    told.map(|path| format!("Everybody on this machine may read {}: `chmod o-r` it.", path.display())).collect()
}

/// Whether everybody comes through all of its folders.
fn is_open_to_all(path: &Path) -> bool {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    path.ancestors().skip(1).all(|folder| mode_of_folder(folder).is_none_or(|mode| mode & 0o001 != 0))
}

/// The folders in which a file of somebody else's would do harm, each once, with what stands there.
fn folders(config: &Config) -> BTreeMap<PathBuf, String> {
    let ledger = match &config.ledger {
        LedgerUrl::Sqlite(path) => Some(("the ledger".to_owned(), path.as_path())),
        LedgerUrl::Postgres(_) => None,
    };
    let files = config.files.iter().map(|path| ("the configuration".to_owned(), path.as_path()));
    let all = secrets(config).into_iter().chain(files).chain(ledger);
    let folder =
        |path: &Path| path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new(".")).to_owned();
    all.map(|(what, path)| (folder(path), what)).collect()
}

/// The files of the secrets that this version uses, with what they are.
fn secrets(config: &Config) -> Vec<(String, &Path)> {
    let keys = config.subscriptions.values().map(|it| (format!("the API key of `{}`", it.name), &it.api_key));
    let token = config.http.token.iter().map(|token| ("the token of [http]".to_owned(), token));
    let directories = config.sources.values().filter_map(|source| {
        let SourceKind::Ldap(Ldap { auth, .. }) = &source.kind else { return None };
        let name = &source.name;
        match auth {
            Auth::Simple { password, .. } => in_file(format!("the bind password of `{name}`"), password),
            Auth::External { key, .. } => Some((format!("the client key of `{name}`"), key.as_path())),
            Auth::Gssapi { keytab } => Some((format!("the keytab of `{name}`"), keytab.as_deref()?)),
        }
    });
    let certificate = config.http.certificate.as_ref();
    let certificate = certificate.map(|files| ("the key of the certificate of [http]".to_owned(), files.key.as_path()));
    let heartbeat = config.heartbeat.iter().map(|it| ("the address of [heartbeat]".to_owned(), &it.url));
    let alerts = config.alerts.iter().flat_map(|alert| of_alert(&alert.way));
    let all = keys.chain(token).chain(heartbeat).chain(alerts);
    all.filter_map(|(what, secret)| in_file(what, secret)).chain(directories).chain(certificate).collect()
}

fn of_alert(way: &Way) -> Vec<(String, &SecretRef)> {
    let named = |what: &str, secret| (format!("{what} of [[alerts]] ({})", way.kind().word()), secret);
    match way {
        Way::Smtp { login, .. } => login.iter().map(|login| named("the password", &login.password)).collect(),
        Way::Slack { url } | Way::Teams { url } => vec![named("the address", url)],
        Way::Webhook { url, secret } => {
            let secret = secret.iter().map(|secret| named("the secret", secret));
            std::iter::once(named("the address", url)).chain(secret).collect()
        }
        Way::Command { .. } => Vec::new(),
    }
}

fn in_file(what: String, secret: &SecretRef) -> Option<(String, &Path)> {
    match secret {
        SecretRef::File(path) => Some((what, path)),
        _ => None,
    }
}

#[cfg(unix)]
fn mode(path: &Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file).map(|meta| meta.permissions().mode())
}

#[cfg(unix)]
fn mode_of_folder(path: &Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).ok().filter(std::fs::Metadata::is_dir).map(|meta| meta.permissions().mode())
}

#[cfg(not(unix))]
fn mode_of_folder(_: &Path) -> Option<u32> {
    None
}

#[cfg(not(unix))]
fn mode(_: &Path) -> Option<u32> {
    None
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn everybody_may_read_what_is_open_with_all_of_its_folders() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rosterd.toml");
        fs::write(&path, "[log]\n").unwrap();
        let told = |of_file, of_folder| {
            fs::set_permissions(&path, Permissions::from_mode(of_file)).unwrap();
            fs::set_permissions(folder.path(), Permissions::from_mode(of_folder)).unwrap();
            readable(&crate::config::load(&path).unwrap()).len()
        };
        assert_eq!((told(0o644, 0o755), told(0o644, 0o711)), (1, 1));
        assert_eq!((told(0o640, 0o755), told(0o644, 0o750)), (0, 0), "nobody else gets there");
    }
}
