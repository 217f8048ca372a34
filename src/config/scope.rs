//! What a source and a subscription look at, as a text: when it changes, removals wait for a person.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::{Columns, Config, Group, Ldap, Source, SourceKind, Subscription};
use crate::source::ldap::dn::Dn;
use crate::source::ldap::filter::Filter;

impl Source {
    /// The same for the same place and the same people, however the file is laid out; the caller hashes it.
    pub fn scope(&self) -> String {
        match &self.kind {
            SourceKind::Csv(csv) => {
                let (path, pattern, mode) = (csv.path.to_string_lossy(), &csv.pattern, csv.mode);
                format!("csv path={path:?} pattern={pattern:?} mode={mode:?} columns={{{}}}", csv.columns.scope())
            }
            SourceKind::Ldap(ldap) => ldap.scope(),
        }
    }
}

impl Ldap {
    /// Whom it asks for, wherever and however: another server of the same directory, another account or another
    /// password look at the same people.
    fn scope(&self) -> String {
        let mut groups: Vec<String> = self
            .groups
            .iter()
            .map(|Group { dn, priority: _, subscription, id }| format!("{:?} {subscription:?} {id:?}", dn.normal()))
            .collect();
        groups.sort();
        format!(
            "ldap flavor={:?} base={:?} groups=[{}] filter={:?} nested={} include_disabled={} email={:?}",
            self.flavor,
            self.base_dn.as_ref().map(Dn::normal),
            groups.join(","),
            self.user_filter.as_ref().map(Filter::text),
            self.nested,
            self.include_disabled,
            self.email_attributes,
        )
    }
}

impl Subscription {
    /// What the licensing server calls it.
    pub fn remote(&self) -> String {
        format!("{}/{}", self.kind.label(), self.id)
    }

    /// The scopes of its sources in the order of their names, and whom it leaves out.
    pub fn scope(&self, sources: &BTreeMap<String, Source>) -> String {
        let mut names: Vec<_> = self.sources.iter().collect();
        names.sort();
        let mut text = String::new();
        for name in names {
            let scope = sources.get(name).map(Source::scope).unwrap_or_default();
            // Writing to a text does not fail.
            let _ = writeln!(text, "source {name:?}: {scope}");
        }
        let mut exclude: Vec<_> = self.policy.exclude.patterns().collect();
        exclude.sort_unstable();
        let mut domains: Vec<_> = self.policy.domains.iter().collect();
        domains.sort();
        let _ = writeln!(text, "exclude {exclude:?}\ndomains {domains:?}");
        text
    }
}

impl Config {
    /// The names of the subscriptions that name this source, in order.
    pub fn subscriptions_of(&self, source: &str) -> Vec<String> {
        let named = |it: &&Subscription| it.sources.iter().any(|name| name == source);
        self.subscriptions.values().filter(named).map(|it| it.name.clone()).collect()
    }
}

impl Columns {
    /// Every column with its name, for the fingerprint of what is looked at.
    fn scope(&self) -> String {
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
