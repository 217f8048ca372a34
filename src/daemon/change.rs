//! What is another in a configuration that was read again, and what of it can only change with a new start.

use std::collections::BTreeMap;

use crate::config::{
    BrakeLimits, Config, Csv, Http, LedgerUrl, Licensing, Log, LogFormat, Policy, SecretRef, Source, SourceKind,
    Subscription,
};
use crate::report::text::count;

/// So many names are said of each kind.
const NAMED_MAX: usize = 8;

/// What is another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Change {
    pub(super) subscriptions: Names,
    pub(super) sources: Names,
    /// Keys beside those of subscriptions and sources.
    keys: Vec<&'static str>,
    /// What keeps its old value until the next start, each a sentence.
    pub(super) kept: Vec<String>,
    /// Subscriptions of which another set of people is looked at, whichever table says so.
    pub(super) scopes: Vec<String>,
    /// Sources that other subscriptions name now.
    pub(super) named: Vec<String>,
}

/// What was added, removed or changed among things with names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Names {
    pub(super) added: Vec<String>,
    pub(super) removed: Vec<String>,
    /// With the keys that are others now, at least one.
    pub(super) changed: BTreeMap<String, Vec<&'static str>>,
}

impl Change {
    /// What changes when the new configuration comes in the place of the old one. What can't change while the program runs
    /// keeps its old value in the new one.
    pub(super) fn to(old: &Config, new: &mut Config) -> Change {
        let kept = keep(old, new);
        let scope = |config: &Config, name: &str| config.subscriptions.get(name).map(|it| it.scope(&config.sources));
        let both = new.subscriptions.keys().filter(|name| old.subscriptions.contains_key(*name));
        let scopes = both.filter(|name| scope(old, name) != scope(new, name)).cloned().collect();
        let same = new.sources.keys().filter(|name| old.sources.contains_key(*name));
        let (before, after) = (by_source(old), by_source(new));
        let named = same.filter(|name| before.get(name.as_str()) != after.get(name.as_str())).cloned().collect();
        Change {
            subscriptions: Names::between(&old.subscriptions, &new.subscriptions, of_subscription),
            sources: Names::between(&old.sources, &new.sources, of_source),
            keys: others(old, new),
            kept,
            scopes,
            named,
        }
    }

    /// Of the sources that stay: those of which looks that have begun are out of date.
    pub(super) fn looked_at_anew(&self) -> impl Iterator<Item = &String> {
        self.sources.changed.keys().chain(&self.named)
    }

    /// Whether nothing is another that can change while the program runs.
    pub(super) fn is_nothing(&self) -> bool {
        self.subscriptions == Names::default() && self.sources == Names::default() && self.keys.is_empty()
    }

    /// Whether requests go another way now.
    pub(super) fn way(&self) -> bool {
        let way = ["licensing.base_url", "licensing.proxy", "licensing.ca_file", "licensing.timeout"];
        self.keys.iter().any(|key| way.contains(key))
    }

    /// What is another, in one line.
    pub(super) fn words(&self) -> String {
        let names = self.subscriptions.words("subscription").into_iter().chain(self.sources.words("source"));
        let keys = (!self.keys.is_empty()).then(|| format!("{} changed", self.keys.join(", ")));
        names.chain(keys).collect::<Vec<_>>().join(", ")
    }
}

impl Names {
    fn between<T>(
        old: &BTreeMap<String, T>,
        new: &BTreeMap<String, T>,
        keys: impl Fn(&T, &T) -> Vec<&'static str>,
    ) -> Names {
        let missing = |all: &BTreeMap<String, T>, from: &BTreeMap<String, T>| {
            all.keys().filter(|name| !from.contains_key(*name)).cloned().collect()
        };
        let both = new.iter().filter_map(|(name, one)| Some((name.clone(), keys(old.get(name)?, one))));
        Names {
            added: missing(new, old),
            removed: missing(old, new),
            changed: both.filter(|(_, keys)| !keys.is_empty()).collect(),
        }
    }

    fn words(&self, what: &str) -> Vec<String> {
        let of = |names: &[String], did: &str, keys: &str| {
            let number = count(names.len() as u64, what, &format!("{what}s"));
            let shown = names.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
            let more = if names.len() > NAMED_MAX { ", …" } else { "" };
            format!("{number} {did} ({shown}{more}{keys})")
        };
        let mut words = Vec::new();
        for (names, did) in [(&self.added, "added"), (&self.removed, "removed")] {
            if !names.is_empty() {
                words.push(of(names, did, ""));
            }
        }
        // A change of [defaults] is one for many: they are said together.
        let mut alike: BTreeMap<&[&str], Vec<String>> = BTreeMap::new();
        for (name, keys) in &self.changed {
            alike.entry(keys).or_default().push(name.clone());
        }
        words.extend(alike.iter().map(|(keys, names)| of(names, "changed", &format!(": {}", keys.join(", ")))));
        words
    }
}

/// The subscriptions that name each source.
fn by_source(config: &Config) -> BTreeMap<&str, Vec<&str>> {
    let mut by_source: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for subscription in config.subscriptions.values() {
        for source in &subscription.sources {
            by_source.entry(source).or_default().push(&subscription.name);
        }
    }
    by_source
}

/// Those of these keys that are others.
fn differing<const N: usize>(keys: [(&'static str, bool); N]) -> Vec<&'static str> {
    keys.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
}

/// Gives the new configuration the old values of what the process has opened once, and says of each that it did.
fn keep(old: &Config, new: &mut Config) -> Vec<String> {
    let listen = |http: &Http| http.listen.map_or_else(|| "off".to_owned(), |address| address.to_string());
    let token = |http: &Http| http.token.as_ref().map_or_else(|| "none".to_owned(), SecretRef::to_string);
    let cert = |http: &Http| {
        let files = http.certificate.as_ref();
        files.map_or_else(|| "none".to_owned(), |it| format!("{} with {}", it.cert.display(), it.key.display()))
    };
    let format = |log: Log| if log.format == LogFormat::Json { "json" } else { "text" }.to_owned();
    let keytab = |config: &Config| config.keytab().map_or_else(|| "none".to_owned(), |path| path.display().to_string());
    let values = [
        ("keytab", keytab(old), keytab(new), old.keytab() != new.keytab()),
        ("ledger.url", ledger(&old.ledger), ledger(&new.ledger), old.ledger != new.ledger),
        ("http.listen", listen(&old.http), listen(&new.http), old.http.listen != new.http.listen),
        ("http.token", token(&old.http), token(&new.http), old.http.token != new.http.token),
        ("http.cert", cert(&old.http), cert(&new.http), old.http.certificate != new.http.certificate),
        ("log.format", format(old.log), format(new.log), old.log.format != new.log.format),
    ];
    new.ledger.clone_from(&old.ledger);
    new.http.clone_from(&old.http);
    new.log.format = old.log.format;
    let sentence = |(key, old, new, _)| {
        format!(
            "{key} stays {old} while rosterd runs; {new}, as the configuration has it now, takes effect at the next start"
        )
    };
    values.into_iter().filter(|(.., differs)| *differs).map(sentence).collect()
}

/// A password can't stand in it; what follows a `?` could hold anything.
fn ledger(url: &LedgerUrl) -> String {
    match url {
        LedgerUrl::Sqlite(path) => format!("sqlite:{}", path.display()),
        LedgerUrl::Postgres(url) => url.split('?').next().unwrap_or_default().to_owned(),
    }
}

fn others(old: &Config, new: &Config) -> Vec<&'static str> {
    let Licensing { base_url, requests_per_second, burst, concurrency, timeout, retry_for, proxy, ca_file } =
        &old.licensing;
    let to = &new.licensing;
    let limits = |brake: Option<BrakeLimits>| brake.map(|brake| (brake.share, brake.at_least));
    differing([
        ("licensing.base_url", *base_url != to.base_url),
        ("licensing.requests_per_second", requests_per_second.to_bits() != to.requests_per_second.to_bits()),
        ("licensing.burst", *burst != to.burst),
        ("licensing.concurrency", *concurrency != to.concurrency),
        ("licensing.timeout", *timeout != to.timeout),
        ("licensing.retry_for", *retry_for != to.retry_for),
        ("licensing.proxy", *proxy != to.proxy),
        ("licensing.ca_file", *ca_file != to.ca_file),
        ("brake", limits(old.brake) != limits(new.brake)),
        ("log.addresses", old.log.clear_addresses != new.log.clear_addresses),
        ("heartbeat", old.heartbeat != new.heartbeat),
        ("alerts", old.alerts != new.alerts),
    ])
}

fn of_subscription(old: &Subscription, new: &Subscription) -> Vec<&'static str> {
    let Subscription { name: _, kind, id, api_key, sources, schedule, batch_size, seat_probe, reassert, policy } = old;
    let Policy { timezone, removal_grace, exclude, protect, domains, guard } = policy;
    differing([
        ("type", *kind != new.kind),
        ("id", *id != new.id),
        ("api_key", *api_key != new.api_key),
        ("sources", *sources != new.sources),
        ("schedule", schedule.cron.as_str() != new.schedule.cron.as_str()),
        ("timezone", *timezone != new.policy.timezone || schedule.zone != new.schedule.zone),
        ("batch_size", *batch_size != new.batch_size),
        ("seat_probe", *seat_probe != new.seat_probe),
        ("reassert", *reassert != new.reassert),
        ("removal_grace", *removal_grace != new.policy.removal_grace),
        ("exclude", *exclude != new.policy.exclude),
        ("protect", *protect != new.policy.protect),
        ("domains", *domains != new.policy.domains),
        ("guard", *guard != new.policy.guard),
    ])
}

fn of_source(old: &Source, new: &Source) -> Vec<&'static str> {
    let Source { name: _, allow_empty, must_include, max_age, kind } = old;
    let mut keys = match (kind, &new.kind) {
        (SourceKind::Csv(old), SourceKind::Csv(new)) => of_csv(old, new),
        (SourceKind::Ldap(old), SourceKind::Ldap(new)) => differing([("directory", old != new)]),
        _ => vec!["kind"],
    };
    keys.extend(differing([
        ("allow_empty", *allow_empty != new.allow_empty),
        ("must_include", *must_include != new.must_include),
        ("max_age", *max_age != new.max_age),
    ]));
    keys
}

fn of_csv(old: &Csv, new: &Csv) -> Vec<&'static str> {
    let Csv { path, pattern, mode, settle, watch, poll_interval, after, max_bad_rows, encoding, delimiter, columns } =
        old;
    differing([
        ("path", *path != new.path),
        ("pattern", *pattern != new.pattern),
        ("mode", *mode != new.mode),
        ("settle", *settle != new.settle),
        ("watch", *watch != new.watch),
        ("poll_interval", *poll_interval != new.poll_interval),
        ("after", *after != new.after),
        ("max_bad_rows", *max_bad_rows != new.max_bad_rows),
        ("encoding", *encoding != new.encoding),
        ("delimiter", *delimiter != new.delimiter),
        ("columns", *columns != new.columns),
    ])
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::load_str;

    const LEAST: &str = "
        [subscriptions.contoso]
        type = \"Manual\"
        id = \"ff3d3cf5-5388-40a0-915f-970c1d2d972f\"
        api_key = { file = \"contoso.key\" }
        sources = [\"staff\"]
        [sources.staff]
        kind = \"csv\"
        path = \"drops\"
        [sources.hr]
        kind = \"csv\"
        path = \"hr\"
    ";

    fn config(text: &str) -> Config {
        load_str(Path::new("/etc/rosterd/rosterd.toml"), text).unwrap_or_else(|problems| panic!("{problems}"))
    }

    /// The change from [`LEAST`] when this is put in place of that.
    fn change(replaced: &[(&str, &str)]) -> Change {
        let mut text = LEAST.to_owned();
        for (from, to) in replaced {
            assert!(text.contains(from), "{from}");
            text = text.replace(from, to);
        }
        Change::to(&config(LEAST), &mut config(&text))
    }

    fn client(name: &str, id: u32) -> String {
        format!(
            "[subscriptions.{name}]\ntype = \"Manual\"\nid = \"00000000-0000-4000-8000-{id:012}\"\n
             api_key = {{ file = \"{name}.key\" }}\nsources = [\"staff\"]\n"
        )
    }

    #[test]
    fn the_same_configuration_is_no_change_however_it_is_written() {
        let same = change(&[("[sources.hr]", "# A remark.\n[defaults]\nbatch_size = 100\n[sources.hr]")]);
        assert_eq!(same, Change::default());
        assert!(same.is_nothing());
    }

    #[test]
    #[cfg(feature = "gssapi")]
    fn another_keytab_waits_for_the_next_start() {
        let with = |keytab: &str| {
            let keys = "kind = \"ldap\"\nurls = [\"ldaps://dc1\"]\nauth = \"gssapi\"\ngroups = [\"CN=x\"]";
            config(&format!("{LEAST}[sources.ad]\n{keys}\n{keytab}\n"))
        };
        let kept = |old: &str, new: &str| Change::to(&with(old), &mut with(new)).kept;
        assert_eq!(
            kept("", "keytab = \"b\""),
            [
                "keytab stays none while rosterd runs; /etc/rosterd/b, as the configuration has it now, takes effect at the next start"
            ]
        );
        assert_eq!(kept("keytab = \"b\"", "keytab = \"b\""), [""; 0]);
    }

    #[test]
    fn what_came_and_what_went_is_named() {
        let fabrikam = client("fabrikam", 1);
        let added = change(&[("[sources.staff]", &format!("{fabrikam}[sources.staff]"))]);
        assert_eq!(added.words(), "1 subscription added (fabrikam)");
        assert_eq!(added.named, ["staff"], "its rows may be another subscription's now");
        let removed = change(&[("[sources.hr]\n        kind = \"csv\"\n        path = \"hr\"", "")]);
        assert_eq!(removed.words(), "1 source removed (hr)");
        assert!(!removed.is_nothing());
    }

    #[test]
    fn each_key_of_a_subscription_that_is_another_is_named() {
        let keys = |line: &str| {
            let changed = change(&[("sources = [\"staff\"]", &format!("{line}\nsources = [\"staff\"]"))]);
            changed.subscriptions.changed.get("contoso").cloned().unwrap_or_default()
        };
        assert_eq!(keys("schedule = \"0 * * * *\""), ["schedule"]);
        assert_eq!(keys("timezone = \"Europe/Berlin\""), ["timezone"]);
        assert_eq!(keys("batch_size = 7"), ["batch_size"]);
        assert_eq!(keys("seat_probe = \"1m\""), ["seat_probe"]);
        assert_eq!(keys("reassert = \"7d\""), ["reassert"]);
        assert_eq!(keys("removal_grace = \"1d\""), ["removal_grace"]);
        assert_eq!(keys("exclude = [\"svc-*\"]"), ["exclude"]);
        assert_eq!(keys("protect = [\"ceo@*\"]"), ["protect"]);
        assert_eq!(keys("domains = [\"contoso.com\"]"), ["domains"]);
        assert_eq!(keys("guard = { always_allow = 1 }"), ["guard"]);
        let other =
            change(&[("contoso.key", "other.key"), ("\"Manual\"", "\"Paddle\""), ("970c1d2d972f", "970c1d2d9720")]);
        assert_eq!(other.words(), "1 subscription changed (contoso: type, id, api_key)");
    }

    #[test]
    fn each_key_of_a_source_that_is_another_is_named() {
        let keys = |line: &str| {
            let changed = change(&[("path = \"drops\"", &format!("{line}\npath = \"drops\""))]);
            changed.sources.changed.get("staff").cloned().unwrap_or_default()
        };
        for line in [
            "pattern = \"*.txt\"",
            "mode = \"delta\"",
            "settle = \"9s\"",
            "watch = \"poll\"",
            "poll_interval = \"9s\"",
            "after = \"leave\"",
            "max_bad_rows = 9",
            "encoding = \"utf-8\"",
            "delimiter = \";\"",
            "columns = { email = \"mail\" }",
            "allow_empty = true",
            "must_include = [\"it@contoso.com\"]",
            "max_age = \"3d\"",
        ] {
            assert_eq!(keys(line), [line.split(' ').next().unwrap()], "{line}");
        }
        assert_eq!(change(&[("\"drops\"", "\"elsewhere\"")]).words(), "1 source changed (staff: path)");
    }

    #[test]
    fn a_change_of_the_defaults_is_said_together() {
        let many: String = (1..12).map(|number| client(&format!("client-{number:02}"), number)).collect();
        let mut new = config(&format!("[defaults]\nbatch_size = 7\n{LEAST}{many}"));
        let change = Change::to(&config(&format!("{LEAST}{many}")), &mut new);
        assert_eq!(
            change.words(),
            "12 subscriptions changed (client-01, client-02, client-03, client-04, client-05, client-06, client-07, \
             client-08, …: batch_size)"
        );
    }

    #[test]
    fn whom_a_subscription_looks_at_changes_with_its_sources_too() {
        assert_eq!(change(&[("\"drops\"", "\"elsewhere\"")]).scopes, ["contoso"]);
        assert_eq!(change(&[("path = \"drops\"", "path = \"drops\"\nsettle = \"9s\"")]).scopes, [""; 0]);
        let both = change(&[("[\"staff\"]", "[\"staff\", \"hr\"]")]);
        assert_eq!((both.scopes, both.named), (vec!["contoso".to_owned()], vec!["hr".to_owned()]));
    }

    #[test]
    fn every_key_of_the_licensing_server_and_the_rest_is_named() {
        let changed = |text: &str| change(&[("[sources.staff]", &format!("{text}\n[sources.staff]"))]);
        for (line, key) in [
            ("requests_per_second = 1.0", "licensing.requests_per_second"),
            ("burst = 1", "licensing.burst"),
            ("concurrency = 1", "licensing.concurrency"),
            ("retry_for = \"9s\"", "licensing.retry_for"),
        ] {
            let change = changed(&format!("[licensing]\n{line}"));
            assert_eq!((change.words(), change.way()), (format!("{key} changed"), false));
        }
        for (line, key) in [
            ("base_url = \"http://127.0.0.1:8402\"", "licensing.base_url"),
            ("timeout = \"9s\"", "licensing.timeout"),
            ("proxy = \"http://proxy:3128\"", "licensing.proxy"),
            ("ca_file = \"ca.pem\"", "licensing.ca_file"),
        ] {
            let change = changed(&format!("[licensing]\n{line}"));
            assert_eq!((change.words(), change.way()), (format!("{key} changed"), true));
        }
        assert_eq!(changed("[brake]\nshare = \"off\"").words(), "brake changed");
        assert_eq!(changed("[log]\naddresses = \"clear\"").words(), "log.addresses changed");
        assert_eq!(changed("[heartbeat]\nurl = { env = \"URL\" }").words(), "heartbeat changed");
    }

    #[test]
    fn what_was_opened_once_keeps_its_value_and_is_said_without_a_secret() {
        let old = config(LEAST);
        let mut new = config(&format!(
            "{LEAST}[ledger]\nurl = \"postgres://rosterd@db/rosterd\"\n[log]\nformat = \"json\"\n
             [http]\nlisten = \"0.0.0.0:80\"\ntoken = {{ file = \"web.token\" }}\n"
        ));
        let change = Change::to(&old, &mut new);
        assert!(change.is_nothing());
        assert_eq!((&new.ledger, &new.http, new.log), (&old.ledger, &old.http, old.log));
        insta::assert_snapshot!(change.kept.join("\n"), @"
        ledger.url stays sqlite:/etc/rosterd/rosterd.db while rosterd runs; postgres://rosterd@db/rosterd, as the configuration has it now, takes effect at the next start
        http.listen stays 127.0.0.1:8380 while rosterd runs; 0.0.0.0:80, as the configuration has it now, takes effect at the next start
        http.token stays none while rosterd runs; the secret's file /etc/rosterd/web.token, as the configuration has it now, takes effect at the next start
        log.format stays text while rosterd runs; json, as the configuration has it now, takes effect at the next start
        ");
    }
}
