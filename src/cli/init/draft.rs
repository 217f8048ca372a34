//! What is known so far, and the text that it makes.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use chrono_tz::Tz;
use uuid::Uuid;

use super::InitArgs;
use super::files::Place;
use crate::config::SubscriptionType;

/// The answers.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) name: String,
    pub(super) kind: SubscriptionType,
    pub(super) id: Uuid,
    pub(super) api_key: PathBuf,
    pub(super) timezone: Tz,
    pub(super) source: People,
    base_url: Option<String>,
    ledger: PathBuf,
}

/// Where the list of people comes from.
#[derive(Debug)]
pub(super) enum People {
    Csv(PathBuf),
    Directory(Directory),
}

#[derive(Debug)]
pub(super) struct Directory {
    pub(super) urls: Vec<String>,
    pub(super) bind_dn: String,
    pub(super) password: PathBuf,
    pub(super) groups: Vec<String>,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) start_tls: bool,
}

impl Draft {
    /// What nobody has said yet stands for itself.
    pub(super) fn new(args: &InitArgs, place: &Place) -> Draft {
        Draft {
            name: String::new(),
            kind: SubscriptionType::Manual,
            id: Uuid::nil(),
            api_key: PathBuf::new(),
            timezone: Tz::UTC,
            source: People::Csv(place.folder().to_owned()),
            base_url: args.base_url.clone(),
            ledger: place.ledger(),
        }
    }

    /// The files with its secrets and certificates.
    pub(super) fn files(&self) -> Vec<&Path> {
        let mut files = vec![self.api_key.as_path()];
        if let People::Directory(Directory { password, ca_file, .. }) = &self.source {
            files.push(password);
            files.extend(ca_file.as_deref());
        }
        files
    }

    /// Where the ledger will be: whose that folder is, is the service.
    pub(super) fn ledger_folder(&self, place: &Place) -> PathBuf {
        let path = place.folder().join(&self.ledger);
        path.parent().map(Path::to_owned).unwrap_or_default()
    }

    /// A whole configuration.
    pub(super) fn whole(&self) -> String {
        let mut text = "\
# rosterd's configuration, written by `rosterd init`. A daemon that runs takes a change within seconds; `rosterd check`
# tries everything that stands here. What is left out has its default: every key stands in the reference configuration,
# which packages keep under /usr/share/doc/rosterd, and which is config/rosterd.toml in the source.

# More subscriptions, one file for each: `rosterd init` adds them here.
include = [\"clients/*.toml\"]

# The only record of who has a licence through rosterd: back it up. The README says how.
[ledger]
"
        .to_owned();
        let _ = writeln!(text, "url = {}\n", quoted(&format!("sqlite:{}", self.ledger.display())));
        if let Some(url) = &self.base_url {
            let _ = writeln!(text, "[licensing]\nbase_url = {}\n", quoted(url));
        }
        text.push_str(&self.tables());
        text
    }

    /// The tables of this subscription and its source alone.
    pub(super) fn tables(&self) -> String {
        let Draft { name, kind, id, api_key, timezone, .. } = self;
        let source = match &self.source {
            People::Csv(_) => format!("{name}-csv"),
            People::Directory(_) => format!("{name}-directory"),
        };
        let mut text = format!("[subscriptions.{name}]\n");
        let _ = writeln!(text, "type = {}\nid = \"{id}\"", quoted(kind.label()));
        let _ = writeln!(text, "# Only the owner of this file may read it.\napi_key = {{ file = {} }}", path(api_key));
        let _ = writeln!(text, "sources = [{}]", quoted(&source));
        let _ = writeln!(
            text,
            "# Of dates in rosters, of schedules, and of the months of `rosterd report`.\ntimezone = {}",
            quoted(timezone.name())
        );
        let _ = writeln!(
            text,
            "# Who never gets a seat, and who never loses one:\n#exclude = [\"svc-*\"]\n#protect = [\"ceo@contoso.com\"]\n"
        );
        let _ = writeln!(text, "[sources.{source}]");
        match &self.source {
            People::Csv(folder) => {
                let _ = writeln!(
                    text,
                    "kind = \"csv\"\n# Each new file that is dropped here is the whole roster.\npath = {}",
                    path(folder)
                );
                text.push_str("# Where the export has names of its own for its columns:\n#columns = { email = \"Dienstadresse\", id = \"Personalnummer\" }\n");
            }
            People::Directory(directory) => text.push_str(&directory.keys()),
        }
        text
    }
}

impl Directory {
    fn keys(&self) -> String {
        let Directory { urls, bind_dn, password, groups, ca_file, start_tls } = self;
        let list = |items: &[String]| items.iter().map(|item| quoted(item)).collect::<Vec<_>>();
        let mut text = "kind = \"ldap\"\n# Tried in turn.\n".to_owned();
        let _ = writeln!(text, "urls = [{}]", list(urls).join(", "));
        if *start_tls {
            text.push_str("start_tls = true\n");
        }
        if let Some(file) = ca_file {
            let _ = writeln!(text, "ca_file = {}", path(file));
        }
        let _ = writeln!(text, "bind_dn = {}\nbind_password = {{ file = {} }}", quoted(bind_dn), path(password));
        text.push_str("# Their members should have a licence, and the members of groups in them.\ngroups = [\n");
        for group in list(groups) {
            let _ = writeln!(text, "  {group},");
        }
        text.push_str("]\n");
        text
    }
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn path(path: &Path) -> String {
    quoted(&path.display().to_string())
}

/// A name that is easy to say, and good for a file.
pub(super) fn name(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !text.is_empty() && text.len() <= 64 && text.chars().all(is_plain) {
        Ok(text.to_owned())
    } else {
        Err("a name is made of letters, digits, - and _".to_owned())
    }
}

/// How a subscription was bought, in any case.
pub(super) fn kind(text: &str) -> Result<SubscriptionType, String> {
    let kinds = [SubscriptionType::Paddle, SubscriptionType::Azure, SubscriptionType::Manual];
    let kind = kinds.into_iter().find(|kind| kind.label().eq_ignore_ascii_case(text));
    kind.ok_or_else(|| "it is Paddle, Azure or Manual".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    fn draft(source: People) -> Draft {
        Draft {
            name: "contoso".to_owned(),
            kind: SubscriptionType::Paddle,
            id: Uuid::from_u128(7),
            api_key: "/etc/rosterd/contoso.key".into(),
            timezone: chrono_tz::Europe::Berlin,
            source,
            base_url: None,
            ledger: "/var/lib/rosterd/rosterd.db".into(),
        }
    }

    fn load(text: &str) -> config::Config {
        config::load_str(Path::new("/etc/rosterd/rosterd.toml"), text).unwrap_or_else(|why| panic!("{why}\n{text}"))
    }

    #[test]
    fn what_is_written_is_what_was_said() {
        let config = load(&draft(People::Csv("/srv/a \"b\" \\ c".into())).whole());
        let subscription = &config.subscriptions["contoso"];
        assert_eq!((subscription.id, subscription.policy.timezone), (Uuid::from_u128(7), chrono_tz::Europe::Berlin));
        assert_eq!(config.ledger, config::LedgerUrl::Sqlite("/var/lib/rosterd/rosterd.db".into()));
        let config::SourceKind::Csv(csv) = &config.sources["contoso-csv"].kind else { panic!() };
        assert_eq!(csv.path, Path::new("/srv/a \"b\" \\ c"));
    }

    #[test]
    fn a_directory_is_written_as_it_was_said() {
        let directory = Directory {
            urls: vec!["ldaps://dc1.contoso.com".to_owned(), "ldaps://dc2.contoso.com".to_owned()],
            bind_dn: "CN=rosterd,DC=contoso,DC=com".to_owned(),
            password: "/etc/rosterd/contoso.password".into(),
            groups: vec!["CN=A\\, B,DC=contoso,DC=com".to_owned()],
            ca_file: Some("/etc/ssl/contoso.pem".into()),
            start_tls: false,
        };
        let config = load(&draft(People::Directory(directory)).whole());
        let config::SourceKind::Ldap(ldap) = &config.sources["contoso-directory"].kind else { panic!() };
        assert_eq!((ldap.urls.len(), ldap.groups.len()), (2, 1));
        assert_eq!(ldap.groups[0].dn.to_string(), "CN=A\\, B,DC=contoso,DC=com");
    }

    #[test]
    fn a_name_is_plain_and_a_type_is_known_in_any_case() {
        assert!(name("contoso-2_a").is_ok());
        for wrong in ["", "a b", "a/b", "..", "ü"] {
            assert!(name(wrong).is_err(), "{wrong}");
        }
        assert_eq!(kind("paddle"), Ok(SubscriptionType::Paddle));
        assert!(kind("bought").is_err());
    }
}
