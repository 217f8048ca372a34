//! Turns the files into a [`Config`]: reads them, gathers what is wrong in all of them, fills in the defaults.
//!
//! [`super::check`] has looked at each value by itself and has complained; what is read here a second time is known to
//! be sound or is left out quietly. What only several values together can get wrong is complained about here.

mod alert;
mod source;
mod subscription;
mod values;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::de::DeTable;

use super::check::Check;
use super::diagnose::{Complaint, Problem, Problems};
use super::keys::{self, Kind};
use super::raw::{self, File, Stamp};
use super::{BrakeLimits, Certificate, Config, Heartbeat, Http, Licensing, Log, Standing, warn};
use values::{Values, empty};

/// Reads and checks a configuration.
///
/// # Errors
/// Everything that is wrong with it, in all its files.
pub fn load(path: &Path) -> Result<Config, Problems> {
    read(path).config
}

/// What a reading of a configuration gives.
#[derive(Debug)]
pub struct Read {
    /// Or everything that is wrong with it, in all its files.
    pub config: Result<Config, Problems>,
    /// Of the files that were read, whether or not they can be used.
    pub standing: Standing,
    /// Of what stands in them.
    pub digest: blake3::Hash,
}

/// As [`load`], with what tells whether the files have changed since.
pub fn read(path: &Path) -> Read {
    match File::read(path) {
        Ok(file) => load_file(&file),
        Err(complaint) => {
            let problem = Problem::of_file(path.to_owned(), complaint);
            let problems = Problems::new(vec![problem], &[path.to_owned()]);
            let standing = Standing::of(path, Stamp::at(path), Vec::new(), &[]);
            Read { config: Err(problems), standing, digest: blake3::hash(&[]) }
        }
    }
}

/// As [`load`], of a text that would stand in this file; only what it includes is read.
pub fn load_str(path: &Path, text: &str) -> Result<Config, Problems> {
    load_file(&File::new(path, text.to_owned())).config
}

fn load_file(main: &File) -> Read {
    let mut problems = Vec::new();
    let mut warnings = Vec::new();
    let empty = DeTable::new();
    let parsed = main.parse().unwrap_or_else(|syntax| {
        problems.extend(syntax);
        toml::Spanned::new(0..0, empty.clone())
    });
    let root = parsed.get_ref();
    let Included { files: others, patterns, stamps } = include(main, root, &mut problems, &mut warnings);
    let standing = Standing::of(&main.shown, main.stamp, patterns, &stamps);
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
    let (crons, keytab) = (BTreeMap::new(), None);
    let mut build = Build { main, root, documents: &documents, problems, warnings, whole, crons, keytab };
    let config = build.config(&standing);
    let order: Vec<PathBuf> = std::iter::once(main).chain(&others).map(|file| file.shown.clone()).collect();
    let config = match config {
        Some(mut config) if build.problems.is_empty() => {
            config.files = std::iter::once(main).chain(&others).map(|file| file.path.clone()).collect();
            config.warnings = build.warnings;
            warn::about(&mut config);
            Ok(config)
        }
        _ => Err(Problems::new(build.problems, &order)),
    };
    let mut digest = blake3::Hasher::new();
    for file in std::iter::once(main).chain(&others) {
        digest.update(&file.text.len().to_le_bytes()).update(file.text.as_bytes());
    }
    Read { config, standing, digest: digest.finalize() }
}

/// The files that the main one includes.
#[derive(Default)]
struct Included {
    files: Vec<File>,
    patterns: Vec<String>,
    /// Of every file that a pattern matches, in order.
    stamps: Vec<(PathBuf, Stamp)>,
}

fn include(main: &File, root: &DeTable<'_>, problems: &mut Vec<Problem>, warnings: &mut Vec<String>) -> Included {
    let Included { mut files, patterns: mut texts, mut stamps } = Included::default();
    let patterns = root.get("include").and_then(|value| value.get_ref().as_array());
    for pattern in patterns.into_iter().flat_map(|list| list.iter()) {
        let Some(text) = pattern.get_ref().as_str() else { continue };
        texts.push(text.to_owned());
        match raw::included(main, text) {
            Err(complaint) => problems.push(Problem::at(main, pattern.span(), complaint)),
            // A folder that is still empty is one for clients to come.
            Ok(paths) if paths.is_empty() && !raw::is_for_files_to_come(main, text) => {
                warnings.push(format!("include = \"{text}\" in {} matches no file.", main.shown.display()));
            }
            Ok(paths) => {
                for path in paths {
                    let read = File::read(&path);
                    let stamp = read.as_ref().map_or_else(|_| Stamp::at(&path), |file| file.stamp);
                    stamps.push((path.clone(), stamp));
                    match read {
                        Ok(file) if files.iter().any(|other| other.path == file.path) => {}
                        Ok(file) => files.push(file),
                        Err(complaint) => problems.push(Problem::of_file(path, complaint)),
                    }
                }
            }
        }
    }
    Included { files, patterns: texts, stamps }
}

struct Build<'a> {
    main: &'a File,
    root: &'a DeTable<'a>,
    documents: &'a [(&'a File, &'a DeTable<'a>)],
    problems: Vec<Problem>,
    warnings: Vec<String>,
    /// Whether every file could be read: else what is missing may stand in one that could not.
    whole: bool,
    /// Cron expressions by their text: their tables are large, and thousands of subscriptions have one in common.
    crons: BTreeMap<String, Arc<croner::Cron>>,
    /// The first source that signs in with Kerberos: the place that says how, and its keytab.
    keytab: Option<(&'a File, Range<usize>, Option<PathBuf>)>,
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

    fn config(&mut self, standing: &Standing) -> Option<Config> {
        let sources = self.named("sources");
        let subscriptions = self.named("subscriptions");
        let names = |all: &BTreeMap<&str, Named<'_>>| all.keys().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let (source_names, subscription_names) = (names(&sources), names(&subscriptions));
        let built_sources: Vec<_> =
            sources.into_values().map(|named| self.source(&named, &subscription_names)).collect();
        self.check_ids(&subscriptions);
        let built_subscriptions: Vec<_> =
            subscriptions.into_values().map(|named| self.subscription(&named, &source_names)).collect();
        let (http, licensing, alerts) = (self.http(), self.licensing(), self.alerts());
        let log = self.section("log")?;
        Some(Config {
            files: Vec::new(),
            standing: standing.clone(),
            ledger: self.section("ledger")?.get("url", |at| at.ledger())?,
            log: Log {
                format: log.get("format", |at| at.choice())?,
                clear_addresses: log.get("addresses", |at| at.word())? == "clear",
            },
            http: http?,
            licensing: licensing?,
            brake: self.brake()?,
            subscriptions: built_subscriptions
                .into_iter()
                .map(|it| it.map(|it| (it.name.clone(), it)))
                .collect::<Option<_>>()?,
            sources: built_sources.into_iter().map(|it| it.map(|it| (it.name.clone(), it))).collect::<Option<_>>()?,
            heartbeat: self.heartbeat(),
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

    fn http(&mut self) -> Option<Http> {
        let http = self.section("http")?;
        let listen = http.get("listen", |at| at.listen())?;
        let open = listen.is_some_and(|address| !address.ip().is_loopback());
        if let Some((file, value)) = http.find("listen").filter(|_| open && !http.has("token")) {
            let help = "add token = { file = \"web.token\" } to [http], or listen on 127.0.0.1";
            self.complain(file, value.span(), "an address that is not loopback needs a token", help);
        }
        let (cert, key) = (http.get("cert", |at| at.path()), http.get("key", |at| at.path()));
        for (one, other) in [("cert", "key"), ("key", "cert")] {
            if let Some((file, value)) = http.find(one).filter(|_| !http.has(other)) {
                let says = format!("`{one}` is here without `{other}`");
                self.complain(file, value.span(), says, format!("add {other}, or leave both out"));
            }
        }
        if open && !http.has("cert") {
            let says = "[http] listens for others without TLS, so that the token and everything else can be read on the way: \
                        add cert and key, or let nobody reach it but a proxy that speaks TLS.";
            self.warnings.push(says.to_owned());
        }
        let certificate = cert.zip(key).map(|(cert, key)| Certificate { cert, key });
        Some(Http { listen, token: http.get("token", |at| at.secret()), certificate })
    }

    fn licensing(&self) -> Option<Licensing> {
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

    /// `Some(None)`: off.
    #[expect(clippy::option_option, reason = "the outer one is for what is wrong")]
    fn brake(&self) -> Option<Option<BrakeLimits>> {
        let values = self.section("brake")?;
        let (share, at_least) = (values.get("share", |at| at.limit_or_off())?, values.whole("at_least")?);
        Some(share.map(|share| BrakeLimits { share, at_least }))
    }

    fn heartbeat(&self) -> Option<Heartbeat> {
        if !self.root.contains_key("heartbeat") {
            return None;
        }
        let values = self.section("heartbeat")?;
        Some(Heartbeat { url: values.get("url", |at| at.secret_url())?, every: values.duration("every")? })
    }
}
