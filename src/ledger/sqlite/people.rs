//! A person's words: approve, reject, adopt, forget, retry, and asking the daemon for a run.

use rusqlite::{Connection, params};

use super::super::operation::{State, Step};
use super::super::{Event, Lease, MemberState, RunId};
use super::books::{Books, Record, Seat, step};
use super::drift::recounted;
use super::generation::standing;
use super::recorded::seatless;
use super::requests::settle_intent;
use super::rosters::look_again;
use super::run::open_intents;
use super::values::{Json, Ms};
use super::{Ledger, Result, subscription_id};
use crate::address::Address;
use crate::clock::Timestamp;
use crate::dispatch::machine::{Habits, Outcome};
use crate::licensing::wire::Operation;
use crate::member::TAKEN_BACK;
use crate::plan::Hold;
use crate::report::text::count;
use crate::roster::PRIORITY_DEFAULT;

impl Ledger {
    /// The removals of this hold may be done, all or any of them, until this moment.
    pub fn approve(
        &mut self,
        subscription: &str,
        hold: &Hold,
        by: &str,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Result<()> {
        self.write(|transaction| {
            let id = subscription_id(transaction, subscription)?;
            let members: Vec<&str> = hold.removals.iter().map(|removal| removal.address.identity()).collect();
            let sql = "
                INSERT INTO approval (subscription_id, digest, members, expires_at, by, at)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            transaction.execute(sql, params![id, hold.digest, Json(members), Ms(expires_at), by, Ms(now)])?;
            let detail = decided(hold, by);
            Books::open(transaction, id, None, now).tell_of_all(Event::Approved, &detail)
        })
    }

    /// The removals of this hold are turned down: their members are kept until a roster names them again.
    pub fn reject(&mut self, lease: &Lease, hold: &Hold, by: &str, now: Timestamp) -> Result<()> {
        self.fenced(lease, |transaction, subscription| {
            let mut books = Books::open(transaction, subscription, None, now);
            for removal in &hold.removals {
                keep(&mut books, &removal.address, &format!("kept: the removal was rejected by {by}"))?;
                let sql = "UPDATE touched SET departure = NULL WHERE subscription_id = ?1 AND identity = ?2";
                transaction.prepare_cached(sql)?.execute(params![subscription, removal.address.identity()])?;
            }
            let detail = decided(hold, by);
            books.tell_of_all(Event::Rejected, &detail)?;
            books.close()?;
            let sql = "UPDATE subscription SET hold = NULL, hold_in_short = NULL, hold_since = NULL WHERE id = ?1";
            transaction.execute(sql, [subscription])?;
            Ok(())
        })
    }

    /// Takes over assignments that exist already; who has a seat already, or a request about whom is open, stays as they
    /// are. Gives the number of those that are new.
    pub fn adopt(&mut self, lease: &Lease, addresses: &[Address], by: &str, now: Timestamp) -> Result<u64> {
        self.each_address(lease, addresses, now, |books, old, address| {
            if old.as_ref().is_some_and(|old| old.member.has_seat || old.intent.is_some()) {
                return Ok(false);
            }
            let state = step(old.as_ref(), address, Step::Adopted)?;
            let mut new = old.clone().unwrap_or_else(|| Record::new(address.clone(), PRIORITY_DEFAULT, books.now));
            new.turn(state, format!("adopted by {by}"), books.now);
            new.member.address = address.clone();
            books.put(old.as_ref(), &new)?;
            books.tell(Event::Adopted, address, &format!("by {by}"), Seat::Same)?;
            Ok(true)
        })
    }

    /// Drops members without a request, but for those about whom one is open. Gives the number of those that were there.
    pub fn forget(&mut self, lease: &Lease, addresses: &[Address], by: &str, now: Timestamp) -> Result<u64> {
        self.each_address(lease, addresses, now, |books, old, address| {
            let Some(old) = old.filter(|old| old.intent.is_none()) else { return Ok(false) };
            step(Some(&old), address, Step::Forgotten)?;
            books.remove(&old)?;
            books.tell(Event::Forgotten, address, &format!("by {by}"), Seat::Same)?;
            Ok(true)
        })
    }

    /// Quarantined members may try again; all of them where none is named. Gives their number.
    pub fn retry(&mut self, lease: &Lease, addresses: &[Address], by: &str, now: Timestamp) -> Result<u64> {
        let mut all = Vec::new();
        if addresses.is_empty() {
            let state = Some(MemberState::Quarantined);
            self.for_each_member(&lease.subscription, state, &mut |member| all.push(member.address))?;
        }
        let addresses = if addresses.is_empty() { &all[..] } else { addresses };
        self.each_address(lease, addresses, now, |books, old, address| {
            let Some(old) = old.filter(|old| old.member.state == MemberState::Quarantined) else { return Ok(false) };
            let state = step(Some(&old), address, Step::Retried)?;
            let mut new = old.clone();
            new.turn(state, format!("to be tried again, by {by}"), books.now);
            if state == State::Pending {
                new.member.waiting_since = new.member.waiting_since.or(Some(books.now));
            }
            books.put(Some(&old), &new)?;
            books.tell(Event::Retried, address, &format!("by {by}"), Seat::Same)?;
            Ok(true)
        })
    }

    /// What the server was seen to do is learned anew. Whether anything had been learned.
    pub fn forget_habits(&mut self, lease: &Lease) -> Result<bool> {
        self.fenced(lease, |transaction, subscription| {
            let known: Json<Habits> =
                transaction
                    .query_row("SELECT habits FROM subscription WHERE id = ?1", [subscription], |row| row.get(0))?;
            let sql = "UPDATE subscription SET habits = ?2 WHERE id = ?1";
            transaction.execute(sql, params![subscription, Json(Habits::default())])?;
            Ok(known.0 != Habits::default())
        })
    }

    /// Keeps what a person undid from being done again: who was given the seat back is kept until a roster names them,
    /// who lost it is set aside until `retry`.
    pub fn note_undone(
        &mut self,
        lease: &Lease,
        given_back: &[Address],
        taken_back: &[Address],
        why: &str,
        now: Timestamp,
    ) -> Result<()> {
        self.fenced(lease, |transaction, subscription| {
            let mut books = Books::open(transaction, subscription, None, now);
            for address in given_back {
                keep(&mut books, address, &format!("kept: {why}"))?;
            }
            for address in taken_back {
                let why = format!("{TAKEN_BACK}{why}");
                seatless(&mut books, address, Step::SetAside, &why, None, Event::Quarantined, |member| {
                    member.refused = true;
                })?;
            }
            books.close()?;
            Ok(())
        })
    }

    /// Has the next plan look at these addresses, whatever has become of them by then.
    pub fn look_again_at(&mut self, lease: &Lease, addresses: &[Address]) -> Result<()> {
        self.fenced(lease, |transaction, subscription| {
            addresses.iter().try_for_each(|address| look_again(transaction, subscription, address))
        })
    }

    /// A ledger that may not be the newest is believed from now on. What it remembers of a person's approvals and of
    /// removals that were under way is of the past, and done with. Every subscription is asked for a run.
    pub fn believe(&mut self, by: &str, now: Timestamp) -> Result<()> {
        self.write(|transaction| {
            let (_, Some(restored)) = standing(transaction)? else { return Ok(()) };
            let detail = format!("by {by}: {}", restored.cause());
            let mut statement = transaction.prepare("SELECT id FROM subscription")?;
            let subscriptions: Vec<i64> =
                statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
            for id in subscriptions {
                withdraw_removals(transaction, id, now)?;
                Books::open(transaction, id, None, now).tell_of_all(Event::LedgerAccepted, &detail)?;
            }
            transaction.execute("DELETE FROM approval", [])?;
            transaction.execute("UPDATE generation SET restored = NULL", [])?;
            transaction.execute("UPDATE subscription SET asked_at = ?1", [Ms(now)])?;
            Ok(())
        })
    }

    /// Ends the open requests to take a seat away without sending them again: of a ledger that may not be the newest they
    /// are of the past, and whom they name may have been given the seat again since. Their members have it, as before the
    /// request, and the next plan looks at them. Gives the number of those requests.
    pub fn withdraw_removals(&mut self, lease: &Lease, now: Timestamp) -> Result<usize> {
        self.fenced(lease, |transaction, subscription| withdraw_removals(transaction, subscription, now))
    }

    /// Asks whoever runs the daemon for a run of this subscription. What was asked for before is within it.
    pub fn ask_for_run(&mut self, subscription: &str, now: Timestamp) -> Result<()> {
        self.write(|transaction| {
            let id = subscription_id(transaction, subscription)?;
            let sql = "UPDATE subscription SET asked_at = ?2 WHERE id = ?1";
            transaction.execute(sql, params![id, Ms(now)])?;
            Ok(())
        })
    }

    /// Notes who wants the sources read and a run made.
    pub fn note_asked(&mut self, subscription: &str, by: &str, now: Timestamp) -> Result<()> {
        self.write(|transaction| {
            let id = subscription_id(transaction, subscription)?;
            Books::open(transaction, id, None, now).tell_of_all(Event::Asked, &format!("by {by}"))
        })
    }

    /// What was asked for at this moment has been done. Whether nothing was asked for since.
    pub fn forget_asked(&mut self, subscription: &str, asked_at: Timestamp) -> Result<bool> {
        self.write(|transaction| {
            let sql = "UPDATE subscription SET asked_at = NULL WHERE name = ?1 AND asked_at = ?2";
            transaction.execute(sql, params![subscription, Ms(asked_at)])?;
            let sql = "SELECT 1 FROM subscription WHERE name = ?1 AND asked_at IS NOT NULL";
            Ok(!transaction.prepare_cached(sql)?.exists([subscription])?)
        })
    }

    /// Takes what was asked for, by name. Where nothing was, no other writer is waited for.
    pub fn take_asked(&mut self) -> Result<Vec<String>> {
        let sql = "SELECT name FROM subscription WHERE asked_at IS NOT NULL ORDER BY name";
        if !self.read(|connection| Ok(connection.prepare_cached(sql)?.exists([])?))? {
            return Ok(Vec::new());
        }
        self.write(|transaction| {
            let asked =
                transaction.prepare_cached(sql)?.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
            transaction.execute("UPDATE subscription SET asked_at = NULL WHERE asked_at IS NOT NULL", [])?;
            Ok(asked)
        })
    }

    /// Does this for each address, has the next plan look at those for which it did something, and counts them.
    fn each_address(
        &mut self,
        lease: &Lease,
        addresses: &[Address],
        now: Timestamp,
        mut each: impl FnMut(&mut Books<'_>, Option<Record>, &Address) -> Result<bool>,
    ) -> Result<u64> {
        self.fenced(lease, |transaction, subscription| {
            let mut books = Books::open(transaction, subscription, None, now);
            let mut done = 0;
            for address in addresses {
                let old = books.record(address.identity())?;
                if each(&mut books, old, address)? {
                    look_again(transaction, subscription, address)?;
                    done += 1;
                }
            }
            let more = books.close()?;
            recounted(transaction, subscription, -more)?;
            Ok(done)
        })
    }
}

fn withdraw_removals(connection: &Connection, subscription: i64, now: Timestamp) -> Result<usize> {
    let intents = open_intents(connection, subscription)?;
    let mut books = Books::open(connection, subscription, None, now);
    let mut withdrawn = 0;
    for (id, intent) in intents.iter().filter(|(_, intent)| intent.operation == Operation::Unassign) {
        let cause = "the ledger was restored from a copy".to_owned();
        let outcome = |address: &Address| (address.clone(), Outcome::NotDone { cause: cause.clone() });
        let outcomes: Vec<_> = intent.addresses.iter().map(outcome).collect();
        settle_intent(connection, &mut books, subscription, RunId::nil(), *id, &outcomes)?;
        withdrawn += 1;
    }
    books.close()?;
    Ok(withdrawn)
}

/// `2 removals (0123456789abcdef) by ann`.
fn decided(hold: &Hold, by: &str) -> String {
    format!("{} ({}) by {by}", count(hold.removals.len() as u64, "removal", "removals"), hold.digest)
}

/// Whom these approvals name has come back: an approval is of one departure, not of the next one, too.
pub(super) fn lapse(connection: &Connection, subscription: i64, is_back: impl Fn(&str) -> bool) -> Result<()> {
    for (id, mut members) in approved(connection, subscription)? {
        let before = members.len();
        members.retain(|member| !is_back(member));
        if members.is_empty() {
            connection.execute("DELETE FROM approval WHERE id = ?1", [id])?;
        } else if members.len() < before {
            connection.execute("UPDATE approval SET members = ?2 WHERE id = ?1", params![id, Json(members)])?;
        }
    }
    Ok(())
}

/// Approvals of anybody's removal that was carried out are done with: whoever leaves again is asked about again.
pub(super) fn carried_out(connection: &Connection, subscription: i64, is_gone: impl Fn(&str) -> bool) -> Result<()> {
    for (id, members) in approved(connection, subscription)? {
        if members.iter().any(|member| is_gone(member)) {
            connection.execute("DELETE FROM approval WHERE id = ?1", [id])?;
        }
    }
    Ok(())
}

fn approved(connection: &Connection, subscription: i64) -> Result<Vec<(i64, Vec<String>)>> {
    let mut statement = connection.prepare_cached("SELECT id, members FROM approval WHERE subscription_id = ?1")?;
    let rows = statement.query_map([subscription], |row| Ok((row.get(0)?, row.get::<_, Json<Vec<String>>>(1)?.0)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn keep(books: &mut Books<'_>, address: &Address, why: &str) -> Result<()> {
    // Who is gone already, or is being asked about, is not held any more.
    let Some(old) = books.record(address.identity())?.filter(|old| old.member.has_seat && old.intent.is_none()) else {
        return Ok(());
    };
    let state = step(Some(&old), address, Step::Kept)?;
    let mut new = old.clone();
    new.turn(state, why, books.now);
    new.member.kept = true;
    new.member.departure = None;
    books.put(Some(&old), &new)?;
    books.tell(Event::Kept, address, why, Seat::Same)
}
