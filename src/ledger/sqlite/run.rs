//! A run: its lease, what its plan says, its requests one by one, its end.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use rusqlite::{Connection, OptionalExtension, params};

use super::super::lease::{Chance, Held, chance};
use super::super::{IntentId, Lease, LedgerError, Owner, RunId, RunOutcome, Trigger};
use super::books::Books;
use super::drift::{is_in_doubt, note_drift};
use super::generation::standing;
use super::people::carried_out;
use super::planning::{Seen, approvals};
use super::recorded::{looked, put_plan};
use super::requests::{
    left, named_meanwhile, not_asked, put_answer, put_intent, put_problem, settle_intent, turn_back,
};
use super::values::{Json, Ms, Word, count, moment};
use super::work::Work;
use super::{Ledger, Result, fence, known_subscription, subscription_id};
use crate::address::Address;
use crate::clock::Timestamp;
use crate::dispatch::machine::{Commit, NewIntent, Outcome, Report};
use crate::licensing::wire::Operation;
use crate::plan::Plan;

impl Ledger {
    // ---- the lease

    /// Takes the lease of a subscription for this long; `None` where another holds it. A holder that is certainly gone
    /// is not waited for. Not flushed: a power cut ends this holder, too, and nothing is sent before the first intent,
    /// which is.
    pub fn acquire(
        &mut self,
        subscription: &str,
        owner: &Owner,
        term: Duration,
        now: Timestamp,
    ) -> Result<Option<Lease>> {
        self.write_unflushed(|transaction| {
            let sql = "SELECT owner, expires, term FROM lease WHERE subscription = ?1 AND owner <> ''";
            let held = transaction.prepare_cached(sql)?.query_row([subscription], |row| {
                let (alive, term) = (Owner(row.get(0)?).may_be_alive(), TimeDelta::milliseconds(row.get(2)?));
                Ok(Held { alive, expires: moment(row, 1)?, term })
            });
            match chance(held.optional()?.as_ref(), now) {
                Chance::Free => {}
                Chance::Held => return Ok(None),
                Chance::Until(end) => {
                    let sql = "UPDATE lease SET expires = ?2 WHERE subscription = ?1";
                    transaction.prepare_cached(sql)?.execute(params![subscription, Ms(end)])?;
                    return Ok(None);
                }
            }
            let sql = "
                INSERT INTO lease (subscription, owner, epoch, expires, term) VALUES (?1, ?2, 1, ?3, ?4)
                ON CONFLICT (subscription) DO UPDATE SET
                  owner = excluded.owner, epoch = epoch + 1, expires = excluded.expires, term = excluded.term
                RETURNING epoch";
            let term_ms = delta(term).num_milliseconds();
            let values = params![subscription, owner.0, Ms(end_of(delta(term), now)), term_ms];
            let epoch = transaction.prepare_cached(sql)?.query_row(values, |row| row.get(0))?;
            Ok(Some(Lease { subscription: subscription.to_owned(), owner: owner.clone(), epoch, term }))
        })
    }

    /// Makes sure that the lease lasts at least this long from now: it is renewed where less is left of it, or more than
    /// its term, which a clock that was set back gives it. To be called before whatever must not outlast it. Where enough
    /// is left nothing is written.
    ///
    /// # Errors
    /// [`LedgerError::Fenced`] where it was lost.
    pub fn hold(&mut self, lease: &Lease, needed: Duration, now: Timestamp) -> Result<()> {
        let left = self.read(|connection| left_of(connection, lease, now))?;
        let (needed, term) = (delta(needed), delta(lease.term.max(needed)));
        if left.is_some_and(|left| needed <= left && left <= term) {
            return Ok(());
        }
        self.write(|transaction| {
            check_fence(transaction, lease)?;
            renew(transaction, lease, term, now)
        })
    }

    /// Gives the lease back. One that was lost in the meantime is another's, and stays so. Not flushed: a lease that comes
    /// back with a power cut ends by itself.
    pub fn release(&mut self, lease: Lease) -> Result<()> {
        let Lease { subscription, owner, epoch, term: _ } = lease;
        self.works.remove(&subscription);
        self.write_unflushed(|transaction| {
            // The row stays: an epoch is never given twice.
            let sql = "UPDATE lease SET owner = '', expires = 0 WHERE subscription = ?1 AND owner = ?2 AND epoch = ?3";
            transaction.prepare_cached(sql)?.execute(params![subscription, owner.0, epoch])?;
            Ok(())
        })
    }

    // ---- the run

    /// Notes, at the first run, what the licensing server calls the subscription.
    ///
    /// # Errors
    /// [`LedgerError::Another`] where it was called otherwise before: its members are not this one's.
    /// [`LedgerError::AnotherName`] where it has another name here: its members are there.
    pub fn stand_for(&mut self, lease: &Lease, remote: &str) -> Result<()> {
        let known = self.subscription(&lease.subscription)?;
        self.check_remote(&lease.subscription, &known, remote)?;
        if known.remote.is_some() {
            return Ok(());
        }
        self.fenced(lease, |transaction, subscription| {
            transaction.execute("UPDATE subscription SET remote = ?2 WHERE id = ?1", params![subscription, remote])?;
            Ok(())
        })
    }

    /// Notes why no run can begin; the next run that does clears it.
    pub fn note_problem(&mut self, subscription: &str, problem: &str, now: Timestamp) -> Result<()> {
        self.write(|transaction| {
            let id = subscription_id(transaction, subscription)?;
            let books = Books::open(transaction, id, None, now);
            put_problem(transaction, id, &books, Some(problem), None)
        })
    }

    /// Not flushed: until the first intent is, nothing has come of the run.
    pub fn begin_run(&mut self, lease: &Lease, run: RunId, trigger: Trigger, now: Timestamp) -> Result<()> {
        self.write_unflushed(|transaction| {
            let subscription = fence(transaction, lease)?;
            let sql = "INSERT INTO run (id, subscription_id, started_at, cause) VALUES (?1, ?2, ?3, ?4)";
            transaction.execute(sql, params![run.into_bytes(), subscription, Ms(now), Word(trigger)])?;
            Ok(())
        })?;
        self.begun.insert(lease.subscription.clone());
        Ok(())
    }

    /// What requests may have been sent without their answer being recorded, the oldest first.
    pub fn open_intents(&self, subscription: &str) -> Result<Vec<(IntentId, NewIntent)>> {
        self.read(|connection| match known_subscription(connection, subscription)? {
            Some(id) => open_intents(connection, id),
            None => Ok(Vec::new()),
        })
    }

    /// Whoever is named here and whose removal is in doubt is wanted again: the open request becomes one to assign them, so
    /// that settling it gives the seat back or leaves it, and never makes sure of the removal. Nobody else's changes.
    pub fn turn_back(&mut self, lease: &Lease, wanted: &[Address], now: Timestamp) -> Result<()> {
        self.fenced(lease, |transaction, subscription| {
            let mut books = Books::open(transaction, subscription, None, now);
            turn_back(transaction, &mut books, subscription, wanted)?;
            books.close()?;
            Ok(())
        })
    }

    /// Whether a roster has said something new of one of these addresses since a plan looked.
    pub fn is_overtaken(&self, lease: &Lease, seen: Seen, addresses: &[Address]) -> Result<bool> {
        let identities: Vec<&str> = addresses.iter().map(Address::identity).collect();
        self.read(|connection| {
            let sql = "
                SELECT 1 FROM touched JOIN subscription ON subscription.id = subscription_id
                WHERE name = ?1 AND touched.seq > ?2 AND identity IN (SELECT value FROM json_each(?3)) LIMIT 1";
            let values = params![lease.subscription, seen.seq, Json(identities)];
            Ok(connection.prepare_cached(sql)?.exists(values)?)
        })
    }

    /// Writes what the plan says without a request: settlements, leavers, waiting, quarantined, the hold. Remembers why
    /// the rest is asked for, until [`Ledger::finish_run`].
    ///
    /// What the plan has looked at (what touched the subscription until the candidates were `seen`, the dates until
    /// then, the `scope`) is done with now where the plan asks for no request, or else when the run has come to its
    /// end: a run that breaks off leaves everybody to the next plan. Where nothing is new, nothing is written.
    ///
    /// # Errors
    /// `Illegal`, and nothing is written, where the rules forbid a part of the plan, or where somebody leaves whose
    /// departure it does not name: a leaver without a reason could neither be explained nor told from somebody who fell
    /// out of what is looked at.
    pub fn record_plan(
        &mut self,
        lease: &Lease,
        run: RunId,
        plan: &Arc<Plan>,
        scope: &str,
        seen: Seen,
        now: Timestamp,
    ) -> Result<()> {
        let work = self.fenced(lease, |transaction, subscription| {
            let mut books = Books::open(transaction, subscription, Some(run), now);
            put_plan(transaction, subscription, &mut books, plan)?;
            books.close()?;
            if !Work::asks(plan) {
                looked(transaction, subscription, scope, seen)?;
                return Ok(None);
            }
            // Until the run has come to its end neither this scope nor the one before it is what everybody was judged by.
            let sql = "UPDATE subscription SET scope = NULL WHERE id = ?1 AND scope <> ?2";
            transaction.prepare_cached(sql)?.execute(params![subscription, scope])?;
            let approvals = approvals(transaction, subscription, now)?;
            Ok(Some(Work::new(run, plan, scope, seen, &approvals)))
        })?;
        self.works.remove(&lease.subscription);
        if let Some(work) = work {
            self.works.insert(lease.subscription.clone(), work);
        }
        Ok(())
    }

    /// One dispatch step: the outcome of one request and the intent of the next. A long run keeps its lease by these: once
    /// a third of its term has passed it is renewed.
    ///
    /// # Errors
    /// [`LedgerError::Restored`] for a removal on a ledger that may not be the newest.
    pub fn commit(&mut self, lease: &Lease, run: RunId, commit: &Commit, now: Timestamp) -> Result<Option<IntentId>> {
        let mut work = self.works.remove(&lease.subscription).filter(|work| work.run == run);
        let result = self.fenced(lease, |transaction, subscription| {
            if let Some(NewIntent { operation: Operation::Unassign, .. }) = commit.intent
                && let (_, Some(restored)) = standing(transaction)?
            {
                return Err(LedgerError::Restored(restored));
            }
            let term = delta(lease.term);
            if left_of(transaction, lease, now)?.is_some_and(|left| left < term - term / 3 || term < left) {
                renew(transaction, lease, term, now)?;
            }
            let mut books = Books::open(transaction, subscription, Some(run), now);
            if let Some((intent, outcomes)) = &commit.settled {
                settle_intent(transaction, &mut books, subscription, run, *intent, outcomes)?;
                if let Some(work) = &work {
                    named_meanwhile(transaction, &mut books, subscription, outcomes, work.seen)?;
                }
            }
            let intent = match &commit.intent {
                None => None,
                Some(intent) => Some(put_intent(transaction, &mut books, subscription, run, intent, work.as_ref())?),
            };
            if let (Some((_, outcomes)), None, Some(work)) = (&commit.settled, &commit.intent, &work) {
                // No intent goes on with them: the run has stopped.
                for (address, outcome) in outcomes {
                    if let Outcome::NotDone { cause } = outcome {
                        not_asked(&mut books, address, cause, work)?;
                    }
                }
            }
            for (address, outcome) in &commit.left {
                left(&mut books, address, outcome, work.as_ref())?;
            }
            put_answer(transaction, subscription, &books, commit)?;
            let moves = books.moves;
            books.close()?;
            let comparable = commit.comparable && !is_in_doubt(transaction, subscription, intent)?;
            let counted = commit.stats.filter(|_| comparable).map(|stats| stats.assigned);
            note_drift(transaction, subscription, run, moves, counted, now)?;
            Ok(intent)
        });
        if let Some(mut work) = work.take() {
            // Of those who were asked for again, to be sure, nothing is to be decided.
            let settled = commit.settled.iter().filter(|_| !work.again).flat_map(|(_, outcomes)| outcomes);
            let mut outcomes = settled.chain(&commit.left);
            // A commit that failed leaves its outcomes unknown to the ledger: those addresses, too, are for the next plan.
            work.unfinished |=
                result.is_err() || outcomes.any(|(_, outcome)| matches!(outcome, Outcome::NotDone { .. }));
            work.again = commit.intent.as_ref().is_some_and(|intent| intent.again);
            self.works.insert(lease.subscription.clone(), work);
        }
        if matches!(result, Ok(Some(_))) && self.begun.remove(&lease.subscription) {
            self.flush_generation();
        }
        result
    }

    /// Ends a run. `problem` is a sentence for the status, or nothing is wrong any more.
    pub fn finish_run(
        &mut self,
        lease: &Lease,
        run: RunId,
        outcome: RunOutcome,
        report: &Report,
        problem: Option<&str>,
        now: Timestamp,
    ) -> Result<()> {
        let done = report.stopped.is_none() && outcome != RunOutcome::Failed;
        let work = self.works.remove(&lease.subscription).filter(|work| work.run == run && !work.unfinished && done);
        self.fenced(lease, |transaction, subscription| {
            let Report { requests, assigned, unassigned, stopped, .. } = report;
            let sql = "
                UPDATE run SET finished_at = ?2, outcome = ?3, requests = ?4, assigned = ?5, unassigned = ?6
                WHERE id = ?1";
            let values = params![
                run.into_bytes(),
                Ms(now),
                Word(outcome),
                count(*requests),
                count(*assigned),
                count(*unassigned),
            ];
            transaction.execute(sql, values)?;
            if let Some(work) = work {
                looked(transaction, subscription, &work.scope, work.seen)?;
                carried_out(transaction, subscription, |identity| work.order(Operation::Unassign, identity).is_some())?;
            }
            let books = Books::open(transaction, subscription, Some(run), now);
            put_problem(transaction, subscription, &books, problem, stopped.as_ref())?;
            let sql = "
                UPDATE subscription SET full_since = NULL WHERE id = ?1 AND full_since IS NOT NULL AND NOT EXISTS (
                  SELECT 1 FROM member_count WHERE subscription_id = ?1 AND state = 'pending' AND members > 0)";
            transaction.execute(sql, [subscription])?;
            Ok(())
        })
    }
}

pub(super) fn open_intents(connection: &Connection, subscription: i64) -> Result<Vec<(IntentId, NewIntent)>> {
    let sql = "SELECT id, operation, addresses, again FROM intent WHERE subscription_id = ?1 ORDER BY id";
    let mut statement = connection.prepare_cached(sql)?;
    let intents = statement.query_map([subscription], |row| {
        let operation = row.get::<_, Word<Operation>>(1)?.0;
        let addresses = row.get::<_, Json<Vec<Address>>>(2)?.0;
        Ok((IntentId(row.get(0)?), NewIntent { operation, addresses, again: row.get(3)? }))
    })?;
    Ok(intents.collect::<rusqlite::Result<_>>()?)
}

/// Says that the lease is still this one, in the transaction of what is written under it.
pub(super) fn check_fence(connection: &Connection, lease: &Lease) -> Result<()> {
    let sql = "SELECT 1 FROM lease WHERE subscription = ?1 AND owner = ?2 AND epoch = ?3";
    if connection.prepare_cached(sql)?.exists(params![lease.subscription, lease.owner.0, lease.epoch])? {
        Ok(())
    } else {
        Err(LedgerError::Fenced { subscription: lease.subscription.clone() })
    }
}

/// What is left of the lease, less than nothing where it has ended and nobody took it; `None` where it was lost.
fn left_of(connection: &Connection, lease: &Lease, now: Timestamp) -> Result<Option<TimeDelta>> {
    let sql = "SELECT expires FROM lease WHERE subscription = ?1 AND owner = ?2 AND epoch = ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let values = params![lease.subscription, lease.owner.0, lease.epoch];
    let expires = statement.query_row(values, |row| moment(row, 0)).optional()?;
    Ok(expires.map(|expires| expires - now))
}

/// Under the fence.
fn renew(connection: &Connection, lease: &Lease, term: TimeDelta, now: Timestamp) -> Result<()> {
    let sql = "UPDATE lease SET expires = ?2, term = ?3 WHERE subscription = ?1";
    let values = params![lease.subscription, Ms(end_of(term, now)), term.num_milliseconds()];
    connection.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

fn end_of(term: TimeDelta, now: Timestamp) -> Timestamp {
    now.checked_add_signed(term).unwrap_or(now)
}
