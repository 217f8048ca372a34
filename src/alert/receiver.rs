//! Who is told: receivers as the configuration has them, each with a mark by which the ledger knows it.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use secrecy::ExposeSecret as _;

use crate::config::{Alert as Configured, AlertEvent, Config, SecretRef, Way};
use crate::report::text::plain;

/// A receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiver {
    /// Stays the same while it is the same people, channel or program that is told, however: what waits for it when the
    /// mail server, a password or the events are changed is not lost.
    pub mark: String,
    /// Who it is, for a person. Holds no secret.
    pub label: String,
    pub configured: Configured,
}

impl Receiver {
    /// All of them, in the order of the configuration.
    pub fn all(config: &Config) -> Vec<Receiver> {
        let mut seen: BTreeMap<String, u32> = BTreeMap::new();
        let receiver = |configured: &Configured| {
            let identity = identity(&configured.way);
            let place = seen.entry(identity.clone()).or_default();
            *place += 1;
            let mark = blake3::hash(format!("{identity}\n{place}").as_bytes()).to_hex()[..16].to_owned();
            Receiver { mark, label: label(&configured.way), configured: configured.clone() }
        };
        config.alerts.iter().map(receiver).collect()
    }

    pub fn wants(&self, event: AlertEvent) -> bool {
        self.configured.events.contains(&event)
    }

    pub fn remind_every(&self) -> TimeDelta {
        TimeDelta::from_std(self.configured.remind_every).unwrap_or(TimeDelta::days(366))
    }
}

/// What makes it this receiver and no other. May hold a secret: only a hash of it leaves this file.
fn identity(way: &Way) -> String {
    let place = |url: &SecretRef| match url {
        SecretRef::Inline(_) => url.read().map(|url| url.expose_secret().to_owned()).unwrap_or_default(),
        elsewhere => elsewhere.to_string(),
    };
    let what = match way {
        Way::Smtp { to, .. } => to.iter().map(|address| address.identity().to_owned()).collect::<Vec<_>>().join(" "),
        Way::Slack { url } | Way::Teams { url } | Way::Webhook { url, .. } => place(url),
        Way::Command { command } => command.join("\0"),
    };
    format!("{} {what}", way.kind().word())
}

fn label(way: &Way) -> String {
    let kind = way.kind().word();
    let label = match way {
        Way::Smtp { to, .. } => {
            let first = to.first().map(|address| address.spelling().to_owned()).unwrap_or_default();
            let others = to.len().saturating_sub(1);
            let others = if others > 0 { format!(" and {others} more") } else { String::new() };
            format!("mail to {first}{others}")
        }
        Way::Slack { url } | Way::Teams { url } | Way::Webhook { url, .. } => match url {
            // The rest of it is the secret.
            SecretRef::Inline(text) => {
                let url = reqwest::Url::parse(text).ok();
                let host = url.as_ref().and_then(|url| url.host_str()).unwrap_or("an address");
                format!("{kind} at {host}")
            }
            SecretRef::File(path) => {
                let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                format!("{kind} ({name})")
            }
            SecretRef::Env(name) | SecretRef::Credential(name) => format!("{kind} ({name})"),
        },
        Way::Command { command } => format!("command {}", command.first().map_or("", String::as_str)),
    };
    plain(&label)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::load_str;

    fn receivers(text: &str) -> Vec<Receiver> {
        let config = load_str(Path::new("/etc/rosterd/rosterd.toml"), text).unwrap_or_else(|error| panic!("{error}"));
        Receiver::all(&config)
    }

    const MAIL: &str = "[[alerts]]\nkind = \"smtp\"\nto = [\"it@contoso.com\", \"b@contoso.com\"]\nfrom = \"r@contoso.com\"\nserver = \"smtp://one.contoso.com\"\n";

    #[test]
    fn a_receiver_stays_who_it_is_when_the_way_to_it_is_another() {
        let mark = |text: &str| receivers(text)[0].mark.clone();
        let other_server = MAIL.replace("one.contoso.com", "two.contoso.com");
        assert_eq!(mark(MAIL), mark(&format!("{other_server}events = [\"drift\"]\nremind_every = \"1h\"\n")));
        assert_ne!(mark(MAIL), mark(&MAIL.replace("it@", "others@")));
        let slack =
            |secret: &str| format!("[[alerts]]\nkind = \"slack\"\nurl = \"https://hooks.example.com/{secret}\"\n");
        assert_ne!(mark(&slack("a")), mark(&slack("b")));
        let two = receivers(&format!("{MAIL}{MAIL}"));
        assert_ne!(two[0].mark, two[1].mark, "the same people twice are two receivers");
    }

    #[test]
    fn a_label_says_who_it_is_and_no_secret() {
        let label = |text: &str| receivers(&format!("[[alerts]]\n{text}\n"))[0].label.clone();
        assert_eq!(receivers(MAIL)[0].label, "mail to it@contoso.com and 1 more");
        assert_eq!(
            label("kind = \"slack\"\nurl = \"https://hooks.slack.com/services/T0/hunter2\""),
            "slack at hooks.slack.com"
        );
        assert_eq!(label("kind = \"teams\"\nurl = { file = \"secrets/teams.url\" }"), "teams (teams.url)");
        assert_eq!(label("kind = \"webhook\"\nurl = { env = \"HOOK\" }"), "webhook (HOOK)");
        assert_eq!(label("kind = \"command\"\ncommand = [\"/bin/page\", \"--token=x\"]"), "command /bin/page");
    }
}
