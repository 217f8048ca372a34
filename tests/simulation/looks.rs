//! Looks at sources: between two passes, or by another process in the middle of one.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use rosterd::intake::{self, Intake};
use rosterd::source::{Reading, Snapshot};

use crate::host::{Crash, Host, Shared};
use crate::rules::{Mistake, Rule};
use crate::script::How;
use crate::setting::{edits, entries, entries_of, reading, rows};

/// The process that looks at a source while another is at work.
const READER: usize = 2;

impl Host {
    /// A look at a source. `false`: the process has died.
    pub(crate) fn read(&self, source: usize, how: How) -> bool {
        let (mut reading, entries, rows, config) = {
            let shared = self.lock();
            let hasher = shared.ledger.hasher().clone();
            let entries = entries(&shared.truth, source, shared.mistake);
            let rows = rows(&shared.ledger, source);
            let edited = shared.truth.setting().delta && source == 0;
            let reading = if edited { edits(&shared.truth, source, how) } else { reading(&entries, how, &hasher) };
            (reading, entries.len(), rows, Arc::clone(&shared.config))
        };
        if self.lock().mistake == Some(Mistake::BrokenBelieved)
            && let (How::Broken(share), Reading::Incomplete(_)) = (how, &reading)
        {
            let shared = self.lock();
            let some = entries_of(&shared.truth, source, entries * usize::from(share) / 100);
            reading = Reading::Complete(Snapshot::of(some, shared.ledger.hasher()));
        }
        let source_of = &config.sources[&format!("s{source}")];
        let taken = catch_unwind(AssertUnwindSafe(|| intake::take_reading(&config, self, source_of, reading)));
        let taken = match taken {
            Ok(taken) => Some(taken.unwrap()),
            Err(panic) if panic.is::<Crash>() => None,
            Err(panic) => resume_unwind(panic),
        };
        let lives = taken.is_some();
        let mut shared = self.lock();
        shared.note(|| format!("  {taken:?}"));
        let changed = rows != self::rows(&shared.ledger, source);
        if let Some(Intake::Refused(_)) = &taken {
            let news = !std::mem::replace(&mut shared.truth.failing[source], true);
            shared.brakes(source, news);
        } else if taken.is_none() || !matches!(how, How::Broken(_)) {
            let failing = shared.ledger.source(&format!("s{source}")).unwrap().is_some_and(|it| it.problem.is_some());
            shared.truth.failing[source] = failing;
        }
        match (how, taken) {
            (How::Whole, Some(Intake::Accepted { .. } | Intake::Unchanged)) => shared.accepts(source),
            // It died, before or after the roster was on disk.
            (How::Whole, None) if changed => shared.accepts(source),
            (How::Whole, _) if changed => shared.breaks(Rule::WholeOrNothing, "refused and changed".to_owned()),
            (How::Broken(_) | How::Empty, _) if changed => {
                shared.breaks(Rule::WholeOrNothing, format!("s{source} was read {how:?} and has changed"));
            }
            _ => {}
        }
        lives
    }

    /// A look at a source by another process, where it is time for one.
    pub(crate) fn is_read_beside(&self) {
        let due = {
            let mut shared = self.lock();
            let due = shared.processes[self.process].read_due();
            if due.is_some() {
                shared.note(|| "another process looks at a source".to_owned());
            }
            due
        };
        let Some(source) = due else { return };
        Host { shared: Arc::clone(&self.shared), process: READER }.read(source, How::Whole);
        let mut shared = self.lock();
        let now = shared.now();
        let Shared { watches, truth, .. } = &mut *shared;
        for (client, watch) in watches.iter_mut().enumerate() {
            if let Some(watch) = watch {
                watch.disturbed = Some(truth.desired(client, now));
            }
        }
    }
}
