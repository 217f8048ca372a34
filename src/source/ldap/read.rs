//! One whole reading of a directory: the groups that are meant, everybody in them, and what became of those who are not
//! in them any more.

use crate::clock::Timestamp;
use crate::config::{Auth, Group, Ldap};
use crate::roster::{Entry, Hasher, PRIORITY_DEFAULT};
use crate::source::{Evidence, Incomplete, Reading, Snapshot};

use super::about::About;
use super::claims::{Claims, Through};
use super::directory::{Asked, Directory};
use super::evidence::{Observed, SeenGroup};
use super::leaving;
use super::lists::Lists;
use super::members::{Members, Missing, Reach};
use super::people::Kept;
use super::server::{Server, entry};
use super::walk::Walk;
use super::watched::{Watch, Watched};

/// Of names that lead to nobody, so many are shown.
const SHOWN_MAX: usize = 5;

/// What a directory is read with.
#[derive(Clone, Copy)]
pub struct Settings<'a> {
    pub config: &'a Ldap,
    pub hasher: &'a Hasher,
    /// What was seen when the stored roster was read, by whatever configuration: which groups were meant.
    pub known: Option<&'a Observed>,
    /// Whether the stored roster stands where the directory is as it was: it was read not long ago, for the same people,
    /// and nothing was wrong with it.
    pub may_be_unchanged: bool,
    /// Of this look.
    pub now: Timestamp,
    /// Who watches.
    pub watch: &'a dyn Watch,
    /// Takes whom groups listed, where that is to be remembered.
    pub keep: Option<&'a dyn Fn(Lists)>,
    /// The stored entries that a reading lacks.
    pub missing: &'a dyn Fn(&Snapshot) -> Result<Vec<Entry>, Incomplete>,
}

impl std::fmt::Debug for Settings<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings").field("known", &self.known).finish_non_exhaustive()
    }
}

/// Reads a directory, whole or not at all.
pub fn read(directory: &mut dyn Directory, settings: Settings<'_>) -> Reading {
    let mut watched = Watched { directory, watch: settings.watch };
    read_whole(&mut watched, settings).unwrap_or_else(Reading::Incomplete)
}

fn read_whole(directory: &mut dyn Directory, settings: Settings<'_>) -> Result<Reading, Incomplete> {
    let mut asked = Asked::default();
    let config = settings.config;
    let server = Server::ask(directory, config.flavor, &mut asked)?;
    let base = server.base(config)?;
    if entry(directory, base.text(), &["objectClass"], "the place where searches begin", &mut asked)?.is_none() {
        return Err(Incomplete::lasting(format!(
            "{} has no entry {base}, or does not let this account see it, so that nothing below it is believed: correct `base_dn`, or give the account the right to read it.",
            directory.server()
        )));
    }
    let mark = mark(directory, &server, config, &mut asked)?;
    if settings.may_be_unchanged && mark.is_some() && settings.known.is_some_and(|known| known.mark == mark) {
        return Ok(Reading::Unchanged);
    }
    let observed = Observed {
        server: directory.server().to_owned(),
        kind: server.label().to_owned(),
        bound_as: who_am_i(directory)?.or_else(|| signs_in_as(config)),
        about: About::ask(directory, &mut asked)?,
        base: base.text().to_owned(),
        mark,
        read_at: Some(settings.now),
        ..Observed::default()
    };
    let mut walk = Walk::new(directory, config, &server, &base);
    walk.keeps_lists = settings.keep.is_some();
    let mut claims = Claims::default();
    let (mut groups, mut roots) = (Vec::with_capacity(config.groups.len()), Vec::with_capacity(config.groups.len()));
    for group in &config.groups {
        let root = read_group(&mut walk, group, settings)?;
        let reach = claims.add_group(group, root, &walk.members, config.nested);
        groups.push(seen(group, root, &reach, &walk.members, settings));
        roots.push(root);
    }
    if config.groups.is_empty() {
        for person in walk.read_filter()? {
            claims.add(person, None, PRIORITY_DEFAULT, Through::Filter);
        }
    }
    let mut settled = claims.settle(&walk.members, config.include_disabled, settings.hasher, settings.now);
    let missing = (settings.missing)(&settled.snapshot)?;
    let held = leaving::explain(&mut walk, &mut settled, &missing)?;
    let Walk { mut members, asked: walked, .. } = walk;
    if let Some(keep) = settings.keep {
        keep(Lists::of(&mut members, roots));
    }
    let observed = Observed {
        groups,
        held,
        people: settled.snapshot.rows.len() as u64,
        disabled: settled.disabled.len() as u64,
        expired: settled.expired,
        without_address: settled.without_address,
        places: Some(settled.places),
        shared: std::mem::take(&mut settled.shared),
        requests: asked.requests + walked.requests,
        references: walked.references.into_iter().take(SHOWN_MAX).collect(),
        ..of_members(observed, &members)
    };
    let mut snapshot = settled.finish(members);
    snapshot.evidence = Evidence {
        file: Some(observed.server.clone()),
        rows: (snapshot.rows.len() + snapshot.bad_rows.len()) as u64,
        notes: observed.told(),
        directory: Some(Box::new(observed)),
        ..Evidence::default()
    };
    Ok(Reading::Complete(snapshot))
}

/// For a server that does not say who it takes rosterd for.
fn signs_in_as(config: &Ldap) -> Option<String> {
    match &config.auth {
        Auth::Simple { name, .. } => Some(name.clone()),
        Auth::External { .. } | Auth::Gssapi { .. } => None,
    }
}

fn who_am_i(directory: &mut dyn Directory) -> Result<Option<String>, Incomplete> {
    directory.who_am_i().map_err(|broken| {
        Incomplete::passing(format!("{} {broken}, when it was asked who rosterd is to it.", directory.server()))
    })
}

/// [`Server::mark`], of this configuration.
fn mark(
    directory: &mut dyn Directory,
    server: &Server,
    config: &Ldap,
    asked: &mut Asked,
) -> Result<Option<String>, Incomplete> {
    let mark = server.mark(directory, asked)?;
    let manner = blake3::hash(config.table.as_bytes()).to_hex();
    Ok(mark.map(|mark| format!("{} {} {mark}", &manner[..16], directory.server())))
}

/// Reads one group of the configuration, and those in it.
fn read_group(walk: &mut Walk<'_>, group: &Group, settings: Settings<'_>) -> Result<u32, Incomplete> {
    let id = group.id.as_deref().or_else(|| settings.known.and_then(|known| known.bound(&group.dn)));
    let root = match id {
        Some(id) => walk.group_by_id(id, &group.dn)?,
        None => walk.group_by_name(&group.dn)?,
    };
    walk.read_from(root)?;
    Ok(root)
}

fn seen(configured: &Group, root: u32, reach: &Reach, members: &Members, settings: Settings<'_>) -> SeenGroup {
    let is_able = |person: Kept<'_>| !person.disabled && person.expires.is_none_or(|end| end > settings.now);
    let has_licence = |(person, _): &&(u32, u32)| {
        let person = members.people.get(*person).filter(|person| person.has_address);
        person.is_some_and(|person| settings.config.include_disabled || is_able(person))
    };
    let people = reach.people.iter().filter(has_licence).count() as u64;
    let seen = SeenGroup { configured: configured.dn.normal().to_owned(), people, ..SeenGroup::default() };
    let group = |index: u32| members.groups.get(index as usize);
    let Some(own) = group(root) else { return seen };
    let mut counts = own.counts.clone();
    let inner = reach.groups.iter().copied().filter(|index| *index != root).filter_map(group);
    inner.for_each(|inner| counts.add_inner(&inner.counts));
    SeenGroup {
        dn: own.dn.text().to_owned(),
        id: own.id.to_string(),
        counts,
        inner: (reach.groups.len() as u64).saturating_sub(1),
        depth: reach.depth,
        ..seen
    }
}

/// With what can be counted in the graph.
fn of_members(observed: Observed, members: &Members) -> Observed {
    let left_out = members.left_out();
    let of = |what: &str| left_out.get(what).copied().unwrap_or_default();
    let number = |why: Missing| members.missing().filter(|(_, missing)| *missing == why).count() as u64;
    let names = |why: Missing| {
        let names = members.missing().filter(|(_, missing)| *missing == why).take(SHOWN_MAX);
        names.map(|(name, _)| name.to_owned()).collect::<Vec<_>>()
    };
    Observed {
        had_choice: members.had_choice,
        contacts: of("contact"),
        computers: of("computer"),
        foreign: of("foreign"),
        foreign_names: members.foreign.iter().take(SHOWN_MAX).map(ToString::to_string).collect(),
        filtered: of("filtered"),
        gone: number(Missing::Gone),
        gone_names: names(Missing::Gone),
        elsewhere: number(Missing::Elsewhere),
        elsewhere_names: names(Missing::Elsewhere),
        unreadable: number(Missing::Unreadable),
        unreadable_names: names(Missing::Unreadable),
        by_themselves: Some(members.groups.iter().map(|group| group.counts.by_primary + group.counts.uids).sum()),
        not_looked_into: members.groups.iter().filter(|group| !group.is_read).count() as u64,
        ..observed
    }
}

#[cfg(test)]
pub(super) mod tests;
