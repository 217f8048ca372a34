//! Turns the files into a [`Config`]: reads them, gathers what is wrong in all of them, fills in the defaults.
//!
//! [`super::check`] has looked at each value by itself and has complained; what is read here a second time is known to
//! be sound or is left out quietly. What only several values together can get wrong is complained about here.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono_tz::Tz;
use toml::de::{DeTable, DeValue};

use super::check::Check;
use super::diagnose::{Complaint, Problem, Problems, nearest, one_of};
use super::keys::{self, Kind, Table};
use super::raw::{self, File, Value};
use super::value::{At, is_loopback};
use super::{
    Alert, Columns, Config, Csv, Globs, Grace, Guard, Heartbeat, Http, Ldap, Licensing, Log, Policy, SecretRef, Source,
    SourceKind, Subscription, warn,
};

/// Reads and checks a configuration.
///
/// # Errors
/// Everything that is wrong with it, in all its files.
pub fn load(path: &Path) -> Result<Config, Problems> {
    match File::read(path) {
        Ok(file) => load_file(&file),
        Err(complaint) => {
            let problem = Problem::of_file(path.to_owned(), complaint);
            Err(Problems::new(vec![problem], &[path.to_owned()]))
        }
    }
}

/// As [`load`], of a text that would stand in this file; only what it includes is read.
pub fn load_str(path: &Path, text: &str) -> Result<Config, Problems> {
    load_file(&File::new(path, text.to_owned()))
}

fn load_file(main: &File) -> Result<Config, Problems> {
    let mut problems = Vec::new();
    let mut warnings = Vec::new();
    let empty = DeTable::new();
    let parsed = main.parse().unwrap_or_else(|syntax| {
        problems.extend(syntax);
        toml::Spanned::new(0..0, empty.clone())
    });
    let root = parsed.get_ref();
    let others = include(main, root, &mut problems, &mut warnings);
    let mut documents = vec![(main, root)];
    let parsed: Vec<_> = others.iter().map(|file| (file, file.parse())).collect();
    for (file, document) in &parsed {
        match document {
            Ok(document) => documents.push((file, document.get_ref())),
            Err(syntax) => problems.extend(syntax.iter().cloned()),
        }
    }
    let whole = problems.is_empty();
    let defaults = root.get("defaults").and_then(|value| value.get_ref().as_table());
    for (index, (file, document)) in documents.iter().enumerate() {
        let mut check = Check::new(file, defaults);
        if index == 0 {
            check.main(document);
        } else {
            check.included(document);
        }
        problems.append(&mut check.problems);
    }
    let mut build = Build { main, root, documents: &documents, problems, warnings, whole };
    let config = build.config();
    let order: Vec<PathBuf> = std::iter::once(main).chain(&others).map(|file| file.shown.clone()).collect();
    match config {
        Some(mut config) if build.problems.is_empty() => {
            config.files = std::iter::once(main).chain(&others).map(|file| file.path.clone()).collect();
            config.warnings = build.warnings;
            warn::about(&mut config);
            Ok(config)
        }
        _ => Err(Problems::new(build.problems, &order)),
    }
}

/// The files that the main one includes.
fn include(main: &File, root: &DeTable<'_>, problems: &mut Vec<Problem>, warnings: &mut Vec<String>) -> Vec<File> {
    let mut files: Vec<File> = Vec::new();
    let patterns = root.get("include").and_then(|value| value.get_ref().as_array());
    for pattern in patterns.into_iter().flat_map(|list| list.iter()) {
        let Some(text) = pattern.get_ref().as_str() else { continue };
        match raw::included(main, text) {
            Err(says) => {
                let complaint = Complaint::new(says, "write globs relative to this file, such as \"clients/*.toml\"");
                problems.push(Problem::at(main, pattern.span(), complaint));
            }
            Ok(paths) if paths.is_empty() => {
                warnings.push(format!("include = \"{text}\" in {} matches no file.", main.shown.display()));
            }
            Ok(paths) => {
                for path in paths {
                    match File::read(&path) {
                        Ok(file) if files.iter().any(|other| other.path == file.path) => {}
                        Ok(file) => files.push(file),
                        Err(complaint) => problems.push(Problem::of_file(path, complaint)),
                    }
                }
            }
        }
    }
    files
}

/// The values of one table: its own, then those that stand in for them, then the defaults of [`keys`].
#[derive(Debug, Clone)]
struct Values<'a> {
    table: &'static Table,
    layers: Vec<(&'a File, &'a DeTable<'a>)>,
}

impl<'a> Values<'a> {
    /// A value read like this; `None` where there is none, or none that is sound.
    fn get<T>(&self, name: &str, read: impl Fn(At<'_>) -> Result<T, Complaint>) -> Option<T> {
        let key = self.table.key(name)?;
        if let Some((file, value)) = self.find(name) {
            return read(At { file, kind: &key.kind, value }).ok();
        }
        let default = DeValue::parse(key.default?).ok()?;
        let (file, _) = self.layers.last()?;
        read(At { file, kind: &key.kind, value: &default }).ok()
    }

    /// The value that counts, where the files have one.
    fn find(&self, name: &str) -> Option<(&'a File, &'a Value<'a>)> {
        self.layers.iter().find_map(|(file, values)| values.get(name).map(|value| (*file, value)))
    }

    fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// A table within each layer, the own one first.
    fn inner(&self, name: &str, table: &'static Table) -> Values<'a> {
        let inner = |(file, values): &(&'a File, &'a DeTable<'a>)| {
            values.get(name).and_then(|value| value.get_ref().as_table()).map(|values| (*file, values))
        };
        Values { table, layers: self.layers.iter().filter_map(inner).collect() }
    }

    fn text(&self, name: &str) -> Option<String> {
        self.get(name, |at| at.text())
    }

    fn flag(&self, name: &str) -> Option<bool> {
        self.get(name, |at| at.flag())
    }

    fn whole(&self, name: &str) -> Option<u64> {
        self.get(name, |at| at.whole())
    }

    fn count(&self, name: &str) -> Option<NonZeroUsize> {
        self.whole(name).and_then(|number| usize::try_from(number).ok()).and_then(NonZeroUsize::new)
    }

    fn duration(&self, name: &str) -> Option<Duration> {
        self.get(name, |at| at.duration()).flatten()
    }
}

struct Build<'a> {
    main: &'a File,
    root: &'a DeTable<'a>,
    documents: &'a [(&'a File, &'a DeTable<'a>)],
    problems: Vec<Problem>,
    warnings: Vec<String>,
    /// Whether every file could be read: else what is missing may stand in one that could not.
    whole: bool,
}

/// A named table with the place of its name.
struct Named<'a> {
    file: &'a File,
    name: &'a str,
    span: Range<usize>,
    values: &'a DeTable<'a>,
}

impl<'a> Build<'a> {
    fn complain(&mut self, file: &File, span: Range<usize>, says: impl Into<String>, help: impl Into<String>) {
        self.problems.push(Problem::at(file, span, Complaint::new(says, help)));
    }

    /// A table of the main file; empty where it has none.
    fn section(&self, name: &str) -> Option<Values<'a>> {
        let Kind::Table(table) = &keys::ROOT.key(name)?.kind else { return None };
        let all = Values { table: &keys::ROOT, layers: vec![(self.main, self.root)] };
        let mut section = all.inner(name, table);
        if section.layers.is_empty() {
            section.layers.push((self.main, empty()));
        }
        Some(section)
    }

    fn config(&mut self) -> Option<Config> {
        let sources = self.named("sources");
        let subscriptions = self.named("subscriptions");
        let names = |all: &BTreeMap<&str, Named<'_>>| all.keys().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let (source_names, subscription_names) = (names(&sources), names(&subscriptions));
        let built_sources: Vec<_> =
            sources.into_values().map(|named| self.source(&named, &subscription_names)).collect();
        self.check_ids(&subscriptions);
        let built_subscriptions: Vec<_> =
            subscriptions.into_values().map(|named| self.subscription(&named, &source_names)).collect();
        let (http, licensing, heartbeat, alerts) = (self.http(), self.licensing(), self.heartbeat(), self.alerts());
        let log = self.section("log")?;
        Some(Config {
            files: Vec::new(),
            ledger: self.section("ledger")?.get("url", |at| at.ledger())?,
            log: Log {
                format: log.get("format", |at| at.choice())?,
                clear_addresses: log.get("addresses", |at| at.word())? == "clear",
            },
            http: http?,
            licensing: licensing?,
            subscriptions: built_subscriptions
                .into_iter()
                .map(|it| it.map(|it| (it.name.clone(), it)))
                .collect::<Option<_>>()?,
            sources: built_sources.into_iter().map(|it| it.map(|it| (it.name.clone(), it))).collect::<Option<_>>()?,
            heartbeat: heartbeat?,
            alerts: alerts?,
            warnings: Vec::new(),
        })
    }

    /// The tables below this one, of all files; a name that two files give is a problem.
    fn named(&mut self, section: &str) -> BTreeMap<&'a str, Named<'a>> {
        let mut all: BTreeMap<&'a str, Named<'a>> = BTreeMap::new();
        for (file, document) in self.documents {
            let tables = document.get(section).and_then(|value| value.get_ref().as_table());
            for (name, value) in tables.into_iter().flatten() {
                let Some(values) = value.get_ref().as_table() else { continue };
                let span = value.span();
                if let Some(first) = all.get(name.get_ref().as_ref()) {
                    let says = format!("[{section}.{}] is there twice", name.get_ref());
                    let problem = Problem::at(file, span, Complaint::new(says, "give one of the two another name"));
                    self.problems.push(problem.and(first.file, first.span.clone(), "the first is here"));
                    continue;
                }
                all.insert(name.get_ref(), Named { file, name: name.get_ref(), span, values });
            }
        }
        all
    }

    /// Two subscriptions with one GUID would take away each other's seats.
    fn check_ids(&mut self, subscriptions: &BTreeMap<&'a str, Named<'a>>) {
        let mut all: BTreeMap<String, (&Named<'a>, &Value<'a>)> = BTreeMap::new();
        for named in subscriptions.values() {
            let Some(value) = named.values.get("id") else { continue };
            let Ok(id) = (At { file: named.file, kind: &Kind::Guid, value }).guid() else { continue };
            if let Some((first, place)) = all.get(&id.to_string()) {
                let says = format!("`{}` and `{}` are one subscription: they have one id", first.name, named.name);
                let help = "make one of the two, with the sources of both";
                let problem = Problem::at(named.file, value.span(), Complaint::new(says, help));
                self.problems.push(problem.and(first.file, place.span(), "the first is here"));
                continue;
            }
            all.insert(id.to_string(), (named, value));
        }
    }

    fn http(&mut self) -> Option<Http> {
        let http = self.section("http")?;
        let listen = http.get("listen", |at| at.listen())?;
        let open = listen.is_some_and(|address| !address.ip().is_loopback());
        if let Some((file, value)) = http.find("listen").filter(|_| open && !http.has("token")) {
            let help = "add token = { file = \"web.token\" } to [http], or listen on 127.0.0.1";
            self.complain(file, value.span(), "an address that is not loopback needs a token", help);
        }
        Some(Http { listen, token: http.get("token", |at| at.secret()) })
    }

    fn licensing(&mut self) -> Option<Licensing> {
        let values = self.section("licensing")?;
        Some(Licensing {
            base_url: values.get("base_url", |at| at.base_url())?,
            requests_per_second: values.get("requests_per_second", |at| at.rate())?,
            burst: u32::try_from(values.whole("burst")?).ok()?,
            concurrency: values.count("concurrency")?,
            timeout: values.duration("timeout")?,
            retry_for: values.duration("retry_for")?,
            proxy: values.get("proxy", |at| at.proxy()),
            ca_file: values.get("ca_file", |at| at.path()),
        })
    }

    fn heartbeat(&mut self) -> Option<Option<Heartbeat>> {
        if !self.root.contains_key("heartbeat") {
            return Some(None);
        }
        let values = self.section("heartbeat")?;
        Some(Some(Heartbeat { url: values.get("url", |at| at.secret_url())?, every: values.duration("every")? }))
    }

    fn alerts(&mut self) -> Option<Vec<Alert>> {
        let list = self.root.get("alerts").and_then(|value| value.get_ref().as_array());
        let elements = list.into_iter().flat_map(|list| list.iter());
        elements.map(|element| self.alert(element)).collect()
    }

    fn alert(&mut self, element: &'a Value<'a>) -> Option<Alert> {
        let values = element.get_ref().as_table()?;
        let kind = values.get("kind")?.get_ref().as_str()?;
        let (kind, _) = keys::ALERTS.iter().find(|(name, _)| *name == kind)?;
        for (one, other) in [("username", "password"), ("password", "username")] {
            if values.contains_key(one) && !values.contains_key(other) {
                let says = format!("`{one}` is here without `{other}`");
                self.complain(self.main, element.span(), says, format!("add {other}, or leave both out"));
            }
        }
        Some(Alert { kind: (*kind).to_owned() })
    }

    fn subscription(&mut self, named: &Named<'a>, sources: &[String]) -> Option<Subscription> {
        let mut layers = vec![(named.file, named.values)];
        let defaults = self.root.get("defaults").and_then(|value| value.get_ref().as_table());
        layers.extend(defaults.map(|defaults| (self.main, defaults)));
        let values = Values { table: &keys::SUBSCRIPTION, layers };
        self.check_names(&values, "sources", "source", sources);
        let timezone = values.get("timezone", |at| at.zone())?;
        Some(Subscription {
            name: named.name.to_owned(),
            kind: values.get("type", |at| at.choice())?,
            id: values.get("id", |at| at.guid())?,
            api_key: values.get("api_key", |at| at.secret())?,
            sources: values.get("sources", |at| at.texts())?,
            schedule: values.get("schedule", |at| at.schedule(timezone))?,
            batch_size: values.count("batch_size")?,
            seat_probe: values.duration("seat_probe")?,
            reassert: values.get("reassert", |at| at.duration())?,
            policy: policy(&values, timezone)?,
        })
    }

    /// Complains about names in a list that nothing has.
    fn check_names(&mut self, values: &Values<'a>, key: &str, what: &str, known: &[String]) {
        let Some((file, value)) = values.find(key) else { return };
        let mut seen = Vec::new();
        for name in value.get_ref().as_array().into_iter().flat_map(|list| list.iter()) {
            let Some(text) = name.get_ref().as_str().map(str::trim) else { continue };
            if seen.contains(&text) {
                self.complain(file, name.span(), format!("`{text}` is here twice"), "name it once");
            }
            seen.push(text);
            self.check_name(file, name, what, known);
        }
    }

    fn check_name(&mut self, file: &File, name: &Value<'_>, what: &str, known: &[String]) {
        let Some(text) = name.get_ref().as_str().map(str::trim).filter(|text| !text.is_empty()) else { return };
        if !self.whole || known.iter().any(|known| known == text) {
            return;
        }
        let help = match nearest(text, known.iter().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None if known.is_empty() => format!("add a table [{what}s.{text}]"),
            None => format!(
                "add a table [{what}s.{text}], or name {}",
                one_of(known.iter().take(8).map(String::as_str), "`")
            ),
        };
        self.complain(file, name.span(), format!("there is no {what} `{text}`"), help);
    }

    fn source(&mut self, named: &Named<'a>, subscriptions: &[String]) -> Option<Source> {
        let kind = named.values.get("kind")?.get_ref().as_str()?;
        let (kind, table) = keys::SOURCES.iter().find(|(name, _)| *name == kind)?;
        let values = Values { table, layers: vec![(named.file, named.values)] };
        let built = if *kind == "csv" {
            csv(&values).map(SourceKind::Csv)
        } else {
            self.ldap(named, &values, subscriptions).map(SourceKind::Ldap)
        };
        Some(Source {
            name: named.name.to_owned(),
            allow_empty: values.flag("allow_empty")?,
            must_include: values.get("must_include", |at| at.addresses())?,
            max_age: values.get("max_age", |at| at.duration())?,
            kind: built?,
        })
    }

    fn ldap(&mut self, named: &Named<'a>, values: &Values<'a>, subscriptions: &[String]) -> Option<Ldap> {
        self.check_ldap(named, values);
        self.check_groups(values, subscriptions);
        Some(Ldap {
            urls: values.get("urls", |at| at.ldap_urls())?,
            schedule: values.get("schedule", |at| at.schedule(Tz::UTC))?,
            scope: canonical_table(named.values),
        })
    }

    fn check_ldap(&mut self, named: &Named<'a>, values: &Values<'a>) {
        let auth = values.get("auth", |at| at.word()).unwrap_or_default();
        let needed: &[&str] = match auth {
            "simple" => &["bind_dn", "bind_password"],
            "external" => &["client_cert", "client_key"],
            _ => &[],
        };
        for key in needed.iter().filter(|key| !values.has(key)) {
            let says = format!("`{key}` is missing here: auth = \"{auth}\" needs it");
            self.complain(named.file, named.span.clone(), says, format!("add {key}, or change auth"));
        }
        let groups = values
            .find("groups")
            .is_some_and(|(_, value)| value.get_ref().as_array().is_some_and(|list| !list.is_empty()));
        if !groups && !values.has("user_filter") {
            let help = "add groups = [\"CN=…\"], or a user_filter with base_dn";
            self.complain(named.file, named.span.clone(), "this does not say who should have a licence", help);
        } else if !groups && !values.has("base_dn") {
            let help = "add base_dn = \"DC=contoso,DC=com\"";
            self.complain(named.file, named.span.clone(), "a filter alone needs a place to search", help);
        }
        let covered = values.flag("start_tls") == Some(true) || values.flag("danger_plaintext") == Some(true);
        let urls = values.get("urls", |at| at.ldap_urls()).unwrap_or_default();
        let open = urls.iter().any(|url| url.scheme() == "ldap" && !is_loopback(url));
        if let Some((file, value)) = values.find("urls").filter(|_| open && !covered) {
            let help = "write ldaps://, or add start_tls = true";
            self.complain(file, value.span(), "ldap:// would show the password and the people to the network", help);
        }
    }

    fn check_groups(&mut self, values: &Values<'a>, subscriptions: &[String]) {
        let Some((file, value)) = values.find("groups") else { return };
        for group in value.get_ref().as_array().into_iter().flat_map(|list| list.iter()) {
            let routed = group.get_ref().as_table().and_then(|group| group.get("subscription"));
            if let Some(name) = routed {
                self.check_name(file, name, "subscription", subscriptions);
            }
        }
    }
}

fn empty() -> &'static DeTable<'static> {
    static EMPTY: std::sync::LazyLock<DeTable<'static>> = std::sync::LazyLock::new(DeTable::new);
    &EMPTY
}

fn policy(values: &Values<'_>, timezone: Tz) -> Option<Policy> {
    let globs = |name| -> Option<Globs> { values.get(name, |at| at.globs()) };
    Some(Policy {
        timezone,
        removal_grace: grace(values)?,
        exclude: globs("exclude")?,
        protect: globs("protect")?,
        domains: values.get("domains", |at| at.domains())?,
        guard: guard(values)?,
    })
}

/// Each reason by itself: what a subscription does not say, `[defaults]` says.
fn grace(values: &Values<'_>) -> Option<Grace> {
    let one = |name: &str| -> Option<Duration> {
        let key = keys::GRACE.key(name)?;
        for (file, layer) in &values.layers {
            let Some(value) = layer.get("removal_grace") else { continue };
            let Some(table) = value.get_ref().as_table() else {
                return At { file, kind: &key.kind, value }.duration().ok()?;
            };
            if let Some(value) = table.get(name) {
                return At { file, kind: &key.kind, value }.duration().ok()?;
            }
        }
        let default = DeValue::parse(key.default?).ok()?;
        At { file: values.layers.first()?.0, kind: &key.kind, value: &default }.duration().ok()?
    };
    Some(Grace { left: one("left")?, disabled: one("disabled")?, vanished: one("vanished")? })
}

fn guard(values: &Values<'_>) -> Option<Guard> {
    let mut guard = values.inner("guard", &keys::GUARD);
    guard.layers.push((values.layers.last()?.0, empty()));
    Some(Guard {
        max_removals: guard.get("max_removals", |at| at.limit())?,
        max_removals_per_day: guard.get("max_removals_per_day", |at| at.limit())?,
        always_allow: guard.whole("always_allow")?,
        hold_after_change: guard.flag("hold_after_change")?,
        approval_expires: guard.duration("approval_expires")?,
    })
}

fn csv(values: &Values<'_>) -> Option<Csv> {
    Some(Csv {
        path: values.get("path", |at| at.path())?,
        pattern: values.get("pattern", |at| at.pattern())?,
        mode: values.get("mode", |at| at.choice())?,
        settle: values.duration("settle")?,
        watch: values.get("watch", |at| at.choice())?,
        poll_interval: values.duration("poll_interval")?,
        after: values.get("after", |at| at.choice())?,
        max_bad_rows: values.get("max_bad_rows", |at| at.limit())?,
        encoding: values.get("encoding", |at| at.choice())?,
        delimiter: values.get("delimiter", |at| at.delimiter())?,
        columns: columns(&values.inner("columns", &keys::COLUMNS)),
    })
}

fn columns(values: &Values<'_>) -> Columns {
    Columns {
        email: values.text("email"),
        id: values.text("id"),
        action: values.text("action"),
        priority: values.text("priority"),
        start: values.text("start"),
        end: values.text("end"),
        subscription: values.text("subscription"),
    }
}

/// A value's text, the same for the same value however it is spaced and ordered.
fn canonical(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(date) => date.to_string(),
        DeValue::Array(list) => {
            format!("[{}]", list.iter().map(|value| canonical(value.get_ref())).collect::<Vec<_>>().join(","))
        }
        DeValue::Table(table) => format!("{{{}}}", canonical_table(table)),
    }
}

fn canonical_table(table: &DeTable<'_>) -> String {
    let mut lines: Vec<_> =
        table.iter().map(|(name, value)| format!("{:?}={}", name.get_ref(), canonical(value.get_ref()))).collect();
    lines.sort();
    lines.join(",")
}

impl Columns {
    /// Every column with its name, for the fingerprint of what is looked at.
    pub(super) fn scope(&self) -> String {
        let Columns { email, id, action, priority, start, end, subscription } = self;
        let all = [
            ("email", email),
            ("id", id),
            ("action", action),
            ("priority", priority),
            ("start", start),
            ("end", end),
            ("subscription", subscription),
        ];
        let given = all.iter().filter_map(|(key, name)| name.as_ref().map(|name| format!("{key}={name:?}")));
        given.collect::<Vec<_>>().join(",")
    }
}

/// A secret whose file others may read.
pub(super) fn secrets(config: &Config) -> Vec<(String, &SecretRef)> {
    let keys = config.subscriptions.values().map(|it| (format!("the API key of `{}`", it.name), &it.api_key));
    let token = config.http.token.iter().map(|token| ("the token of [http]".to_owned(), token));
    keys.chain(token).collect()
}
