//! Subscriptions: their own keys, those of `[defaults]`, and what they must not have in common.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono_tz::Tz;
use toml::de::DeValue;

use super::super::diagnose::{Complaint, Problem, nearest, one_of};
use super::super::keys::{self, Kind};
use super::super::raw::{File, Value};
use super::super::value::At;
use super::super::{Globs, Grace, Guard, Policy, Schedule, Subscription};
use super::values::{Values, empty};
use super::{Build, Named};

impl<'a> Build<'a> {
    /// Two subscriptions with one GUID would take away each other's seats.
    pub(super) fn check_ids(&mut self, subscriptions: &BTreeMap<&'a str, Named<'a>>) {
        let mut all: BTreeMap<String, (&Named<'a>, (&File, &Value<'a>))> = BTreeMap::new();
        for named in subscriptions.values() {
            let Some((file, value)) = self.values(named).find("id") else { continue };
            let Ok(id) = (At { file, kind: &Kind::Guid, value }).guid() else { continue };
            if let Some((first, place)) = all.get(&id.to_string()) {
                let says = format!("`{}` and `{}` are one subscription: they have one id", first.name, named.name);
                let help = "make one of the two, with the sources of both";
                let problem = Problem::at(file, value.span(), Complaint::new(says, help));
                self.problems.push(problem.and(place.0, place.1.span(), "the first is here"));
                continue;
            }
            all.insert(id.to_string(), (named, (file, value)));
        }
    }

    /// A subscription's own values, then those of `[defaults]`.
    fn values(&self, named: &Named<'a>) -> Values<'a> {
        let mut layers = vec![(named.file, named.values)];
        let defaults = self.root.get("defaults").and_then(|value| value.get_ref().as_table());
        layers.extend(defaults.map(|defaults| (self.main, defaults)));
        Values { table: &keys::SUBSCRIPTION, layers }
    }

    /// `sources` are the names of those that there are, in order.
    pub(super) fn subscription(&mut self, named: &Named<'a>, sources: &[String]) -> Option<Subscription> {
        let values = self.values(named);
        self.check_sources(&values, sources);
        let timezone = values.get("timezone", |at| at.zone())?;
        let schedule = values.get("schedule", |at| at.schedule(timezone))?;
        Some(Subscription {
            name: named.name.to_owned(),
            kind: values.get("type", |at| at.choice())?,
            id: values.get("id", |at| at.guid())?,
            api_key: values.get("api_key", |at| at.secret())?,
            sources: values.get("sources", |at| at.texts())?,
            schedule: self.in_common(schedule),
            batch_size: values.count("batch_size")?,
            seat_probe: values.duration("seat_probe")?,
            reassert: values.get("reassert", |at| at.duration())?,
            policy: policy(&values, timezone)?,
        })
    }

    fn in_common(&mut self, schedule: Schedule) -> Schedule {
        let Schedule { cron, zone } = schedule;
        let cron = self.crons.entry(cron.as_str().to_owned()).or_insert(cron);
        Schedule { cron: Arc::clone(cron), zone }
    }

    fn check_sources(&mut self, values: &Values<'a>, known: &[String]) {
        let Some((file, value)) = values.find("sources") else { return };
        let mut seen = Vec::new();
        for name in value.get_ref().as_array().into_iter().flat_map(|list| list.iter()) {
            let Some(text) = name.get_ref().as_str().map(str::trim) else { continue };
            if seen.contains(&text) {
                self.complain(file, name.span(), format!("`{text}` is here twice"), "name it once");
            }
            seen.push(text);
            self.check_name(file, name, "source", known);
        }
    }

    /// Complains about a name that nothing has; `known` is sorted.
    pub(super) fn check_name(&mut self, file: &File, name: &Value<'_>, what: &str, known: &[String]) {
        let Some(text) = name.get_ref().as_str().map(str::trim).filter(|text| !text.is_empty()) else { return };
        if !self.whole || known.binary_search_by(|known| known.as_str().cmp(text)).is_ok() {
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
