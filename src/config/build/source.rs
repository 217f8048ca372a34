//! Sources: drop folders and directories.

use std::net::IpAddr;

use chrono_tz::Tz;
use reqwest::Url;
use toml::de::{DeTable, DeValue};

use super::super::diagnose::{Complaint, Problem};
use super::super::keys;
use super::super::keys::Kind;
use super::super::raw::{File, Value};
use super::super::value::At;
use super::super::value::is_loopback;
use super::super::{Auth, Columns, Csv, Group, Ldap, Source, SourceKind};
use super::values::Values;
use super::{Build, Named};
use crate::roster::PRIORITY_DEFAULT;

impl<'a> Build<'a> {
    pub(super) fn source(&mut self, named: &Named<'a>, subscriptions: &[String]) -> Option<Source> {
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
        let urls = values.get("urls", |at| at.ldap_urls())?;
        if urls.iter().any(|url| matches!(url.port(), Some(3268 | 3269))) {
            let says = "asks a global catalog (port 3268 or 3269), which knows the members of universal groups alone and some of the attributes: name a domain controller's own port, 636";
            self.warnings.push(format!("The source `{}` {says}.", named.name));
        }
        if values.flag("start_tls") == Some(true) && urls.iter().all(|url| url.scheme() == "ldaps") {
            let says = "has start_tls = true, which has no effect: ldaps:// is TLS from the first word on";
            self.warnings.push(format!("The source `{}` {says}.", named.name));
        }
        let auth = match values.get("auth", |at| at.word())? {
            "simple" => {
                Auth::Simple { name: values.text("bind_dn")?, password: values.get("bind_password", |at| at.secret())? }
            }
            "external" => Auth::External {
                certificate: values.get("client_cert", |at| at.path())?,
                key: values.get("client_key", |at| at.path())?,
            },
            _ => Auth::Gssapi { keytab: values.get("keytab", |at| at.path()) },
        };
        Some(Ldap {
            urls,
            auth,
            start_tls: values.flag("start_tls")?,
            ca_file: values.get("ca_file", |at| at.path()),
            flavor: values.get("flavor", |at| at.choice())?,
            base_dn: values.get("base_dn", |at| at.dn()),
            groups: groups(values)?,
            user_filter: values.get("user_filter", |at| at.filter()),
            nested: values.flag("nested")?,
            include_disabled: values.flag("include_disabled")?,
            email_attributes: values.get("email_attributes", |at| at.attributes())?,
            page_size: u32::try_from(values.whole("page_size")?).ok()?,
            connect_timeout: values.duration("connect_timeout")?,
            page_timeout: values.duration("page_timeout")?,
            read_timeout: values.duration("read_timeout")?,
            discover: values.flag("discover")?,
            schedule: values.get("schedule", |at| at.schedule(Tz::UTC))?,
            push: values.get("push", |at| at.word())? == "auto",
            first: None,
            table: canonical_table(named.values),
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
        self.check_urls(values, auth);
        self.check_kerberos(values, auth);
    }

    fn check_urls(&mut self, values: &Values<'a>, auth: &str) {
        let Some((file, value)) = values.find("urls") else { return };
        let urls = values.get("urls", |at| at.ldap_urls()).unwrap_or_default();
        let starts_tls = values.flag("start_tls") == Some(true);
        let plain = |url: &Url| url.scheme() == "ldap" && !starts_tls;
        let may_be_plain = values.flag("danger_plaintext") == Some(true);
        let help = "write ldaps://, or add start_tls = true";
        if auth != "simple" && urls.iter().any(plain) {
            self.complain(file, value.span(), format!("auth = \"{auth}\" needs TLS"), help);
        } else if urls.iter().any(|url| plain(url) && !is_loopback(url) && !may_be_plain) {
            self.complain(file, value.span(), "ldap:// would show the password and the people to the network", help);
        }
        let is_address = |url: &Url| {
            is_loopback(url)
                || url.host_str().is_none_or(|host| host.parse::<IpAddr>().is_ok() || host.starts_with('['))
        };
        if values.flag("discover") == Some(true) && urls.iter().any(is_address) {
            let help = "write ldaps://contoso.com, or leave discover out";
            self.complain(file, value.span(), "this is no domain whose servers DNS could name", help);
        }
    }

    fn check_kerberos(&mut self, values: &Values<'a>, auth: &str) {
        if auth != "gssapi" {
            return;
        }
        if let Some((file, value)) = values.find("auth").filter(|_| !cfg!(feature = "gssapi")) {
            let help = "use one that is built with the feature `gssapi`, or another `auth`";
            self.complain(file, value.span(), "this rosterd is built without Kerberos", help);
        }
        let Some((file, value)) = values.find("keytab").or_else(|| values.find("auth")) else { return };
        let keytab = values.get("keytab", |at| at.path());
        // The Kerberos library takes it from the process, which has one.
        let (first_file, first_span, first) = self.keytab.get_or_insert((file, value.span(), keytab.clone())).clone();
        if first != keytab {
            let help = "use one keytab, or one credential cache, for all sources: the process has one";
            let complaint = Complaint::new("this source signs in to Kerberos in another way", help);
            self.problems.push(Problem::at(file, value.span(), complaint).and(
                first_file,
                first_span,
                "the first one does it so",
            ));
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

fn groups(values: &Values<'_>) -> Option<Vec<Group>> {
    let Some((file, value)) = values.find("groups") else { return Some(Vec::new()) };
    value.get_ref().as_array()?.iter().map(|element| group(file, element)).collect()
}

fn group(file: &File, element: &Value<'_>) -> Option<Group> {
    let plain = At { file, kind: &Kind::Dn, value: element };
    let Some(table) = element.get_ref().as_table() else {
        return Some(Group { dn: plain.dn().ok()?, priority: PRIORITY_DEFAULT, subscription: None, id: None });
    };
    let values = Values { table: &keys::GROUP, layers: vec![(file, table)] };
    Some(Group {
        dn: values.get("dn", |at| at.dn())?,
        priority: i32::try_from(values.whole("priority")?).ok()?,
        subscription: values.text("subscription"),
        id: values.get("id", |at| at.group_id()).map(|id| id.to_string()),
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
