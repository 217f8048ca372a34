use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use chrono::TimeDelta;
use sha2::{Digest, Sha256};

use super::*;
use crate::config::{Csv, Limit, Watch};
use crate::source::Edit;

const SETTLE: Duration = Duration::from_secs(2);

/// A drop folder, and a source that looks into it.
struct World {
    folder: tempfile::TempDir,
    config: Csv,
    source: CsvSource,
    accepted: Option<Evidence>,
    done: Vec<FileMark>,
    last_delta: Option<String>,
    now: Timestamp,
}

impl World {
    fn new(mode: Mode, after: After) -> World {
        let folder = tempfile::tempdir().unwrap();
        let config = Csv {
            path: folder.path().to_owned(),
            pattern: "*.csv".into(),
            mode,
            settle: SETTLE,
            watch: Watch::Auto,
            poll_interval: Duration::from_secs(30),
            after,
            max_bad_rows: Limit::Share(0.05),
            encoding: config::Encoding::Auto,
            delimiter: None,
            columns: config::Columns::default(),
        };
        let now = "2026-11-23T08:00:00Z".parse().unwrap();
        World { folder, config, source: CsvSource::default(), accepted: None, done: Vec::new(), last_delta: None, now }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file that was changed so many seconds ago.
    fn drop(&self, name: &str, text: &str, seconds_ago: i64) {
        fs::write(self.path(name), text).unwrap();
        self.touch(name, seconds_ago);
    }

    fn touch(&self, name: &str, seconds_ago: i64) {
        let modified = SystemTime::from(self.now - TimeDelta::seconds(seconds_ago));
        fs::File::options().write(true).open(self.path(name)).unwrap().set_modified(modified).unwrap();
    }

    fn look(&mut self) -> Vec<Seen> {
        let hasher = Hasher::new([3; 16]);
        let World { config, source, accepted, done, last_delta, now, .. } = self;
        let done = &mut |file: &FileMark| done.contains(file).then_some(FileDone::Taken);
        let look = Look {
            config,
            hasher: &hasher,
            accepted: accepted.as_ref(),
            known: None,
            is_route: &|_| true,
            done,
            last_delta: last_delta.as_deref(),
            now: *now,
        };
        source.look(look)
    }

    /// Looks, takes or refuses as the reader says, and tells what was seen.
    fn round(&mut self) -> Vec<String> {
        let seen = self.look();
        seen.into_iter().map(|seen| self.judge(seen)).collect()
    }

    fn judge(&mut self, Seen { found, reading }: Seen) -> String {
        let mut told = tell(&reading);
        let verdict = match &reading {
            Reading::Incomplete(incomplete) => Verdict::Refused(incomplete),
            _ => Verdict::Taken,
        };
        if let Some(found) = &found {
            if let Err(error) = finish(&self.config, found, verdict, self.now) {
                told = format!("{told} {error}");
            }
            self.done.extend(found.mark());
            if matches!(reading, Reading::Delta(_)) {
                self.last_delta = Some(found.name.clone());
            }
            told = format!("{}: {told}", found.name);
        }
        if let Reading::Complete(snapshot) = reading {
            self.accepted = Some(snapshot.evidence);
        }
        told.replace(&self.folder.path().display().to_string(), "FOLDER")
    }

    /// Every file, relative to the folder.
    fn files(&self) -> Vec<String> {
        fn walk(root: &Path, folder: &Path, files: &mut Vec<String>) {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() && !path.is_symlink() {
                    walk(root, &path, files);
                } else {
                    files.push(path.strip_prefix(root).unwrap().display().to_string());
                }
            }
        }
        let mut files = Vec::new();
        walk(self.folder.path(), self.folder.path(), &mut files);
        files.sort();
        files
    }
}

fn tell(reading: &Reading) -> String {
    match reading {
        Reading::Complete(snapshot) => {
            [vec![format!("{} people", snapshot.rows.len())], snapshot.evidence.notes.clone()].concat().join("; ")
        }
        Reading::Delta(delta) => {
            let sign = |edit: &Edit| match edit {
                Edit::Add(entry) => format!("+{}", entry.address),
                Edit::Remove(entry) => format!("-{}", entry.address),
            };
            delta.edits.iter().map(sign).collect::<Vec<_>>().join(" ")
        }
        Reading::Unchanged => "unchanged".to_owned(),
        Reading::Nothing => "nothing".to_owned(),
        Reading::Settling(left) => format!("settling {left:?}"),
        Reading::Incomplete(incomplete) => {
            format!("{} {}", if incomplete.passing { "passing:" } else { "refused:" }, incomplete.reason)
        }
    }
}

const ONE: &str = "email\njane@contoso.com\n";
const TWO: &str = "email\njane@contoso.com\njo@contoso.com\n";

#[test]
fn an_empty_folder_is_nothing_and_a_missing_one_is_a_passing_problem() {
    let mut world = World::new(Mode::Snapshot, After::Archive);
    assert_eq!(world.round(), ["nothing"]);
    world.config.path = world.path("gone");
    assert_eq!(world.round(), ["passing: FOLDER/gone is not there; make the folder, or mount what holds it."]);
}

#[test]
fn a_file_is_read_when_it_has_settled_and_then_archived() {
    let mut world = World::new(Mode::Snapshot, After::Archive);
    world.drop("staff.csv", ONE, 0);
    assert_eq!(world.round(), ["settling 2s"]);
    world.now += TimeDelta::seconds(1);
    assert_eq!(world.round(), ["settling 1s"]);
    world.drop("staff.csv", TWO, 0);
    world.now += TimeDelta::milliseconds(1500);
    assert_eq!(world.round(), ["settling 2s"], "it has changed: the time begins anew");
    world.now += TimeDelta::seconds(2);
    assert_eq!(world.round(), ["staff.csv: 2 people"]);
    assert_eq!(world.files(), ["processed/staff.csv"]);
    assert_eq!(world.round(), ["nothing"]);
}

#[test]
fn the_same_file_again_is_unchanged_and_archived_under_another_name() {
    let mut world = World::new(Mode::Snapshot, After::Archive);
    world.drop("staff.csv", ONE, 60);
    assert_eq!(world.round(), ["staff.csv: 1 people"]);
    world.drop("staff.csv", ONE, 30);
    assert_eq!(world.round(), ["staff.csv: unchanged"]);
    assert_eq!(world.files(), ["processed/staff.csv", "processed/staff.csv.1"]);
}

#[test]
fn a_file_that_is_left_is_unchanged_until_it_changes() {
    let mut world = World::new(Mode::Snapshot, After::Leave);
    world.drop("staff.csv", ONE, 60);
    assert_eq!(world.round(), ["staff.csv: 1 people"]);
    assert_eq!(world.round(), ["staff.csv: unchanged"]);
    world.drop("staff.csv", TWO, 30);
    world.now += TimeDelta::seconds(1);
    assert_eq!(world.round(), ["settling 2s"]);
    world.now += TimeDelta::seconds(2);
    assert_eq!(world.round(), ["staff.csv: 2 people"]);
    assert_eq!(world.files(), ["staff.csv"]);
}

#[test]
fn of_two_files_the_newer_counts_and_the_older_is_put_away_unread() {
    let mut world = World::new(Mode::Snapshot, After::Archive);
    world.drop("b.csv", ONE, 90);
    world.drop("a.csv", TWO, 60);
    assert_eq!(world.round(), ["a.csv: 2 people; Older files count for nothing and were not read: b.csv."]);
    assert_eq!(world.files(), ["processed/a.csv", "processed/b.csv"]);
}

#[test]
fn where_the_newest_is_refused_no_older_one_takes_its_place() {
    for after in [After::Archive, After::Leave, After::Delete] {
        let mut world = World::new(Mode::Snapshot, after);
        world.drop("old.csv", TWO, 90);
        world.drop("new.csv", "name\nJane\n", 60);
        for told in [world.round(), world.round()].concat() {
            assert!(told.contains("no column with the e-mail address") || told == "nothing", "{after:?}: {told}");
        }
    }
}

#[test]
fn a_refused_file_lies_in_rejected_with_a_report() {
    let mut world = World::new(Mode::Snapshot, After::Archive);
    world.drop("staff.csv", "email,id\njane@contoso.com,1\na,2\nb,3\nc\nd,4\n", 60);
    world.round();
    assert_eq!(world.files(), ["rejected/staff.csv", "rejected/staff.csv.report.txt"]);
    insta::assert_snapshot!(fs::read_to_string(world.path("rejected/staff.csv.report.txt")).unwrap(), @r#"
    staff.csv was refused at 2026-11-23T08:00:00Z. Nobody was added or removed because of it.

    staff.csv has 4 rows of 5 that can't be used, and `max_bad_rows` is 5%. The first: staff.csv line 3: the address "a" has no @.

    Rows that can't be used:
    staff.csv line 3 (id 2): the address "a" has no @
    staff.csv line 4 (id 3): the address "b" has no @
    staff.csv line 5: it has too few fields: 1, and the header has 2
    staff.csv line 6 (id 4): the address "d" has no @
    "#);
}

#[test]
fn after_delete_a_taken_file_is_deleted_and_a_refused_one_is_kept() {
    let mut world = World::new(Mode::Snapshot, After::Delete);
    world.drop("staff.csv", ONE, 60);
    assert_eq!(world.round(), ["staff.csv: 1 people"]);
    assert_eq!(world.files(), [""; 0]);
    world.drop("empty.csv", "", 60);
    world.round();
    assert_eq!(world.files(), ["rejected/empty.csv", "rejected/empty.csv.report.txt"]);
}

#[test]
fn what_is_still_being_written_or_hidden_is_not_looked_at() {
    let mut world = World::new(Mode::Snapshot, After::Archive);
    world.config.pattern = "*".into();
    for name in [".staff.csv", "~$staff.csv", "staff.csv~", "staff.csv.tmp", "staff.csv.part", "staff.csv.crdownload"] {
        world.drop(name, ONE, 60);
    }
    fs::create_dir(world.path("processed")).unwrap();
    fs::create_dir(world.path("rejected")).unwrap();
    assert_eq!(world.round(), ["nothing"]);
}

#[test]
fn what_is_no_file_is_named_and_never_opened() {
    let mut world = World::new(Mode::Snapshot, After::Archive);
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("staff.csv"), ONE).unwrap();
    fs::create_dir(world.path("a.csv")).unwrap();
    symlink(outside.path().join("staff.csv"), world.path("b.csv")).unwrap();
    symlink("/nowhere/at/all", world.path("c.csv")).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        world.path("d.csv"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    insta::assert_snapshot!(world.round().join("\n").replace(". ", ".\n"), @r#"
    refused: a.csv is a folder and not a file; move it away.
    b.csv is a link that leads out of the folder, and is not followed; put the file itself there.
    c.csv is a link that leads nowhere; put the file itself there.
    d.csv is not a regular file, and is never opened; move it away.
    "#);
    world.drop("e.csv", ONE, 60);
    assert_eq!(world.round()[0], "e.csv: 1 people", "a good file is read all the same");
}

#[test]
fn a_link_inside_the_folder_is_followed() {
    let mut world = World::new(Mode::Snapshot, After::Leave);
    fs::create_dir(world.path("..data")).unwrap();
    world.drop("..data/staff.csv", ONE, 60);
    symlink("..data/staff.csv", world.path("staff.csv")).unwrap();
    assert_eq!(world.round(), ["staff.csv: 1 people"]);
}

#[test]
fn a_digest_beside_the_file_has_to_fit() {
    let mut world = World::new(Mode::Snapshot, After::Archive);
    world.drop("staff.csv", ONE, 50);
    world.drop("staff.csv.sha256", &format!("{:064x}  staff.csv\n", 7), 50);
    assert_eq!(world.round(), ["settling 10s"]);
    let right = Sha256::digest(ONE).iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().concat();
    world.drop("staff.csv.sha256", &format!("{right} *staff.csv\n"), 0);
    assert_eq!(world.round(), ["staff.csv: 1 people"]);
    assert_eq!(world.files(), ["processed/staff.csv", "processed/staff.csv.sha256"]);

    world.drop("staff.csv", TWO, 90);
    world.drop("staff.csv.sha256", "what", 90);
    let told = world.round().join("");
    assert!(told.contains("says no SHA-256 at all") && told.contains("staff.csv has SHA-256"), "{told}");
    assert!(world.files().contains(&"rejected/staff.csv.sha256".to_owned()), "{:?}", world.files());
}

#[test]
fn each_delta_counts_once_in_order_of_name() {
    for after in [After::Archive, After::Leave, After::Delete] {
        let mut world = World::new(Mode::Delta, after);
        world.drop("2.csv", "action,email\nremove,jane@contoso.com\n", 90);
        world.drop("1.csv", "action,email\nadd,jane@contoso.com\n", 60);
        assert_eq!(world.round(), ["1.csv: +jane@contoso.com", "2.csv: -jane@contoso.com"]);
        world.source = CsvSource::default();
        assert_eq!(world.round(), ["nothing"], "{after:?}, after a restart");
    }
}

#[test]
fn a_delta_that_was_taken_and_not_yet_put_away_is_put_away() {
    let mut world = World::new(Mode::Delta, After::Archive);
    let text = "action,email\nadd,jane@contoso.com\n";
    world.drop("1.csv", text, 60);
    let written = (world.now - TimeDelta::seconds(60)).timestamp();
    let digest = blake3::hash(text.as_bytes()).to_hex().to_string();
    world.done.push(FileMark { name: "1.csv".into(), digest, written });
    assert_eq!(world.round(), ["1.csv: unchanged"]);
    assert_eq!(world.files(), ["processed/1.csv"]);
}

#[test]
fn a_delta_that_comes_after_a_later_one_is_refused_and_says_what_to_do() {
    for after in [After::Archive, After::Leave, After::Delete] {
        let mut world = World::new(Mode::Delta, after);
        world.drop("2.csv", "action,email\nadd,jane@contoso.com\n", 90);
        world.round();
        world.drop("1.csv", "action,email\nremove,jane@contoso.com\n", 60);
        world.drop("3.csv", "action,email\nadd,jo@contoso.com\n", 60);
        let late = "1.csv: refused: 1.csv was not applied: delta files count in order of name, and 2.csv, which comes \
                    after it, has been applied already. If what it says is to count now, drop it again under a name \
                    that comes after 2.csv.";
        assert_eq!(world.round(), ["3.csv: +jo@contoso.com", late], "{after:?}");
        assert_eq!(world.round(), ["nothing"], "{after:?}");
    }
}

#[test]
fn a_file_that_is_dated_ahead_of_the_clock_hides_no_later_one() {
    let mut world = World::new(Mode::Snapshot, After::Leave);
    world.now = crate::clock::now();
    world.config.settle = Duration::ZERO;
    world.drop("a.csv", ONE, -900 * 86_400);
    world.now += TimeDelta::seconds(10);
    assert_eq!(world.round(), ["a.csv: 1 people"]);
    world.now += TimeDelta::seconds(20);
    world.drop("b.csv", TWO, 5);
    assert_eq!(world.round(), ["b.csv: 2 people; Older files count for nothing and were not read: a.csv."]);
    // A clock that was wrong for the whole machine leaves nothing to go by.
    fs::remove_file(world.path("b.csv")).unwrap();
    world.now -= TimeDelta::days(2);
    world.drop("c.csv", ONE, 5);
    let told = world.round().join("");
    assert!(
        told.starts_with("passing: a.csv is dated ") && told.ends_with("`touch` it if it is, else move it away."),
        "{told}"
    );
    world.touch("a.csv", 3);
    assert!(world.round()[0].starts_with("a.csv: 1 people"));
}

#[test]
fn a_name_that_is_as_long_as_can_be_is_read() {
    let mut world = World::new(Mode::Snapshot, After::Leave);
    let name = format!("{}.csv", "n".repeat(251));
    world.drop(&name, ONE, 60);
    assert_eq!(world.round(), [format!("{name}: 1 people")]);
}

#[test]
fn a_delta_waits_for_an_earlier_one_that_still_settles() {
    let mut world = World::new(Mode::Delta, After::Archive);
    world.drop("1.csv", "action,email\nadd,jane@contoso.com\n", 0);
    world.drop("2.csv", "action,email\nremove,jane@contoso.com\n", 60);
    assert_eq!(world.round(), ["settling 2s"]);
}

#[test]
fn a_file_that_changes_or_vanishes_before_it_is_put_away_stays_or_is_gone() {
    let mut world = World::new(Mode::Snapshot, After::Archive);
    world.drop("staff.csv", ONE, 60);
    let seen = world.look();
    world.drop("staff.csv", TWO, 30);
    for seen in seen {
        world.judge(seen);
    }
    assert_eq!(world.files(), ["staff.csv"], "the new file has not been read");

    world.now += TimeDelta::seconds(60);
    let seen = world.look();
    fs::remove_file(world.path("staff.csv")).unwrap();
    let told: Vec<String> = seen.into_iter().map(|seen| world.judge(seen)).collect();
    assert_eq!(told[0], "settling 2s");
}

#[test]
fn a_file_that_vanishes_or_changes_while_it_is_read_is_a_passing_problem() {
    let world = World::new(Mode::Snapshot, After::Archive);
    world.drop("staff.csv", ONE, 60);
    let file = drop_folder::list(&world.config).unwrap().files.remove(0);
    let open = file.open().unwrap();
    assert!(file.check(&open).is_ok());
    world.drop("staff.csv", TWO, 60);
    assert!(matches!(file.check(&open), Err(Problem::Changed)));
    assert!(matches!(file.open(), Err(Problem::Changed)));
    fs::remove_file(world.path("staff.csv")).unwrap();
    assert!(matches!(file.check(&open), Err(Problem::Vanished)));
    let problem = file.open().unwrap_err();
    assert!(matches!(problem, Problem::Vanished) && problem.is_passing());
}

#[test]
fn one_file_alone_is_archived_beside_itself_and_awaited() {
    let mut world = World::new(Mode::Snapshot, After::Archive);
    world.config.path = world.path("staff.csv");
    assert!(world.round()[0].starts_with("passing:"), "nobody has ever seen it: the path may be wrong");
    world.drop("staff.csv", ONE, 60);
    world.drop("other.csv", TWO, 60);
    assert_eq!(world.round(), ["staff.csv: 1 people"]);
    assert_eq!(world.files(), ["other.csv", "processed/staff.csv"]);
    assert_eq!(world.round(), ["nothing"]);
}

#[test]
fn a_file_that_cannot_be_put_away_is_reported_and_not_counted_again() {
    let mut world = World::new(Mode::Snapshot, After::Archive);
    world.drop("staff.csv", ONE, 60);
    fs::write(world.path("processed"), "in the way").unwrap();
    insta::assert_snapshot!(world.round().join("\n"), @r#"staff.csv: 1 people FOLDER/processed can't be made; give the user that runs rosterd the right to write there, or set after = "leave""#);
    assert!(world.round()[0].starts_with("staff.csv: unchanged"));
    assert!(world.files().contains(&"staff.csv".to_owned()));
}
