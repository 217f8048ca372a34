//! What a single value means, or why it means nothing.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use chrono_tz::Tz;
use reqwest::Url;
use serde::de::{DeserializeOwned, IntoDeserializer, value};
use toml::de::{DeArray, DeTable, DeValue};
use uuid::Uuid;

use super::diagnose::{Complaint, nearest, one_of};
use super::keys::Kind;
use super::raw::{File, Value};
use super::schedule::Schedule;
use super::secret::{self, SecretRef};
use super::{Globs, LedgerUrl, Limit};
use crate::address::Address;
use crate::source::ldap::dn::Dn;
use crate::source::ldap::filter::Filter;

/// A value, where it stands and what its key takes.
#[derive(Debug, Clone, Copy)]
pub(super) struct At<'a> {
    pub(super) file: &'a File,
    pub(super) kind: &'a Kind,
    pub(super) value: &'a Value<'a>,
}

type Read<T> = Result<T, Complaint>;

const SECRET_HELP: &str = "write where it is kept: { file = \"contoso.key\" }, { env = \"CONTOSO_KEY\" } or \
                           { credential = \"contoso-key\" } (systemd)";

impl<'a> At<'a> {
    fn mismatch<T>(&self, expected: &str, example: &str) -> Read<T> {
        let found = match self.value.get_ref() {
            DeValue::String(_) => "a text",
            DeValue::Integer(_) | DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        Err(Complaint::new(format!("expected {expected}, found {found}"), format!("write {example}")))
    }

    fn str(&self, expected: &str, example: &str) -> Read<&'a str> {
        self.value.get_ref().as_str().map_or_else(|| self.mismatch(expected, example), Ok)
    }

    fn list(&self, example: &str) -> Read<&'a DeArray<'a>> {
        self.value.get_ref().as_array().map_or_else(|| self.mismatch("a list", example), Ok)
    }

    /// Each element of a list, read like this; the first complaint is about that element.
    fn each<T>(&self, example: &str, read: impl Fn(At<'a>) -> Read<T>) -> Read<Vec<T>> {
        let element = |value: &'a Value<'a>| {
            read(At { value, ..*self }).map_err(|mut complaint| {
                complaint.span.get_or_insert(value.span());
                complaint
            })
        };
        self.list(example)?.iter().map(element).collect()
    }

    pub(super) fn table(&self) -> Read<&'a DeTable<'a>> {
        let table = self.value.get_ref().as_table();
        table.map_or_else(|| self.mismatch("a table", "it as [header] with keys below, or as { key = value }"), Ok)
    }

    pub(super) fn text(&self) -> Read<String> {
        let text = self.str("a text", "it in double quotes")?.trim();
        if text.is_empty() {
            return Err(Complaint::new("this text is empty", "write something, or leave the key out"));
        }
        Ok(text.to_owned())
    }

    pub(super) fn texts(&self) -> Read<Vec<String>> {
        let texts = self.each("[\"…\", \"…\"]", |at| at.text())?;
        if texts.is_empty() {
            return Err(Complaint::new("this list is empty", "name at least one"));
        }
        Ok(texts)
    }

    /// A program and its arguments. One that is a path is relative to this file; a bare name is looked for in `PATH`.
    pub(super) fn command(&self) -> Read<Vec<String>> {
        let mut command = self.texts()?;
        if let Some(program) = command.first_mut().filter(|program| program.contains('/')) {
            let path = self.file.resolve(program.strip_prefix("./").unwrap_or(program)).into_os_string().into_string();
            *program = path.map_err(|_| {
                Complaint::new("the path of this program can't be", "write a path that is text throughout")
            })?;
        }
        Ok(command)
    }

    pub(super) fn dn(&self) -> Read<Dn> {
        const EXAMPLE: &str = "\"CN=Staff,OU=Groups,DC=contoso,DC=com\"";
        let text = self.str("a distinguished name", EXAMPLE)?;
        Dn::parse(text).map_err(|wrong| {
            let says = format!("this is not a distinguished name: it {wrong}");
            Complaint { span: self.within(wrong.at), ..Complaint::new(says, format!("write it as {EXAMPLE}")) }
        })
    }

    pub(super) fn filter(&self) -> Read<Filter> {
        const EXAMPLE: &str = "\"(&(objectClass=user)(department=Sales))\"";
        let text = self.str("a search filter", EXAMPLE)?;
        Filter::parse(text).map_err(|wrong| {
            let says = format!("this is not a search filter: it {wrong}");
            Complaint { span: self.within(wrong.at), ..Complaint::new(says, format!("write it as {EXAMPLE}")) }
        })
    }

    /// Names of attributes.
    pub(super) fn attributes(&self) -> Read<Vec<String>> {
        let names = self.each("[\"mail\", \"userPrincipalName\"]", |at| {
            let name = at.text()?;
            if name.chars().all(|c| c.is_ascii_alphanumeric() || "-.".contains(c)) {
                return Ok(name);
            }
            Err(Complaint::new(format!("`{name}` is not the name of an attribute"), "write it as \"mail\""))
        })?;
        if names.is_empty() {
            return Err(Complaint::new("this list is empty", "name at least one"));
        }
        Ok(names)
    }

    /// The place of this byte of a text, where the text stands in the file as it is: nothing in it is escaped.
    fn within(&self, at: usize) -> Option<std::ops::Range<usize>> {
        let span = self.value.span();
        let written = self.file.text.get(span.clone())?;
        let inner = self.value.get_ref().as_str()?;
        let start = span.start + written.find(inner).filter(|start| written.len() - inner.len() == 2 * start)?;
        Some(start + at..(start + at + 1).min(span.end))
    }

    pub(super) fn flag(&self) -> Read<bool> {
        self.value
            .get_ref()
            .as_bool()
            .map_or_else(|| self.mismatch("true or false", "true or false, without quotes"), Ok)
    }

    pub(super) fn whole(&self) -> Read<u64> {
        let (min, max) = match self.kind {
            Kind::Whole { min, max } => (*min, *max),
            _ => (0, u64::MAX),
        };
        let range = format!("a whole number from {min} to {max}, without quotes");
        let DeValue::Integer(number) = self.value.get_ref() else {
            return self.mismatch("a whole number", &range);
        };
        let parsed = u64::from_str_radix(number.as_str(), number.radix()).ok();
        parsed
            .filter(|number| (min..=max).contains(number))
            .ok_or_else(|| Complaint::new(format!("{number} is out of range"), format!("write {range}")))
    }

    pub(super) fn rate(&self) -> Read<f64> {
        let number: f64 = match self.value.get_ref() {
            DeValue::Integer(number) if number.radix() == 10 => number.as_str().parse().unwrap_or(f64::NAN),
            DeValue::Float(number) => number.as_str().parse().unwrap_or(f64::NAN),
            _ => return self.mismatch("a number", "a number above 0 such as 5.0, without quotes"),
        };
        if number > 0.0 && number <= 10_000.0 {
            return Ok(number);
        }
        Err(Complaint::new("this rate can't be", "write a number above 0 and up to 10000, such as 5.0"))
    }

    /// `None`: off.
    pub(super) fn duration(&self) -> Read<Option<Duration>> {
        let Kind::Duration { min, max, off } = self.kind else {
            return self.period(Duration::ZERO, Duration::MAX, false);
        };
        self.period(*min, *max, *off)
    }

    fn period(&self, min: Duration, max: Duration, off: bool) -> Read<Option<Duration>> {
        let example =
            if off { "\"90s\", \"15m\", \"24h\", \"7d\" or \"off\"" } else { "\"90s\", \"15m\", \"24h\" or \"7d\"" };
        if let DeValue::Integer(number) = self.value.get_ref() {
            let says = format!("{number} has no unit");
            return Err(Complaint::new(says, format!("write \"{number}s\" for seconds, or {example}")));
        }
        let text = self.str("a duration", &format!("it as {example}"))?.trim();
        if text == "off" && off {
            return Ok(None);
        }
        let duration = parse_duration(text)
            .ok_or_else(|| Complaint::new(format!("`{text}` is not a duration"), format!("write it as {example}")))?;
        if (min..=max).contains(&duration) {
            return Ok(Some(duration));
        }
        let [min, max] = [min, max].map(show_duration);
        let or_off = if off { ", or \"off\"" } else { "" };
        Err(Complaint::new(
            format!("`{text}` is out of range"),
            format!("write a duration from {min} to {max}{or_off}"),
        ))
    }

    pub(super) fn limit(&self) -> Read<Limit> {
        const EXAMPLE: &str = "a share such as \"20%\", or a whole number without quotes such as 10";
        let bad = |says: String| Err(Complaint::new(says, format!("write {EXAMPLE}")));
        match self.value.get_ref() {
            DeValue::Integer(number) => match u64::from_str_radix(number.as_str(), number.radix()) {
                Ok(count) => Ok(Limit::Count(count)),
                Err(_) => bad(format!("{number} is neither a share nor a number of people")),
            },
            DeValue::String(text) => {
                let share = text.trim().strip_suffix('%').and_then(|share| share.trim().parse::<f64>().ok());
                match share.filter(|share| (0.0..=100.0).contains(share)) {
                    Some(share) => Ok(Limit::Share(share / 100.0)),
                    None => bad(format!("`{text}` is not a share from 0% to 100%")),
                }
            }
            DeValue::Float(number) => bad(format!("{number} is not a whole number; a share is written with a %")),
            _ => self.mismatch("a share or a number", EXAMPLE),
        }
    }

    /// `None`: off.
    pub(super) fn limit_or_off(&self) -> Read<Option<Limit>> {
        match self.value.get_ref() {
            DeValue::String(text) if text.trim() == "off" => Ok(None),
            _ => self.limit().map(Some),
        }
    }

    pub(super) fn schedule(&self, zone: Tz) -> Read<Schedule> {
        const HELP: &str = "five fields (minute, hour, day of month, month, day of week) such as \"*/15 * * * *\" or \
                            \"0 6 * * MON-FRI\", or six with seconds first";
        let text = self.str("a cron expression", HELP)?;
        Schedule::parse(text, zone)
            .map_err(|error| Complaint::new(format!("`{text}` is not a schedule: {error}"), format!("write {HELP}")))
    }

    pub(super) fn zone(&self) -> Read<Tz> {
        let text = self.str("a time zone", "an IANA name such as \"Europe/Berlin\"")?;
        text.parse().map_err(|_| {
            let near = nearest(text, chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()));
            let help = near.map_or_else(
                || "write an IANA name such as \"Europe/Berlin\" or \"UTC\"".to_owned(),
                |name| format!("did you mean \"{name}\"? It takes IANA names such as \"Europe/Berlin\""),
            );
            Complaint::new(format!("there is no time zone `{text}`"), help)
        })
    }

    pub(super) fn guid(&self) -> Read<Uuid> {
        const HELP: &str = "write the subscription's GUID as the licence portal shows it: 32 hexadecimal digits in the \
                            form 8-4-4-4-12";
        self.uuid(HELP)
    }

    /// The stable id of a group in a directory.
    pub(super) fn group_id(&self) -> Read<Uuid> {
        self.uuid("write the group's objectGUID or entryUUID: 32 hexadecimal digits in the form 8-4-4-4-12")
    }

    fn uuid(&self, help: &str) -> Read<Uuid> {
        let text = self.str("a GUID", help)?;
        Uuid::try_parse(text.trim()).map_err(|_| Complaint::new("this is not a GUID", help))
    }

    pub(super) fn secret(&self) -> Read<SecretRef> {
        let refuse = |says: &str| Err(Complaint::new(says, SECRET_HELP));
        if self.value.get_ref().is_str() {
            return refuse("a secret must not stand in the configuration");
        }
        let Some(table) = self.value.get_ref().as_table() else {
            return refuse("this does not say where the secret is kept");
        };
        let mut places = table.iter().map(|(name, value)| (&**name.get_ref(), value.get_ref().as_str().map(str::trim)));
        let (Some((name, Some(text))), None) = (places.next(), places.next()) else {
            return refuse("this has to name one place where the secret is kept, as a text");
        };
        if !matches!(name, "file" | "env" | "credential") {
            return refuse("a secret is kept in a `file`, an `env` variable or a `credential`, and nowhere else");
        }
        // The secret itself, in place of its place: never to be shown, not in a later error either.
        if secret::is_guid(text) || text.starts_with("whsec_") || text.contains("://") {
            return refuse("this looks like the secret itself, not like the place where it is kept");
        }
        let plain = |extra: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || extra.contains(c));
        match name {
            _ if text.is_empty() => refuse("the place where the secret is kept is empty"),
            "file" => Ok(SecretRef::File(self.file.resolve(text))),
            "env" if !plain("_") => refuse("this is not the name of an environment variable: letters, digits and _"),
            "env" => Ok(SecretRef::Env(text.to_owned())),
            _ if !plain("_-.@") || text.starts_with('.') => refuse("this is not the name of a systemd credential"),
            _ => Ok(SecretRef::Credential(text.to_owned())),
        }
    }

    pub(super) fn secret_url(&self) -> Read<SecretRef> {
        if self.value.get_ref().is_str() {
            return self.web_url().map(|url| SecretRef::Inline(url.into()));
        }
        self.secret()
    }

    pub(super) fn path(&self) -> Read<PathBuf> {
        let text = self.str("a path", "it in double quotes, relative to this file or absolute")?;
        if text.trim().is_empty() || text.contains('\0') {
            return Err(Complaint::new("this path can't be", "write a path, relative to this file or absolute"));
        }
        Ok(self.file.resolve(text))
    }

    pub(super) fn word(&self) -> Read<&'static str> {
        let (Kind::Word(words) | Kind::Words(words)) = self.kind else {
            return self.mismatch("a word", "it in double quotes");
        };
        let known = one_of(words.iter().copied(), "\"");
        let text = self.str("a text", &known)?;
        words.iter().copied().find(|word| *word == text).ok_or_else(|| {
            let help = match nearest(text, words.iter().copied()) {
                Some(near) if words.len() > 1 => format!("did you mean \"{near}\"? It takes {known}"),
                _ => format!("write {known}"),
            };
            Complaint::new(format!("`{text}` is none of the words that this key takes"), help)
        })
    }

    /// A word, as the value of an enumeration.
    pub(super) fn choice<T: DeserializeOwned>(&self) -> Read<T> {
        let word = self.word()?;
        let read: Result<T, value::Error> = T::deserialize(word.into_deserializer());
        read.map_err(|error| Complaint::new(error.to_string(), "write another word"))
    }

    pub(super) fn words(&self) -> Read<Vec<&'static str>> {
        self.each("[\"…\", \"…\"]", |at| at.word())
    }

    pub(super) fn pattern(&self) -> Read<String> {
        let text = self.text()?;
        if text.contains('/') {
            return Err(Complaint::new(
                "a pattern is for names of files in the folder, not for paths",
                "write the folder under `path` and the names here, such as \"*.csv\"",
            ));
        }
        globs_of(std::slice::from_ref(&text)).map(|_| text)
    }

    pub(super) fn globs(&self) -> Read<Globs> {
        let texts = self.each("[\"*@example.org\", \"svc-*\"]", |at| {
            let text = at.text()?;
            if text.contains(['@', '*', '?', '[']) {
                return globs_of(std::slice::from_ref(&text)).map(|_| text);
            }
            let help = format!("write \"*@{text}\" for a domain, or \"{text}@*\" for a name");
            Err(Complaint::new(format!("`{text}` fits no address: a pattern has to match all of it"), help))
        })?;
        globs_of(&texts)
    }

    pub(super) fn address(&self) -> Read<Address> {
        let text = self.str("an e-mail address", "it as \"jane@contoso.com\"")?;
        Address::parse(text).map_err(|error| {
            Complaint::new(format!("the address `{text}` {error}"), "write it as \"jane@contoso.com\"")
        })
    }

    pub(super) fn addresses(&self) -> Read<Vec<Address>> {
        self.each("[\"jane@contoso.com\"]", |at| at.address())
    }

    pub(super) fn domains(&self) -> Read<Vec<String>> {
        self.each("[\"contoso.com\"]", |at| {
            let text = at.text()?;
            // An address with that domain knows what a domain is.
            let address = Address::parse(&format!("x@{text}"));
            address.map(|address| address.domain().to_owned()).map_err(|_| {
                let domain = text.rsplit('@').next().unwrap_or(&text).trim_start_matches(['*', '.']);
                Complaint::new(format!("`{text}` is not a domain"), format!("write it whole, such as \"{domain}\""))
            })
        })
    }

    fn url(&self, example: &str) -> Read<Url> {
        let text = self.str("an address", example)?;
        let url = Url::parse(text.trim()).ok().filter(Url::has_host);
        let url = url.ok_or_else(|| Complaint::new("this is not an address", format!("write it as {example}")))?;
        Ok(url)
    }

    /// `https`, or `http` for this machine.
    pub(super) fn web_url(&self) -> Read<Url> {
        let url = self.url("\"https://host/path\"")?;
        match url.scheme() {
            "https" => Ok(url),
            "http" if is_loopback(&url) => Ok(url),
            "http" => Err(Complaint::new("http:// would show secrets to the network", "write https://")),
            scheme => Err(Complaint::new(format!("{scheme}:// is not understood here"), "write https://")),
        }
    }

    pub(super) fn base_url(&self) -> Read<Url> {
        let mut url = self.web_url()?;
        without_credentials(&url, "a name and password must not stand in an address")?;
        if url.query().is_some() || url.fragment().is_some() || url.path().contains("/api/manage") {
            let help = "write the server alone, such as \"https://licensing.solinventum.com\"; the rest is known";
            return Err(Complaint::new("this address says too much", help));
        }
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Ok(url)
    }

    pub(super) fn proxy(&self) -> Read<Url> {
        let url = self.url("\"http://proxy.example.com:3128\"")?;
        without_credentials(&url, "the proxy's password must not stand in the configuration")?;
        match url.scheme() {
            "http" | "https" => Ok(url),
            scheme => {
                Err(Complaint::new(format!("a proxy at {scheme}:// is not understood"), "write http:// or https://"))
            }
        }
    }

    pub(super) fn ldap_urls(&self) -> Read<Vec<Url>> {
        let urls = self.each("[\"ldaps://dc1.contoso.com\"]", |at| {
            let url = at.url("\"ldaps://dc1.contoso.com\"")?;
            without_credentials(&url, "a name and password must not stand in an address")?;
            let names_more = !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some();
            match url.scheme() {
                "ldaps" | "ldap" if names_more => Err(Complaint::new(
                    "this names more than a server",
                    "leave out what comes after its name and port; where searches begin stands in base_dn",
                )),
                "ldaps" | "ldap" => Ok(url),
                scheme => Err(Complaint::new(format!("{scheme}:// is not a directory"), "write ldaps:// or ldap://")),
            }
        })?;
        if urls.is_empty() {
            return Err(Complaint::new("this list is empty", "name at least one server"));
        }
        Ok(urls)
    }

    pub(super) fn smtp_url(&self) -> Read<Url> {
        let url = self.url("\"smtp://mail.contoso.com:587\"")?;
        without_credentials(&url, "a name and password must not stand in an address")?;
        match url.scheme() {
            "smtp" | "smtps" => Ok(url),
            scheme => Err(Complaint::new(format!("{scheme}:// is not a mail server"), "write smtp:// or smtps://")),
        }
    }

    /// `None`: off.
    pub(super) fn listen(&self) -> Read<Option<SocketAddr>> {
        const EXAMPLE: &str = "\"127.0.0.1:8380\", \"[::1]:8380\" or \"off\"";
        let text = self.str("an address and a port", EXAMPLE)?.trim();
        if text == "off" {
            return Ok(None);
        }
        text.parse().map(Some).map_err(|_| {
            let port = text.rsplit(':').next().and_then(|port| port.parse::<u16>().ok());
            let help = match port {
                Some(port) if text.starts_with("localhost") => format!("write \"127.0.0.1:{port}\""),
                Some(port) if text.starts_with(':') => {
                    format!("write \"0.0.0.0:{port}\" for every address of this machine")
                }
                _ => format!("write {EXAMPLE}"),
            };
            Complaint::new(format!("`{text}` is not an IP address and a port"), help)
        })
    }

    pub(super) fn ledger(&self) -> Read<LedgerUrl> {
        const EXAMPLE: &str = "write \"sqlite:rosterd.db\"";
        let text = self.str("the place of the ledger", EXAMPLE)?.trim();
        if let Some(path) = text.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() || path.starts_with(':') || path.contains(['?', '\0']) {
                return Err(Complaint::new("the ledger has to be a file", EXAMPLE));
            }
            return Ok(LedgerUrl::Sqlite(self.file.resolve(path)));
        }
        let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "postgres" | "postgresql"));
        let url = url.ok_or_else(|| Complaint::new("this is no place for a ledger", EXAMPLE))?;
        if url.password().is_some() || url.query().is_some_and(|query| query.contains("password")) {
            let help = "take it out; PostgreSQL reads it from PGPASSWORD or a passfile";
            return Err(Complaint::new("the database's password must not stand in the configuration", help));
        }
        Ok(LedgerUrl::Postgres(text.to_owned()))
    }

    /// `None`: told from the header.
    pub(super) fn delimiter(&self) -> Read<Option<u8>> {
        const WORDS: &[&str] = &["auto", ",", ";", "|", "tab"];
        let known = one_of(WORDS.iter().copied(), "\"");
        match self.str("a delimiter", &known)? {
            "auto" => Ok(None),
            "," => Ok(Some(b',')),
            ";" => Ok(Some(b';')),
            "|" => Ok(Some(b'|')),
            "tab" | "\t" => Ok(Some(b'\t')),
            text => Err(Complaint::new(format!("`{text}` is not a delimiter"), format!("write {known}"))),
        }
    }

    /// A duration of a grace that is given as one value.
    pub(super) fn grace(&self) -> Read<Duration> {
        const MAX: Duration = Duration::from_hours(3650 * 24);
        Ok(self.period(Duration::ZERO, MAX, false)?.unwrap_or_default())
    }

    /// Looks at a value of any kind that is not made of further keys.
    pub(super) fn check(&self) -> Read<()> {
        match self.kind {
            Kind::Text => self.text().map(drop),
            Kind::Flag => self.flag().map(drop),
            Kind::Whole { .. } => self.whole().map(drop),
            Kind::Rate => self.rate().map(drop),
            Kind::Duration { .. } => self.duration().map(drop),
            Kind::Limit => self.limit().map(drop),
            Kind::LimitOrOff => self.limit_or_off().map(drop),
            Kind::Cron => self.schedule(Tz::UTC).map(drop),
            Kind::Zone => self.zone().map(drop),
            Kind::Guid => self.guid().map(drop),
            Kind::GroupId => self.group_id().map(drop),
            Kind::Secret => self.secret().map(drop),
            Kind::SecretUrl => self.secret_url().map(drop),
            Kind::Path => self.path().map(drop),
            Kind::Word(_) => self.word().map(drop),
            Kind::Words(_) => self.words().map(drop),
            Kind::Pattern => self.pattern().map(drop),
            Kind::Globs => self.globs().map(drop),
            Kind::Address => self.address().map(drop),
            Kind::Addresses => self.addresses().map(drop),
            Kind::Domains => self.domains().map(drop),
            Kind::Texts => self.texts().map(drop),
            Kind::Include => self.each("[\"clients/*.toml\"]", |at| at.text()).map(drop),
            Kind::WebUrl => self.base_url().map(drop),
            Kind::Proxy => self.proxy().map(drop),
            Kind::LdapUrls => self.ldap_urls().map(drop),
            Kind::SmtpUrl => self.smtp_url().map(drop),
            Kind::Listen => self.listen().map(drop),
            Kind::Ledger => self.ledger().map(drop),
            Kind::Delimiter => self.delimiter().map(drop),
            Kind::Grace(_) => self.grace().map(drop),
            Kind::Dn => self.dn().map(drop),
            Kind::Filter => self.filter().map(drop),
            Kind::Attributes => self.attributes().map(drop),
            Kind::Groups(_) => self.list("[\"CN=…\"]").map(drop),
            Kind::ListKinds(_) => self.list("each as [[alerts]]").map(drop),
            Kind::Table(_) | Kind::Defaults(_) | Kind::Named(_) | Kind::NamedKinds(_) => self.table().map(drop),
        }
    }
}

fn globs_of(texts: &[String]) -> Read<Globs> {
    Globs::new(texts).map_err(|error| {
        let help =
            "`*` stands for anything, `?` for one character, `[ab]` for one of these, `\\` takes the next as it is";
        Complaint::new(format!("this pattern can't be read: {}", error.kind()), help)
    })
}

/// Numbers with units: `90s`, `1h30m`. Months and years are not understood: `M` is too easily taken for minutes.
fn parse_duration(text: &str) -> Option<Duration> {
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit = &rest[..rest.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(rest.len())];
        let one = match unit {
            "ms" => Duration::from_millis(1),
            "s" => Duration::from_secs(1),
            "m" => Duration::from_mins(1),
            "h" => Duration::from_hours(1),
            "d" => Duration::from_hours(24),
            "w" => Duration::from_hours(7 * 24),
            _ => return None,
        };
        total = total.checked_add(one.checked_mul(u32::try_from(number).ok()?)?)?;
        rest = &rest[unit.len()..];
    }
    (!text.is_empty()).then_some(total)
}

/// In the largest unit in which it is whole.
fn show_duration(duration: Duration) -> String {
    let ms = duration.as_millis();
    let units = [("d", 24 * 3_600_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)];
    let unit = units.iter().find(|(_, size)| ms > 0 && ms.is_multiple_of(*size));
    unit.map_or_else(
        || if ms == 0 { "0s".to_owned() } else { format!("{ms}ms") },
        |(unit, size)| format!("{}{unit}", ms / size),
    )
}

fn without_credentials(url: &Url, says: &str) -> Read<()> {
    // A password with a slash makes a path of what follows it: any @ is one too many.
    if !url.as_str().contains('@') {
        return Ok(());
    }
    Err(Complaint::new(
        says,
        "take it out of the address; for a proxy, HTTPS_PROXY in the service's environment can hold it",
    ))
}

/// Whether an address is on this machine.
pub fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}
