//! Values of a table where several may say something.

use std::num::NonZeroUsize;
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::super::diagnose::Complaint;
use super::super::keys::Table;
use super::super::raw::{File, Value};
use super::super::value::At;

/// The values of one table: its own, then those that stand in for them, then the defaults of [`keys`].
#[derive(Debug, Clone)]
pub(super) struct Values<'a> {
    pub(super) table: &'static Table,
    pub(super) layers: Vec<(&'a File, &'a DeTable<'a>)>,
}

impl<'a> Values<'a> {
    /// A value read like this; `None` where there is none, or none that is sound.
    pub(super) fn get<T>(&self, name: &str, read: impl Fn(At<'_>) -> Result<T, Complaint>) -> Option<T> {
        let key = self.table.key(name)?;
        if let Some((file, value)) = self.find(name) {
            return read(At { file, kind: &key.kind, value }).ok();
        }
        let default = DeValue::parse(key.default?).ok()?;
        let (file, _) = self.layers.last()?;
        read(At { file, kind: &key.kind, value: &default }).ok()
    }

    /// The value that counts, where the files have one.
    pub(super) fn find(&self, name: &str) -> Option<(&'a File, &'a Value<'a>)> {
        self.layers.iter().find_map(|(file, values)| values.get(name).map(|value| (*file, value)))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// A table within each layer, the own one first.
    pub(super) fn inner(&self, name: &str, table: &'static Table) -> Values<'a> {
        let inner = |(file, values): &(&'a File, &'a DeTable<'a>)| {
            values.get(name).and_then(|value| value.get_ref().as_table()).map(|values| (*file, values))
        };
        Values { table, layers: self.layers.iter().filter_map(inner).collect() }
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.get(name, |at| at.text())
    }

    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        self.get(name, |at| at.flag())
    }

    pub(super) fn whole(&self, name: &str) -> Option<u64> {
        self.get(name, |at| at.whole())
    }

    pub(super) fn count(&self, name: &str) -> Option<NonZeroUsize> {
        self.whole(name).and_then(|number| usize::try_from(number).ok()).and_then(NonZeroUsize::new)
    }

    pub(super) fn duration(&self, name: &str) -> Option<Duration> {
        self.get(name, |at| at.duration()).flatten()
    }
}

/// A table without anything in it.
pub(super) fn empty() -> &'static DeTable<'static> {
    static EMPTY: std::sync::LazyLock<DeTable<'static>> = std::sync::LazyLock::new(DeTable::new);
    &EMPTY
}
