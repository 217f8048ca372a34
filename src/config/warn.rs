//! What is not wrong with a configuration but worth a word.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{After, Auth, Config, Ldap, SecretRef, SourceKind};

/// Adds to the warnings what can be told from the whole, each a sentence.
pub(super) fn about(config: &mut Config) {
    let mut warnings = Vec::new();
    not_yet(config, &mut warnings);
    loose_ends(config, &mut warnings);
    shared_folders(config, &mut warnings);
    permissions(config, &mut warnings);
    config.warnings.append(&mut warnings);
}

/// What is understood and not done by this version.
fn not_yet(config: &Config, warnings: &mut Vec<String>) {
    if !config.alerts.is_empty() {
        warnings.push("Alerts are only logged by this version: [[alerts]] is not used yet.".to_owned());
    }
    if config.heartbeat.is_some() {
        warnings.push("This version fetches no heartbeat yet: [heartbeat] is not used.".to_owned());
    }
}

fn loose_ends(config: &Config, warnings: &mut Vec<String>) {
    if config.subscriptions.is_empty() {
        warnings
            .push("There is no subscription, so there is nothing to do: add a table [subscriptions.NAME].".to_owned());
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
    let in_files = keys.chain(token).filter_map(|(what, secret)| in_file(what, secret));
    in_files.chain(directories).chain(certificate).collect()
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

#[cfg(not(unix))]
fn mode(_: &Path) -> Option<u32> {
    None
}
