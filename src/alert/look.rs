//! Looks at the subjects that something touched, and puts what is worth telling into the ledger's outbox.

use chrono::TimeDelta;
use tracing::warn;

use super::cause::{self, Cause, Causes, Facts, SourceFacts};
use super::news::{self, Told, Verdict};
use super::receiver::Receiver;
use super::{Alert, Phase, Subject, words};
use crate::clock::Timestamp;
use crate::config::{After, AlertEvent, Config, Source, SourceKind};
use crate::ledger::sqlite::Noted;
use crate::ledger::{Ledger, LedgerError, MemberState};
use crate::report::status::MemberCounts;
use crate::report::text::count;
use crate::telemetry::Masked;

/// So many subjects are looked at before others have their turn at the ledger.
pub const SUBJECTS_AT_ONCE: usize = 32;
/// A subscription that somebody works on is looked at when they are done, and at the latest after this.
const AT_WORK: TimeDelta = TimeDelta::minutes(1);

/// Lets the ledger know who is told from now on, and looks at all subjects anew where the configuration is another.
pub fn set_receivers(ledger: &mut Ledger, config: &Config) -> Result<(), LedgerError> {
    let receivers = Receiver::all(config);
    if receivers.is_empty() && ledger.receivers()?.is_empty() {
        return Ok(());
    }
    for (label, waited) in ledger.set_receivers(&receivers, &digest(config, &receivers))? {
        let alerts = count(waited, "alert that waited for it ends", "alerts that waited for it end");
        warn!("{label} is in the configuration no more, so that nothing is sent there; {alerts} unsent");
    }
    Ok(())
}

/// Of everything in the configuration that decides what is told, and to whom.
fn digest(config: &Config, receivers: &[Receiver]) -> String {
    let mut hasher = blake3::Hasher::new();
    for Receiver { mark, label, configured } in receivers {
        // What can be another without anybody being told anything else makes what was refused be tried again.
        hasher.update(format!("{mark} {label} {configured:?}\n").as_bytes());
    }
    for name in config.subscriptions.keys() {
        hasher.update(format!("subscription {name}\n").as_bytes());
    }
    for name in config.sources.keys() {
        hasher.update(format!("source {name}\n").as_bytes());
    }
    hasher.finalize().to_hex()[..32].to_owned()
}

/// Looks at the next subjects that are due, at most [`SUBJECTS_AT_ONCE`]. Whether there may be more.
pub fn look(ledger: &mut Ledger, config: &Config, now: Timestamp) -> Result<bool, LedgerError> {
    let receivers = Receiver::all(config);
    if receivers.is_empty() {
        return Ok(false);
    }
    let due = ledger.subjects_due(SUBJECTS_AT_ONCE, now)?;
    for (subject, seq) in &due {
        look_at(ledger, config, &receivers, subject, *seq, now)?;
    }
    Ok(due.len() == SUBJECTS_AT_ONCE)
}

fn look_at(
    ledger: &mut Ledger,
    config: &Config,
    receivers: &[Receiver],
    subject: &Subject,
    seq: i64,
    now: Timestamp,
) -> Result<(), LedgerError> {
    if let Subject::Subscription(name) = subject
        && ledger.is_at_work(name, now)?
    {
        ledger.note_told(subject, seq, Some(now + AT_WORK), &[])?;
        return Ok(());
    }
    let restored = ledger.restored()?;
    let identity = ledger.identity()?;
    let (seen, told) = ledger.in_one_snapshot(|ledger| {
        Ok((causes(ledger, config, subject, restored.as_ref(), now)?, ledger.told(subject)?))
    })?;
    let mut next = seen.causes.next;
    let mut noted = Vec::new();
    for receiver in receivers {
        let told = told.get(&receiver.mark).map(Vec::as_slice).unwrap_or_default();
        for event in AlertEvent::ALL {
            let teller = Teller { identity: &identity, subject, receiver, configured: seen.configured, now };
            let standing = seen.causes.standing.iter().find(|cause| cause.event == event);
            let told = told.iter().find(|told| told.event == event);
            let (note, again) = teller.judge(event, standing, told, &seen.causes);
            noted.extend(note);
            next = next.into_iter().chain(again).min();
        }
    }
    ledger.note_told(subject, seq, next, &noted)?;
    Ok(())
}

/// What is known of a subject.
struct Seen {
    causes: Causes,
    /// Whether it is in the configuration.
    configured: bool,
}

fn causes(
    ledger: &Ledger,
    config: &Config,
    subject: &Subject,
    restored: Option<&crate::ledger::Restored>,
    now: Timestamp,
) -> Result<Seen, LedgerError> {
    let (causes, configured) = match subject {
        Subject::Subscription(name) => match config.subscriptions.get(name) {
            Some(subscription) => {
                let record = ledger.subscription(name)?;
                let record = crate::ledger::SubscriptionRecord { restored: restored.cloned(), ..record };
                let counts = MemberCounts::of(&ledger.member_counts(name)?);
                let mut unsettled = Vec::new();
                for (state, number) in [
                    (MemberState::Pending, counts.pending),
                    (MemberState::Quarantined, counts.quarantined),
                    // They are of interest to those who wait.
                    (MemberState::Leaving, if counts.pending > 0 { counts.leaving } else { 0 }),
                ] {
                    if number > 0 {
                        ledger.for_each_member(name, Some(state), &mut |member| unsettled.push(member))?;
                    }
                }
                let brake = ledger.brake()?;
                let facts =
                    Facts { subscription, record: &record, counts, unsettled: &unsettled, brake: brake.as_ref(), now };
                (cause::of_subscription(&facts), true)
            }
            None => (Causes::default(), false),
        },
        Subject::Source(name) => match config.sources.get(name).zip(ledger.source(name)?) {
            Some((source, record)) => {
                let (subscriptions, passing) = (config.subscriptions_of(name), ledger.is_passing(name)?);
                let facts = SourceFacts {
                    name,
                    problem: record.problem.as_ref().map(|(why, since)| (why.as_str(), *since)),
                    passing,
                    rejected: !passing && is_put_aside(source),
                    roster: record.accepted_at.map(|at| (record.entries, at)),
                    subscriptions: &subscriptions,
                    now,
                };
                // One that nobody names is not read.
                let causes = if subscriptions.is_empty() { Causes::default() } else { cause::of_source(facts) };
                (causes, true)
            }
            None => (Causes::default(), false),
        },
        Subject::Fleet => (cause::of_fleet(ledger.brake()?.as_ref()), true),
        Subject::Ledger => (cause::of_ledger(restored), true),
        Subject::Configuration => (cause::of_configuration(ledger.refused_configuration()?.as_ref(), now), true),
    };
    Ok(Seen { causes, configured })
}

/// Whether a file of this source that is refused is put into the folder for such files.
fn is_put_aside(source: &Source) -> bool {
    matches!(&source.kind, SourceKind::Csv(csv) if csv.after == After::Archive)
}

/// Tells one receiver of one subject.
struct Teller<'a> {
    identity: &'a str,
    subject: &'a Subject,
    receiver: &'a Receiver,
    configured: bool,
    now: Timestamp,
}

impl Teller<'_> {
    /// What is to be noted, and when the cause is to be looked at again though nothing changes.
    fn judge(
        &self,
        event: AlertEvent,
        standing: Option<&Cause>,
        told: Option<&Told>,
        all: &Causes,
    ) -> (Option<Noted>, Option<Timestamp>) {
        if all.undecided.contains(&event) {
            return (None, None);
        }
        let remind_every = self.receiver.remind_every();
        let mark = standing.map(|cause| &cause.mark);
        let verdict = news::verdict(mark, told, self.receiver.wants(event), remind_every, self.now);
        let reminder = |at: Timestamp| standing.map(|_| news::reminder(at, remind_every));
        let noted = |told: Option<Told>, alert: Option<Alert>| {
            let next = told.as_ref().and_then(|told| reminder(told.at));
            (Some(Noted { receiver: self.receiver.mark.clone(), event, told, alert }), next)
        };
        match (verdict, told) {
            (Verdict::Quiet, told) => (None, told.and_then(|told| reminder(told.at))),
            (Verdict::Forget, _) => noted(None, None),
            (Verdict::Note(mark, at), Some(told)) => noted(Some(Told { mark, at, ..told.clone() }), None),
            (Verdict::Note(..), None) => (None, None),
            // It goes on failing, for another reason, which is told.
            (Verdict::Tell(Phase::Over), Some(_)) if is_replaced(event, all) => noted(None, None),
            (Verdict::Tell(Phase::Over), Some(told)) => {
                let words = words::over(self.subject, event, told.since, self.now, self.configured);
                noted(None, Some(self.alert(Phase::Over, event, &told.cause, told.since, &words)))
            }
            (Verdict::Tell(phase), told) => {
                let Some(cause) = standing else { return (None, None) };
                let since = told.map_or_else(|| cause.since.unwrap_or(self.now).min(self.now), |told| told.since);
                let id = told.map_or_else(|| self.cause_id(event, since), |told| told.cause.clone());
                let alert = self.alert(phase, event, &id, since, &cause.words);
                let told = Told { event, cause: id, since, mark: cause.mark.clone(), at: self.now, waits: true };
                noted(Some(told), Some(alert))
            }
        }
    }

    fn cause_id(&self, event: AlertEvent, since: Timestamp) -> String {
        let (subject, since, now) = (self.subject, since.timestamp_millis(), self.now.timestamp_millis());
        short_hash(&format!("{} {subject} {event} {since} {now}", self.identity))
    }

    fn alert(&self, phase: Phase, event: AlertEvent, cause: &str, since: Timestamp, words: &super::Words) -> Alert {
        let now = self.now.timestamp_millis();
        let id = short_hash(&format!("{} {} {cause} {} {now}", self.identity, self.receiver.mark, phase.word()));
        Alert {
            id: format!("msg_{id}"),
            cause: cause.to_owned(),
            phase,
            event,
            subject: self.subject.clone(),
            since,
            at: self.now,
            words: words.map(|text| Masked(text).to_string()),
            gathered: Vec::new(),
        }
    }
}

/// A subscription's runs fail for one reason at a time: where one takes the place of the other, nothing is over.
fn is_replaced(event: AlertEvent, all: &Causes) -> bool {
    let other = match event {
        AlertEvent::KeyRejected => AlertEvent::RunFailed,
        AlertEvent::RunFailed => AlertEvent::KeyRejected,
        _ => return false,
    };
    all.standing.iter().any(|cause| cause.event == other)
}

fn short_hash(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex()[..24].to_owned()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::alert::cause::Mark;
    use crate::config::load_str;

    #[test]
    fn what_may_stand_or_not_is_not_told_as_over() {
        let text = "[[alerts]]\nkind = \"command\"\ncommand = [\"page\"]\n";
        let config = load_str(Path::new("/etc/rosterd/rosterd.toml"), text).unwrap();
        let (receiver, now) = (&Receiver::all(&config)[0], Timestamp::UNIX_EPOCH);
        let subject = &Subject::Subscription("contoso".to_owned());
        let teller = Teller { identity: "1", subject, receiver, configured: true, now };
        let event = AlertEvent::SeatsExhausted;
        let told = Told { event, cause: "c".to_owned(), since: now, mark: Mark::Same, at: now, waits: false };
        let judge = |undecided| teller.judge(event, None, Some(&told), &Causes { undecided, ..Causes::default() });
        assert!(judge(vec![event]).0.is_none());
        let over = judge(Vec::new()).0.and_then(|noted| noted.alert);
        assert_eq!(over.map(|alert| alert.phase), Some(Phase::Over));
    }
}
