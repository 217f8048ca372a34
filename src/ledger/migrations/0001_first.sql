-- Moments are milliseconds since 1970 in UTC. Words (states, events, reasons) are those of the interface.

CREATE TABLE meta (
  key TEXT PRIMARY KEY,
  value BLOB NOT NULL
) WITHOUT ROWID, STRICT;

-- Which ledger it is, and how many flushed commits it has seen: what the file beside it is held against.
CREATE TABLE generation (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  ledger BLOB NOT NULL,
  number INTEGER NOT NULL,
  -- Why it may not be the newest; null: it is, or a person believes it.
  restored TEXT
) STRICT;
INSERT INTO generation (one, ledger, number) VALUES (1, randomblob(16), 0);

-- ---- rosters

CREATE TABLE source (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  scope TEXT NOT NULL DEFAULT '',
  fingerprint BLOB NOT NULL DEFAULT x'',
  evidence TEXT NOT NULL,
  entries INTEGER NOT NULL DEFAULT 0,
  bad_rows TEXT NOT NULL DEFAULT '[]',
  -- The names of the subscriptions that ever looked at it or were told of its changes.
  told TEXT NOT NULL DEFAULT '[]',
  -- Counts the rosters that were accepted: changes are made to the one that they were computed from.
  revision INTEGER NOT NULL DEFAULT 0,
  -- Null: it was never read whole.
  accepted_at INTEGER,
  problem TEXT,
  problem_since INTEGER,
  -- Whether the problem may be over by itself.
  problem_passing INTEGER NOT NULL DEFAULT 0,
  -- When it last began to have a problem; stays when that is over.
  failed_at INTEGER,
  -- Whether it tells a daemon of its changes, since when, and which daemon. Null: none has listened.
  push TEXT
) STRICT;
CREATE INDEX source_failed ON source (failed_at) WHERE failed_at IS NOT NULL;

-- The newest accepted roster of each source, in the order of keys: a reading is merged with it in one scan.
CREATE TABLE roster_entry (
  source_id INTEGER NOT NULL REFERENCES source (id),
  key BLOB NOT NULL,
  content INTEGER NOT NULL,
  identity TEXT NOT NULL,
  -- Null where it equals the identity.
  spelling TEXT,
  stable_id TEXT,
  route TEXT,
  priority INTEGER NOT NULL,
  starts TEXT,
  ends TEXT,
  -- The same in UTC, at most 15 hours away in any time zone: what is searched.
  starts_about INTEGER,
  ends_about INTEGER,
  origin TEXT NOT NULL,
  PRIMARY KEY (source_id, key)
) WITHOUT ROWID, STRICT;
CREATE INDEX roster_entry_stable_id ON roster_entry (source_id, stable_id) WHERE stable_id IS NOT NULL;
CREATE INDEX roster_entry_starts ON roster_entry (source_id, starts_about) WHERE starts_about IS NOT NULL;
CREATE INDEX roster_entry_ends ON roster_entry (source_id, ends_about) WHERE ends_about IS NOT NULL;

-- The newest file of each name that is done with, so that each counts once while it lies there.
CREATE TABLE file_done (
  source_id INTEGER NOT NULL REFERENCES source (id),
  name TEXT NOT NULL,
  digest TEXT NOT NULL,
  -- The time that it bears, in whole seconds. Null: not known, or it has been put away, and another one is new.
  written INTEGER,
  refused INTEGER NOT NULL,
  -- What it was judged by when it was refused.
  judged_by TEXT,
  -- Where a delta of this name was last taken: within one place they count in order of name.
  place TEXT,
  at INTEGER NOT NULL,
  PRIMARY KEY (source_id, name)
) WITHOUT ROWID, STRICT;

-- ---- subscriptions and their members

CREATE TABLE subscription (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  -- What the licensing server calls it: type and id. Null: no run has begun.
  remote TEXT,
  seats_available INTEGER,
  seats_assigned INTEGER,
  seats_as_of INTEGER,
  full_since INTEGER,
  probed_at INTEGER,
  habits TEXT NOT NULL DEFAULT '{}',
  -- What the server counts, held against what is known here. Null: it has never said.
  drift TEXT,
  -- When known assignments were last sent again, and up to whom, by identity.
  reasserted_at INTEGER,
  reasserted_to TEXT,
  scope TEXT,
  dates_until INTEGER,
  -- What is held, without its people; and since when.
  hold_in_short TEXT,
  hold_since INTEGER,
  -- When removals last began to be held; stays when that is over.
  held_at INTEGER,
  problem TEXT,
  problem_since INTEGER,
  -- Whether the problem is that the server does not accept the key.
  key_rejected INTEGER NOT NULL DEFAULT 0,
  -- Since when a run is asked for.
  asked_at INTEGER,
  -- Counts what touched the subscription; a plan says up to where it has looked.
  seq INTEGER NOT NULL DEFAULT 0,
  -- All addresses are to be looked at, since this count.
  look_at_all INTEGER,
  -- With all its people, so long that it stands last: whoever reads the rest does not read over it.
  hold TEXT
) STRICT;
CREATE INDEX subscription_remote ON subscription (remote) WHERE remote IS NOT NULL;
CREATE INDEX subscription_asked ON subscription (name) WHERE asked_at IS NOT NULL;
CREATE INDEX subscription_held ON subscription (held_at) WHERE held_at IS NOT NULL;

-- The fleet's brake: since when and why removals are stopped everywhere, and when a person last let them go on.
CREATE TABLE brake (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  since INTEGER,
  reason TEXT,
  resumed_at INTEGER
) STRICT;
INSERT INTO brake (id) VALUES (1);

-- Addresses that a roster's change concerns and that no plan has been done with yet. A departure stays here until then.
CREATE TABLE touched (
  subscription_id INTEGER NOT NULL REFERENCES subscription (id),
  identity TEXT NOT NULL,
  spelling TEXT,
  departure TEXT,
  seq INTEGER NOT NULL,
  PRIMARY KEY (subscription_id, identity)
) WITHOUT ROWID, STRICT;

CREATE TABLE member (
  subscription_id INTEGER NOT NULL REFERENCES subscription (id),
  identity TEXT NOT NULL,
  spelling TEXT,
  state TEXT NOT NULL CHECK (state IN ('assigned', 'pending', 'waiting', 'leaving', 'quarantined', 'unknown')),
  since INTEGER NOT NULL,
  reason TEXT NOT NULL,
  priority INTEGER NOT NULL,
  has_seat INTEGER NOT NULL,
  waiting_since INTEGER,
  departure TEXT,
  kept INTEGER NOT NULL DEFAULT 0,
  refused INTEGER NOT NULL DEFAULT 0,
  -- Null: it waits like everybody.
  claim TEXT,
  -- The open intent that names it, and what its request is for.
  intent_id INTEGER,
  errand TEXT,
  PRIMARY KEY (subscription_id, identity),
  CHECK ((state = 'unknown') = (intent_id IS NOT NULL))
) WITHOUT ROWID, STRICT;
-- Those that every plan looks at.
CREATE INDEX member_unsettled ON member (subscription_id, state, identity)
  WHERE state <> 'assigned' OR departure IS NOT NULL;
CREATE INDEX member_kept ON member (subscription_id, identity) WHERE kept = 1;

-- How many members are in each state, kept in the transactions that change them.
CREATE TABLE member_count (
  subscription_id INTEGER NOT NULL REFERENCES subscription (id),
  state TEXT NOT NULL,
  has_seat INTEGER NOT NULL,
  members INTEGER NOT NULL CHECK (members >= 0),
  PRIMARY KEY (subscription_id, state, has_seat)
) WITHOUT ROWID, STRICT;

-- How many seats were held, from this moment on.
CREATE TABLE seats_held (
  subscription_id INTEGER NOT NULL REFERENCES subscription (id),
  at INTEGER NOT NULL,
  held INTEGER NOT NULL,
  PRIMARY KEY (subscription_id, at)
) WITHOUT ROWID, STRICT;

-- Open intents only: one ends in the transaction that records its answer. An id is never given twice.
CREATE TABLE intent (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  subscription_id INTEGER NOT NULL REFERENCES subscription (id),
  run BLOB NOT NULL,
  operation TEXT NOT NULL,
  -- In the order in which they are sent, as spelled.
  addresses TEXT NOT NULL,
  -- They hold a seat as far as is known, and are asked for again to be sure.
  again INTEGER NOT NULL,
  at INTEGER NOT NULL
) STRICT;
CREATE INDEX intent_subscription ON intent (subscription_id, id);

-- ---- runs, people, the past

CREATE TABLE run (
  id BLOB PRIMARY KEY,
  subscription_id INTEGER NOT NULL REFERENCES subscription (id),
  started_at INTEGER NOT NULL,
  finished_at INTEGER,
  cause TEXT NOT NULL,
  outcome TEXT,
  requests INTEGER NOT NULL DEFAULT 0,
  assigned INTEGER NOT NULL DEFAULT 0,
  unassigned INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID, STRICT;
CREATE INDEX run_subscription ON run (subscription_id, id);

CREATE TABLE approval (
  id INTEGER PRIMARY KEY,
  subscription_id INTEGER NOT NULL REFERENCES subscription (id),
  digest TEXT NOT NULL,
  members TEXT NOT NULL,
  expires_at INTEGER NOT NULL,
  by TEXT NOT NULL,
  at INTEGER NOT NULL
) STRICT;
CREATE INDEX approval_subscription ON approval (subscription_id, expires_at);

CREATE TABLE lease (
  subscription TEXT PRIMARY KEY,
  owner TEXT NOT NULL,
  epoch INTEGER NOT NULL,
  expires INTEGER NOT NULL,
  -- How long it lasts from each renewal, in milliseconds.
  term INTEGER NOT NULL
) WITHOUT ROWID, STRICT;

CREATE TABLE history (
  id INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  run BLOB,
  subscription_id INTEGER REFERENCES subscription (id),
  event TEXT NOT NULL,
  identity TEXT,
  spelling TEXT,
  detail TEXT NOT NULL,
  -- 1: a request gave a seat; -1: a request took one; 0: neither.
  seat INTEGER NOT NULL,
  -- Whether it is a removal that the guards count: no rename, not approved, not asked for by a person.
  counts INTEGER NOT NULL
) STRICT;
CREATE INDEX history_at ON history (at);
CREATE INDEX history_subscription ON history (subscription_id, at);
CREATE INDEX history_identity ON history (identity, at) WHERE identity IS NOT NULL;
CREATE INDEX history_run ON history (run) WHERE seat <> 0;
CREATE INDEX history_removal ON history (subscription_id, at) WHERE counts = 1;

CREATE TRIGGER history_stays BEFORE UPDATE ON history
BEGIN SELECT RAISE (ABORT, 'history can only be appended to'); END;
CREATE TRIGGER history_is_kept BEFORE DELETE ON history
BEGIN SELECT RAISE (ABORT, 'history can only be appended to'); END;

-- ---- alerts

-- What is to be looked at for what is worth telling: subscriptions, sources, the fleet, the ledger. Whatever changes what a
-- cause rests on marks its subject here, in the same transaction, whoever does it.
CREATE TABLE alert_look (
  subject TEXT PRIMARY KEY,
  -- From when on. 0: at once. Null: nothing calls for a look.
  at INTEGER,
  -- Counts the marks: a look that one overtook tells nothing.
  seq INTEGER NOT NULL DEFAULT 1
) WITHOUT ROWID, STRICT;
CREATE INDEX alert_look_at ON alert_look (at) WHERE at IS NOT NULL;

CREATE TRIGGER alert_of_subscription
AFTER UPDATE OF hold, problem, key_rejected, seats_available, seats_assigned, full_since, drift ON subscription
WHEN OLD.hold IS NOT NEW.hold OR OLD.problem IS NOT NEW.problem OR OLD.key_rejected IS NOT NEW.key_rejected
  OR OLD.seats_available IS NOT NEW.seats_available OR OLD.seats_assigned IS NOT NEW.seats_assigned
  OR OLD.full_since IS NOT NEW.full_since OR OLD.drift IS NOT NEW.drift
BEGIN
  INSERT INTO alert_look (subject, at) VALUES ('subscription/' || NEW.name, 0)
  ON CONFLICT (subject) DO UPDATE SET at = 0, seq = seq + 1;
END;
CREATE TRIGGER alert_of_members AFTER UPDATE OF members ON member_count
WHEN NEW.state IN ('pending', 'quarantined') AND OLD.members <> NEW.members
BEGIN
  INSERT INTO alert_look (subject, at) SELECT 'subscription/' || name, 0 FROM subscription WHERE id = NEW.subscription_id
  ON CONFLICT (subject) DO UPDATE SET at = 0, seq = seq + 1;
END;
CREATE TRIGGER alert_of_first_members AFTER INSERT ON member_count WHEN NEW.state IN ('pending', 'quarantined')
BEGIN
  INSERT INTO alert_look (subject, at) SELECT 'subscription/' || name, 0 FROM subscription WHERE id = NEW.subscription_id
  ON CONFLICT (subject) DO UPDATE SET at = 0, seq = seq + 1;
END;
-- A subscription that somebody works on is looked at when that is over.
CREATE TRIGGER alert_of_lease AFTER UPDATE OF owner ON lease WHEN NEW.owner = '' AND OLD.owner <> ''
BEGIN
  UPDATE alert_look SET at = 0, seq = seq + 1
  WHERE subject = 'subscription/' || NEW.subscription AND at IS NOT NULL;
END;
CREATE TRIGGER alert_of_source AFTER UPDATE OF problem ON source WHEN OLD.problem IS NOT NEW.problem
BEGIN
  INSERT INTO alert_look (subject, at) VALUES ('source/' || NEW.name, 0)
  ON CONFLICT (subject) DO UPDATE SET at = 0, seq = seq + 1;
END;
CREATE TRIGGER alert_of_brake AFTER UPDATE OF since ON brake WHEN OLD.since IS NOT NEW.since
BEGIN
  INSERT INTO alert_look (subject, at) VALUES ('fleet', 0)
  ON CONFLICT (subject) DO UPDATE SET at = 0, seq = seq + 1;
END;
CREATE TRIGGER alert_of_ledger AFTER UPDATE OF restored ON generation WHEN OLD.restored IS NOT NEW.restored
BEGIN
  INSERT INTO alert_look (subject, at) VALUES ('ledger', 0)
  ON CONFLICT (subject) DO UPDATE SET at = 0, seq = seq + 1;
END;

-- Who is told.
CREATE TABLE receiver (
  mark TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  label TEXT NOT NULL,
  -- Why nothing reaches it, and since when. Null: it can be reached as far as is known.
  problem TEXT,
  failing_since INTEGER,
  -- In a row.
  failures INTEGER NOT NULL DEFAULT 0,
  -- Not tried before this.
  next_at INTEGER NOT NULL DEFAULT 0,
  -- When as many messages may be sent at once again as ever.
  spent INTEGER NOT NULL DEFAULT 0,
  -- Whether the history says already that it can't be reached for long.
  told_long INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID, STRICT;

-- What each receiver was told of causes that are not over.
CREATE TABLE alert_told (
  subject TEXT NOT NULL,
  receiver TEXT NOT NULL REFERENCES receiver (mark),
  event TEXT NOT NULL,
  cause TEXT NOT NULL,
  since INTEGER NOT NULL,
  -- What it meant then.
  mark TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (subject, receiver, event)
) WITHOUT ROWID, STRICT;

-- What waits to be sent. A row ends in the transaction that records that it has arrived.
CREATE TABLE alert_outbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  receiver TEXT NOT NULL REFERENCES receiver (mark),
  subject TEXT NOT NULL,
  event TEXT NOT NULL,
  alert TEXT NOT NULL,
  failures INTEGER NOT NULL DEFAULT 0,
  next_at INTEGER NOT NULL DEFAULT 0,
  -- Why the receiver refuses this very one.
  problem TEXT,
  -- The message in which it is told, by itself or together with others: written down before that is first sent, so that
  -- what is sent again is the same. Null: not yet.
  message TEXT
) STRICT;
CREATE INDEX alert_outbox_message ON alert_outbox (message, id) WHERE message IS NOT NULL;
CREATE INDEX alert_outbox_cause ON alert_outbox (receiver, subject, event, id);

-- ---- pages to look at

-- How many seats there were, from this moment on.
CREATE TABLE seats_available (
  subscription_id INTEGER NOT NULL REFERENCES subscription (id),
  at INTEGER NOT NULL,
  available INTEGER NOT NULL,
  PRIMARY KEY (subscription_id, at)
) WITHOUT ROWID, STRICT;

-- The queue, in the order in which seats are given.
CREATE INDEX member_queue
  ON member (subscription_id, claim IS NULL, priority, coalesce(waiting_since, since), identity)
  WHERE state = 'pending';

-- What happened that is about nobody in particular: rare among the lines about people.
CREATE INDEX history_event ON history (at) WHERE identity IS NULL;
CREATE INDEX history_subscription_event ON history (subscription_id, at) WHERE identity IS NULL;

-- ---- metrics

-- Who waits longest for a seat.
CREATE INDEX member_waits ON member (subscription_id, coalesce(waiting_since, since)) WHERE state = 'pending';
