use std::io::{Seek, SeekFrom, Write};

use super::*;
use crate::config::{After, Columns, Csv, Limit, Mode, Watch};
use crate::roster::Entry;

fn config() -> Csv {
    Csv {
        path: "drops".into(),
        pattern: "*.csv".into(),
        mode: Mode::Snapshot,
        settle: std::time::Duration::from_secs(2),
        watch: Watch::Auto,
        poll_interval: std::time::Duration::from_secs(30),
        after: After::Archive,
        max_bad_rows: Limit::Share(0.05),
        encoding: config::Encoding::Auto,
        delimiter: None,
        columns: Columns::default(),
    }
}

fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn snapshot_with(bytes: &[u8], config: &Csv) -> Result<Snapshot, Incomplete> {
    let hasher = Hasher::new([1; 16]);
    let is_route = |name: &str| name == "contoso" || name == "fabrikam";
    read_snapshot(file(bytes), "staff.csv", Settings { config, hasher: &hasher, known: None, is_route: &is_route })
}

fn snapshot(bytes: &[u8]) -> Result<Snapshot, Incomplete> {
    snapshot_with(bytes, &config())
}

fn refused(bytes: &[u8]) -> String {
    let incomplete = snapshot(bytes).unwrap_err();
    assert!(!incomplete.passing, "{incomplete}");
    incomplete.reason
}

/// Every entry, in the order of the file.
fn entries(snapshot: &mut Snapshot) -> Vec<Entry> {
    let mut rows = snapshot.rows.clone();
    rows.sort_unstable_by_key(|row| row.place);
    snapshot.entries.fetch(&rows).unwrap()
}

fn people(bytes: &[u8]) -> Vec<String> {
    let mut snapshot = snapshot(bytes).unwrap();
    entries(&mut snapshot).into_iter().map(|entry| entry.address.spelling().to_owned()).collect()
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(value).unwrap()
}

fn utf16(text: &str, big: bool, mark: bool) -> Vec<u8> {
    let units = mark.then_some(0xfeff).into_iter().chain(text.encode_utf16());
    units.flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
}

#[test]
fn a_roster_is_read_with_its_evidence() {
    let mut snapshot =
        snapshot(b"Name;E-Mail;ID\r\n\"Doe; Jane\";Jane@Contoso.com;1\r\nJo;jo@contoso.com;2\r\n").unwrap();
    insta::assert_snapshot!(json(&entries(&mut snapshot)), @r#"
    [
      {
        "address": "Jane@Contoso.com",
        "stable_id": "1",
        "priority": 100,
        "origin": "staff.csv line 2"
      },
      {
        "address": "jo@contoso.com",
        "stable_id": "2",
        "priority": 100,
        "origin": "staff.csv line 3"
      }
    ]
    "#);
    snapshot.evidence.digest = None;
    insta::assert_snapshot!(json(&snapshot.evidence), @r#"
    {
      "file": "staff.csv",
      "digest": null,
      "bytes": 69,
      "rows": 2,
      "encoding": "UTF-8",
      "delimiter": ";",
      "notes": []
    }
    "#);
}

#[test]
fn every_encoding_says_the_same() {
    let text = "email,name\nrené@contoso.com,René\njane@contoso.com,Jane\n";
    let fingerprint = snapshot(text.as_bytes()).unwrap().fingerprint;
    let (latin, _, _) = encoding_rs::WINDOWS_1252.encode(text);
    let marked = [b"\xef\xbb\xbf", text.as_bytes()].concat();
    for (bytes, encoding) in [
        (marked, "UTF-8"),
        (utf16(text, false, true), "UTF-16LE"),
        (utf16(text, true, true), "UTF-16BE"),
        (utf16(text, false, false), "UTF-16LE"),
        (latin.into_owned(), "windows-1252"),
    ] {
        let mut snapshot = snapshot(&bytes).unwrap();
        assert_eq!(snapshot.evidence.encoding.as_deref(), Some(encoding));
        assert_eq!(snapshot.fingerprint, fingerprint, "{encoding}");
        assert_eq!(entries(&mut snapshot)[0].address.spelling(), "rené@contoso.com");
        assert_eq!(snapshot.evidence.digest, Some(blake3::hash(&bytes).to_hex().to_string()));
        assert_eq!(snapshot.evidence.bytes, bytes.len() as u64);
    }
}

#[test]
fn windows_1252_is_noted() {
    let notes = snapshot(b"email,name\njane@contoso.com,Ren\xe9\n").unwrap().evidence.notes;
    assert_eq!(notes, ["The file is not UTF-8 and was read as Windows-1252."]);
}

#[test]
fn a_configured_encoding_that_does_not_fit_is_refused() {
    let utf8 = Csv { encoding: config::Encoding::Utf8, ..config() };
    let reason = snapshot_with(b"email,name\njane@contoso.com,Ren\xe9\n", &utf8).unwrap_err().reason;
    assert_eq!(reason, "staff.csv is not valid UTF-8 (line 2); save it as UTF-8, or set `encoding` to what it is.");
    let reason = snapshot_with(&utf16("email\n", false, true), &utf8).unwrap_err().reason;
    assert!(reason.contains("begins as a UTF-16LE text"), "{reason}");
    let wide = Csv { encoding: config::Encoding::Utf16, ..config() };
    let reason = snapshot_with(b"email\njane@contoso.com\n", &wide).unwrap_err().reason;
    assert!(reason.contains("no column with the e-mail address") || reason.contains("cut off"), "{reason}");
}

#[test]
fn every_delimiter_and_an_excel_line() {
    for delimiter in [",", ";", "\t", "|"] {
        let text = format!("id{delimiter}email\n1{delimiter}jane@contoso.com\n");
        assert_eq!(people(text.as_bytes()), ["jane@contoso.com"], "{delimiter:?}");
    }
    assert_eq!(people(b"sep=;\r\nid;email\r\n1;jane@contoso.com\r\n"), ["jane@contoso.com"]);
    let tab = Csv { delimiter: Some(b'\t'), ..config() };
    assert!(snapshot_with(b"id,email\n1,jane@contoso.com\n", &tab).is_err(), "the configured one counts");
}

#[test]
fn what_is_no_roster_is_refused_with_a_reason() {
    insta::assert_snapshot!(refused(b""), @"staff.csv is empty: it has not even a header.");
    insta::assert_snapshot!(refused(b"\n\n"), @"staff.csv is empty: it has not even a header.");
    insta::assert_snapshot!(refused(b"name,phone\nJane,1\n"), @r#"staff.csv has no column with the e-mail address; its columns are "name", "phone". Name it: columns = { email = "…" }."#);
    insta::assert_snapshot!(refused(b"jane@contoso.com\njo@contoso.com\n"), @"staff.csv has no header: its first line holds an address where the names of the columns should be. Add a first line such as: email.");
    insta::assert_snapshot!(refused(b"email,name\njane@contoso.com,\"Jane\njo@contoso.com,Jo\n"), @"staff.csv can't be used: a quote is opened in the record that begins in line 2 and never closed; the file may have been cut off.");
    insta::assert_snapshot!(refused(&[b"email\njane@contoso.com\n".to_vec(), vec![b'x'; 10 << 20]].concat()), @"staff.csv can't be used: the record that begins in line 3 is longer than 1024 KiB; perhaps a quote is never closed.");
    insta::assert_snapshot!(refused("email,name\nrené@contoso.com,é".as_bytes().split_last().unwrap().1), @"staff.csv ends in the middle of a character: it has been cut off.");
}

#[test]
fn a_header_alone_is_a_whole_roster_of_nobody() {
    let snapshot = snapshot(b"email,name\r\n").unwrap();
    assert_eq!((snapshot.rows.len(), snapshot.evidence.rows), (0, 0));
}

#[test]
fn a_few_bad_rows_are_held_and_the_rest_goes_on() {
    let text = b"email,id,priority\njane@contoso.com,1,\nbroken,2,\nshort\njo@con\0toso.com,3,\nann@contoso.com,4,5\n";
    let snapshot = snapshot(text).unwrap();
    assert_eq!(snapshot.rows.len(), 2);
    assert_eq!(snapshot.evidence.rows, 5);
    insta::assert_snapshot!(json(&snapshot.bad_rows), @r#"
    [
      {
        "origin": "staff.csv line 3",
        "reason": "the address \"broken\" has no @",
        "stable_id": "2",
        "address": null
      },
      {
        "origin": "staff.csv line 4",
        "reason": "it has too few fields: 1, and the header has 3",
        "stable_id": null,
        "address": null
      },
      {
        "origin": "staff.csv line 5",
        "reason": "it has a NUL byte; the file is damaged or not a text",
        "stable_id": null,
        "address": null
      }
    ]
    "#);
}

#[test]
fn too_many_bad_rows_refuse_the_file_and_are_listed() {
    let text = format!("email\njane@contoso.com\n{}", "broken\n".repeat(4));
    let incomplete = snapshot(text.as_bytes()).unwrap_err();
    insta::assert_snapshot!(incomplete, @r#"staff.csv has 4 rows of 5 that can't be used, and `max_bad_rows` is 5%. The first: staff.csv line 3: the address "broken" has no @."#);
    assert_eq!(incomplete.bad_rows.len(), 4);
    let generous = Csv { max_bad_rows: Limit::Share(0.8), ..config() };
    assert_eq!(snapshot_with(text.as_bytes(), &generous).unwrap().bad_rows.len(), 4);
}

#[test]
fn one_address_twice_is_one_entry() {
    let twice = snapshot(b"email\njane@contoso.com\njo@contoso.com\njane@contoso.com\n").unwrap();
    let once = snapshot(b"email\njo@contoso.com\njane@contoso.com\n").unwrap();
    assert_eq!(twice.fingerprint, once.fingerprint);
    assert_eq!(twice.evidence.notes, ["Rows that repeat an address of another row: 1."]);
}

#[test]
fn one_address_in_rows_that_differ_is_one_entry_whatever_the_order() {
    let text = "email,priority,end\n{}jo@contoso.com,,\n";
    let rows = ["jane@contoso.com,5,2026-12-01\n", "JANE@contoso.com,9,2027-12-01\n"];
    let mut one = snapshot(text.replace("{}", &rows.concat()).as_bytes()).unwrap();
    let other = snapshot(text.replace("{}", &[rows[1], rows[0]].concat()).as_bytes()).unwrap();
    assert_eq!(one.fingerprint, other.fingerprint);
    assert_eq!((one.rows.len(), one.bad_rows.len()), (2, 0));
    let jane = entries(&mut one).remove(0);
    assert_eq!((jane.address.spelling(), jane.priority), ("JANE@contoso.com", 5));
    assert_eq!(jane.ends.map(|end| end.to_string()).as_deref(), Some("2027-12-01"));
    insta::assert_snapshot!(one.evidence.notes.join("\n"), @r#"
    Rows that repeat an address of another row: 1.
    Lines 2, 3 name one address and differ; the better priority, the earliest start and the latest end count.
    "#);
}

#[test]
fn one_person_in_two_subscriptions_is_two_entries() {
    let text = b"email,id,client\njane@contoso.com,1,contoso\njane@contoso.com,1,fabrikam\n";
    let snapshot = snapshot(text).unwrap();
    assert_eq!((snapshot.rows.len(), snapshot.bad_rows.len()), (2, 0));
}

#[test]
fn an_id_with_two_addresses_holds_both_rows() {
    let rows = ["jane@contoso.com,7\n", "jo@contoso.com,8\n", "j.doe@contoso.com,7\n"];
    let one = snapshot(format!("email,id\n{}", rows.concat()).as_bytes()).unwrap();
    let other = snapshot(format!("email,id\n{}{}{}", rows[2], rows[1], rows[0]).as_bytes()).unwrap();
    assert_eq!(one.fingerprint, other.fingerprint);
    assert_eq!(one.rows.len(), 1);
    insta::assert_snapshot!(json(&one.bad_rows), @r#"
    [
      {
        "origin": "staff.csv line 2",
        "reason": "its id \"7\" stands with several addresses (lines 2, 4); an id names one person",
        "stable_id": "7",
        "address": "jane@contoso.com"
      },
      {
        "origin": "staff.csv line 4",
        "reason": "its id \"7\" stands with several addresses (lines 2, 4); an id names one person",
        "stable_id": "7",
        "address": "j.doe@contoso.com"
      }
    ]
    "#);
}

#[test]
fn a_delta_gives_edits_in_the_order_of_its_rows() {
    let delta = Csv { mode: Mode::Delta, ..config() };
    let hasher = Hasher::new([1; 16]);
    let settings = Settings { config: &delta, hasher: &hasher, known: None, is_route: &|_| true };
    let text = b"action,email,priority\n+,jane@contoso.com,3\nLEAVE,jo@contoso.com,nonsense\nmaybe,x@contoso.com,\n";
    let delta = read_delta(file(text), "d.csv", settings).unwrap();
    let told: Vec<String> = delta
        .edits
        .iter()
        .map(|edit| match edit {
            Edit::Add(entry) => format!("+ {} {} ({})", entry.address, entry.priority, entry.origin),
            Edit::Remove(entry) => format!("- {} ({})", entry.address, entry.origin),
        })
        .collect();
    assert_eq!(told, ["+ jane@contoso.com 3 (d.csv line 2)", "- jo@contoso.com (d.csv line 3)"]);
    assert_eq!(delta.bad_rows[0].reason, "its action \"maybe\" is unknown; write add or remove");
}

#[test]
fn entries_are_not_fetched_from_a_file_that_was_overwritten() {
    let mut written = file(b"email\njane@contoso.com\njo@contoso.com\n");
    let read = written.try_clone().unwrap();
    let (config, hasher) = (config(), Hasher::new([1; 16]));
    let settings = Settings { config: &config, hasher: &hasher, known: None, is_route: &|_| true };
    let mut snapshot = read_snapshot(read, "staff.csv", settings).unwrap();
    written.seek(SeekFrom::Start(6)).unwrap();
    written.write_all(b"june").unwrap();
    let rows = snapshot.rows.clone();
    let incomplete = snapshot.entries.fetch(&rows).unwrap_err();
    assert!(incomplete.passing && incomplete.reason.contains("changed while it was being read"), "{incomplete}");
}

#[test]
fn sparse_rows_are_fetched_from_a_long_file() {
    let rows: Vec<String> = (0..20_000).map(|n| format!("p{n}@contoso.com,\"a\nb\"\n")).collect();
    let mut snapshot = snapshot(format!("email,name\n{}", rows.concat()).as_bytes()).unwrap();
    assert_eq!(snapshot.rows.len(), 20_000);
    let mut by_place = snapshot.rows.clone();
    by_place.sort_unstable_by_key(|row| row.place);
    let wanted = [by_place[19_999], by_place[3], by_place[9_000]];
    let told: Vec<String> =
        snapshot.entries.fetch(&wanted).unwrap().iter().map(|e| format!("{} {}", e.address, e.origin)).collect();
    assert_eq!(
        told,
        [
            "p19999@contoso.com staff.csv line 40000",
            "p3@contoso.com staff.csv line 8",
            "p9000@contoso.com staff.csv line 18002"
        ]
    );
}

/// A roster cut at every byte: what is believed of it names nobody whom the whole does not name.
fn cut_everywhere(people: usize, header: &str, row: impl Fn(usize) -> String) {
    let text = format!("{header}\r\n{}", (0..people).map(|n| row(n) + "\r\n").collect::<String>());
    let everyone: BTreeSet<_> = snapshot(text.as_bytes()).unwrap().rows.iter().map(|row| row.key).collect();
    assert_eq!(everyone.len(), people);
    let first_row = header.len() + 2 + row(0).len();
    for end in 0..text.len() {
        match snapshot(&text.as_bytes()[..end]) {
            Ok(_) if end <= header.len() => panic!("a cut header was believed at {end}"),
            // Of a single address nobody can say that its domain was cut.
            Ok(told) if end < first_row => assert!(told.rows.len() <= 1),
            Ok(told) => assert!(told.rows.iter().all(|row| everyone.contains(&row.key)), "cut at {end}"),
            Err(incomplete) => assert!(!incomplete.passing, "{incomplete}"),
        }
    }
}

#[test]
fn a_roster_cut_at_any_byte_names_nobody_else() {
    cut_everywhere(200, "id,email,name", |n| format!("{n},p{n}@x.example,P"));
}

#[test]
fn a_roster_with_quotes_cut_at_any_byte_names_nobody_else() {
    cut_everywhere(12, "name,email,id", |n| format!("\"P, {n}\",p{n}@x.example,{n}"));
}

#[test]
fn a_roster_that_ends_with_the_address_cut_at_any_byte_names_nobody_else() {
    cut_everywhere(12, "id;email", |n| format!("{n};p{n}@x.example"));
}

#[test]
fn rows_are_hashed_as_their_entries_are() {
    let hasher = Hasher::new([1; 16]);
    let text = b"email,id,client,priority,start,end\nJane@contoso.com,1,contoso,5,2026-12-01,2027-01-01T00:00:00Z\njo@contoso.com,,,,,\n";
    let mut snapshot = snapshot(text).unwrap();
    let rows = snapshot.rows.clone();
    for (row, entry) in rows.iter().zip(snapshot.entries.fetch(&rows).unwrap()) {
        let key = hasher.entry_key(entry.address.identity(), entry.route.as_deref());
        assert_eq!((row.key, row.content), (key, hasher.content(&entry)));
    }
}

#[test]
fn whatever_differs_in_a_row_changes_its_content() {
    let rows = [
        "jane@contoso.com,,,,,",
        "Jane@contoso.com,,,,,",
        "jane@contoso.com,contoso,,,,",
        "jane@contoso.com,,contoso,,,",
        "jane@contoso.com,,,5,,",
        "jane@contoso.com,,,,2026-12-01,",
        "jane@contoso.com,,,,2026-12-01T00:00:00Z,",
        "jane@contoso.com,,,,,2026-12-01",
    ];
    let content = |row: &&str| {
        let text = format!("email,id,client,priority,start,end\n{row}\n");
        snapshot(text.as_bytes()).unwrap().rows[0].content
    };
    assert_eq!(rows.iter().map(content).collect::<BTreeSet<_>>().len(), rows.len());
}

#[test]
fn many_rows_are_sorted_by_key() {
    let rows: Vec<String> = (0..5_000).map(|n| format!("p{n}@contoso.com\n")).collect();
    let snapshot = snapshot(format!("email\n{}", rows.concat()).as_bytes()).unwrap();
    assert_eq!(snapshot.rows.len(), 5_000);
    assert!(snapshot.rows.is_sorted_by_key(|row| row.key));
}

/// Reads where a reading of another text was taken in before.
fn snapshot_after(before: &str, text: &str) -> Snapshot {
    let lenient = Csv { max_bad_rows: Limit::Share(1.0), ..config() };
    let before = snapshot_with(before.as_bytes(), &lenient).unwrap();
    let kept = before.fingerprint.to_bytes();
    let known = Known { fingerprint: &kept, sound: before.bad_rows.is_empty() };
    let (hasher, is_route) = (Hasher::new([1; 16]), |_: &str| true);
    let settings = Settings { config: &lenient, hasher: &hasher, known: Some(known), is_route: &is_route };
    read_snapshot(file(text.as_bytes()), "staff.csv", settings).unwrap()
}

/// A roster that is large enough to be looked at in parts.
fn large(change: impl FnOnce(&mut Vec<String>)) -> String {
    let mut rows: Vec<String> = (0..17_000).map(|n| format!("p{n}@contoso.com,{n},{}\n", n % 3)).collect();
    change(&mut rows);
    format!("email,id,priority\n{}", rows.concat())
}

#[test]
fn the_same_people_in_another_order_are_not_sorted_again() {
    let read = snapshot_after(&large(|_| ()), &large(|rows| rows.reverse()));
    assert_eq!((read.rows.len(), read.alike.len(), read.evidence.rows), (0, 17_000, 17_000));
    assert_eq!(read.parts.ranges(), []);
}

#[test]
fn of_a_changed_roster_only_the_parts_that_changed_are_sorted() {
    let read = snapshot_after(&large(|_| ()), &large(|rows| rows[5] = "new@contoso.com,5,1\n".to_owned()));
    assert!(read.rows.len() < 30, "{}", read.rows.len());
    assert_eq!(read.rows.len() + read.alike.len(), 17_000);
    assert!(read.rows.is_sorted_by_key(|row| row.key));
    assert!(read.rows.iter().all(|row| read.parts.contain(row.key)));
    assert!(!read.alike.iter().any(|row| read.parts.contain(row.key)));
}

#[test]
fn nothing_odd_hides_in_a_roster_that_is_nearly_as_it_was() {
    let odd = |change: &dyn Fn(&mut Vec<String>)| {
        let text = large(|rows| change(rows));
        let (read, fresh) = (snapshot_after(&large(|_| ()), &text), snapshot(text.as_bytes()).unwrap());
        assert_eq!(read.fingerprint, fresh.fingerprint);
        assert_eq!(json(&read.bad_rows), json(&fresh.bad_rows));
        assert_eq!(json(&read.evidence), json(&fresh.evidence));
        assert_eq!(read.rows.len() + read.alike.len(), fresh.rows.len());
        assert!(!read.rows.is_empty());
        (read.bad_rows.len(), read.evidence.notes)
    };
    // One row more, which says nothing new.
    let (_, notes) = odd(&|rows| rows.push(rows[9].clone()));
    assert_eq!(notes, ["Rows that repeat an address of another row: 1."]);
    // As many rows, one of them twice.
    let (_, notes) = odd(&|rows| rows[8] = rows[9].clone());
    assert_eq!(notes, ["Rows that repeat an address of another row: 1."]);
    // Two rows that differ of one address.
    let (_, notes) = odd(&|rows| rows.push("p9@contoso.com,9,7\n".to_owned()));
    assert_eq!(notes.len(), 2);
    // Two who swapped what is said of them.
    odd(&|rows| (rows[0], rows[1]) = ("p0@contoso.com,0,1\n".to_owned(), "p1@contoso.com,1,0\n".to_owned()));
    // Two who swapped their ids, and one who has another's.
    odd(&|rows| (rows[0], rows[1]) = ("p0@contoso.com,1,0\n".to_owned(), "p1@contoso.com,0,1\n".to_owned()));
    assert_eq!(odd(&|rows| rows[0] = "p0@contoso.com,1,0\n".to_owned()).0, 2);
    // A row that can't be used in the place of another.
    assert_eq!(odd(&|rows| rows[0] = "p0@contoso.com,0,high\n".to_owned()).0, 1);
}

#[test]
fn bad_rows_are_told_beside_people_who_are_as_they_were() {
    let text = large(|rows| rows.push("p3.contoso.com,,\n".to_owned()));
    let read = snapshot_after(&large(|_| ()), &text);
    assert_eq!((read.rows.len(), read.alike.len(), read.bad_rows.len()), (0, 17_000, 1));
    // After a reading with bad rows, what the ledger knows may be more than that reading said: all is looked at.
    let ids = "p0@contoso.com,1,0\n".to_owned();
    let again = snapshot_after(&large(|rows| rows[0].clone_from(&ids)), &large(|rows| rows[0].clone_from(&ids)));
    assert_eq!(again.bad_rows.len(), 2);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    #[test]
    fn the_order_of_rows_never_changes_the_fingerprint(
        rows in proptest::collection::vec(("[ab]{1,2}", 0u8..5, 0u8..3), 0..12),
        seed in 0u64..1000,
    ) {
        let row = |(local, id, priority): &(String, u8, u8)| {
            let id = if *id == 0 { String::new() } else { id.to_string() };
            format!("{local}@x.example,{id},{priority}\n")
        };
        let rows: Vec<String> = rows.iter().map(row).collect();
        let lenient = Csv { max_bad_rows: Limit::Share(1.0), ..config() };
        let read = |rows: &[String]| {
            let snapshot = snapshot_with(format!("email,id,priority\n{}", rows.concat()).as_bytes(), &lenient).unwrap();
            let mut held: Vec<_> = snapshot.bad_rows.iter().map(|row| row.address.clone()).collect();
            held.sort();
            (snapshot.fingerprint, held)
        };
        let mut other = rows.clone();
        fastrand::Rng::with_seed(seed).shuffle(&mut other);
        proptest::prop_assert_eq!(read(&rows), read(&other));
    }
}
