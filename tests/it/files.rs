//! What may lie in a drop folder: each kind of file through the built binary.

use std::fs;

use crate::world::{World, people, roster};

/// Two people in the encodings and shapes that spreadsheets and directories export.
#[test]
fn a_roster_is_read_in_every_encoding_and_shape() {
    let utf16 = |text: &str, bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
    let cases: [(&str, Vec<u8>); 8] = [
        ("utf8", "email,name\nann@contoso.com,Zoë\nbob@contoso.com,B\n".into()),
        ("bom and CRLF", "\u{feff}E-Mail;Name\r\nann@contoso.com;Zoë\r\nbob@contoso.com;B\r\n".into()),
        ("no last line end", "MAIL\nann@contoso.com\nbob@contoso.com".into()),
        (
            "UTF-16LE, tabs",
            utf16("\u{feff}email\tname\r\nann@contoso.com\tZoë\r\nbob@contoso.com\t\r\n", u16::to_le_bytes),
        ),
        ("UTF-16BE", utf16("\u{feff}email|name\nann@contoso.com|Zoë\nbob@contoso.com|B\n", u16::to_be_bytes)),
        ("Windows-1252", b"name|UserPrincipalName\r\nZo\xeb \x80|ann@contoso.com\r\nB|bob@contoso.com\r\n".to_vec()),
        (
            "quotes over lines",
            "name,email\n\"Ann\nof \"\"A\"\", Inc.\",ann@contoso.com\n\"B\",\"bob@contoso.com\"\n".into(),
        ),
        ("doubles and blank lines", "email\n\nANN@contoso.com\nbob@contoso.com\n\nann@contoso.com\n".into()),
    ];
    for (what, content) in cases {
        let world = World::new(10);
        world.drop_file("staff.csv", content);
        world.run_to(0, &["sync"]);
        let assigned: Vec<String> = world.assigned().iter().map(|address| address.to_lowercase()).collect();
        assert_eq!(assigned, ["ann@contoso.com", "bob@contoso.com"], "{what}");
    }
}

#[test]
fn a_file_with_a_digest_beside_it_is_read_only_when_that_fits() {
    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let world = World::with_source(10, "after = \"leave\"");
    world.drop_file("staff.csv", roster(&people(0..2)));
    world.run_to(0, &["sync"]);
    // An old file with an old digest: nobody is still writing either.
    fs::write(world.path("drops/staff.csv.sha256"), format!("{EMPTY}  staff.csv\n")).unwrap();
    world.drop_file("staff.csv", roster(&people(0..1)));
    for name in ["staff.csv", "staff.csv.sha256"] {
        let file = fs::File::options().append(true).open(world.path("drops").join(name)).unwrap();
        file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000)).unwrap();
    }
    let ran = world.run_to(1, &["sync"]);
    assert!(ran.stderr.contains("SHA-256"), "{}", ran.stderr);
    assert_eq!(world.assigned(), people(0..2));
    let told = ran.stderr.split("staff.csv has SHA-256 ").nth(1).unwrap();
    let digest: String = told.chars().take_while(char::is_ascii_hexdigit).collect();
    fs::write(world.path("drops/staff.csv.sha256"), format!("{digest}  staff.csv\n")).unwrap();
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), people(0..1));
}

#[test]
fn a_refused_file_stays_a_problem_until_another_has_come() {
    let world = World::new(50);
    world.drop_roster("a.csv", &people(0..20));
    world.run_to(0, &["sync"]);
    world.drop_file("b.csv", "name\nJane\n");
    world.run_to(1, &["sync"]);
    assert!(world.path("drops/rejected/b.csv.report.txt").exists());
    world.run(&["sync"]);
    let status = world.run_to(3, &["status"]).stdout;
    assert!(status.contains("b.csv"), "that it was moved aside mends nothing: {status}");
    let checked = world.run_to(1, &["check"]).stdout;
    assert!(checked.contains("FAILED source hr: b.csv"), "{checked}");
    assert_eq!(world.assigned(), people(0..20));
    world.drop_roster("c.csv", &people(0..20));
    world.run_to(0, &["sync"]);
    world.run_to(0, &["status"]);
    let checked = world.run_to(0, &["check"]).stdout;
    assert!(checked.contains("20 people in "), "the roster in force is told: {checked}");
}

#[test]
fn a_source_from_which_nothing_comes_any_more_is_told_once() {
    let world = World::with_source(50, "max_age = \"1s\"");
    world.drop_roster("a.csv", &people(0..2));
    world.run_to(0, &["sync"]);
    let overdue = || world.run(&["sync"]).stderr.contains("No new file has come since");
    crate::world::until("the silence is noticed", overdue);
    assert!(!overdue(), "it is told once");
    let status = world.run_to(3, &["status"]).stdout;
    assert!(status.contains("max_age"), "{status}");
    assert_eq!(world.assigned(), people(0..2));
    // The same people in a new file are news enough.
    world.drop_roster("b.csv", &people(0..2));
    world.run_to(0, &["sync"]);
    let status = world.run(&["status", "--json"]).stdout;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["subscriptions"][0]["problem"], serde_json::Value::Null);
}

#[test]
fn a_delta_file_counts_once_whatever_becomes_of_it() {
    for after in ["archive", "leave", "delete"] {
        let world = World::with_source(50, &format!("mode = \"delta\"\nafter = \"{after}\""));
        world.drop_file("1.csv", "action,email\n+,a@contoso.com\njoin,b@contoso.com\n");
        world.run_to(0, &["sync"]);
        world.drop_file("2.csv", "action,email\nLeave,a@contoso.com\n");
        world.run_to(0, &["sync"]);
        assert_eq!(world.assigned(), ["b@contoso.com"], "{after}");
        // The same file once more under its name is no news; with `leave` it lies there all the time.
        world.drop_file("1.csv", "action,email\n+,a@contoso.com\njoin,b@contoso.com\n");
        world.run_to(0, &["sync"]);
        assert_eq!(world.assigned(), ["b@contoso.com"], "{after}");
        assert_eq!(world.path("drops/1.csv").exists(), after == "leave");
        assert_eq!(world.path("drops/processed").exists(), after == "archive");
    }
}

#[test]
fn of_two_snapshots_the_newer_counts() {
    let world = World::new(50);
    world.drop_roster("z.csv", &people(0..2));
    let earlier = fs::File::options().append(true).open(world.path("drops/z.csv")).unwrap();
    earlier.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000)).unwrap();
    world.drop_roster("a.csv", &people(2..5));
    world.run_to(0, &["sync"]);
    assert_eq!(world.assigned(), people(2..5));
}
