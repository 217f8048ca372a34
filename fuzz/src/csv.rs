//! The bytes of a CSV file: encoding, delimiter, records and rows, as a whole roster and as edits.
//!
//! The first byte says how the file is to be read, so that `@` leaves everything to rosterd; the rest is the file.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use rosterd::config::{After, Columns, Csv, Encoding, Limit, Mode, Watch};
use rosterd::roster::Hasher;
use rosterd::source::Known;
use rosterd::source::csv::{Settings, read_delta, read_snapshot};
use rosterd::source::csv_record::Records;

/// See the module's page.
pub fn run(data: &[u8]) {
    let [options, text @ ..] = data else { return };
    records_do_not_depend_on_how_they_are_read(text);
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(text).unwrap();
    for mode in [Mode::Snapshot, Mode::Delta] {
        read(&file, &config(*options, mode));
    }
}

fn read(file: &File, config: &Csv) {
    let hasher = Hasher::new([7; 16]);
    let settings = Settings { config, hasher: &hasher, known: None, is_route: &|name| name == "contoso" };
    if config.mode == Mode::Delta {
        match read_delta(file.try_clone().unwrap(), "staff.csv", settings) {
            Ok(delta) => assert!(delta.edits.len() as u64 <= delta.evidence.rows),
            Err(why) => assert!(!why.reason.is_empty()),
        }
        return;
    }
    let mut snapshot = match read_snapshot(file.try_clone().unwrap(), "staff.csv", settings) {
        Ok(snapshot) => snapshot,
        Err(why) => return assert!(!why.reason.is_empty()),
    };
    assert!(snapshot.rows.windows(2).all(|two| two[0].key < two[1].key), "in order, without doubles");
    let entries = snapshot.entries.fetch(&snapshot.rows).unwrap();
    assert_eq!(entries.len(), snapshot.rows.len());
    for (row, entry) in snapshot.rows.iter().zip(&entries) {
        assert_eq!(row.key, hasher.entry_key(entry.address.identity(), entry.route.as_deref()));
        assert_eq!(row.content, hasher.content(entry), "{entry:?}");
    }
    let fingerprint = snapshot.fingerprint.to_bytes();
    let known = Some(Known { fingerprint: &fingerprint, sound: snapshot.bad_rows.is_empty() });
    let again = read_snapshot(file.try_clone().unwrap(), "staff.csv", Settings { known, ..settings });
    assert_eq!(again.unwrap().fingerprint.to_bytes(), fingerprint);
}

/// Whatever the input hands over at once, the records are the same.
fn records_do_not_depend_on_how_they_are_read(text: &[u8]) {
    let all = |stride| {
        let mut records = Records::new(text, b',');
        records.set_stride(stride);
        let mut seen = Vec::new();
        loop {
            match records.next_record() {
                Ok(Some(record)) => {
                    let fields: Vec<Vec<u8>> = record.fields().map(<[u8]>::to_vec).collect();
                    seen.push((record.offset, record.line, record.terminated, fields));
                }
                Ok(None) => return (seen, None),
                Err(error) => return (seen, Some(error.to_string())),
            }
        }
    };
    assert_eq!(all(1 << 18), all(3));
}

fn config(options: u8, mode: Mode) -> Csv {
    let named = options & 0x20 != 0;
    let name = |name: &str| named.then(|| name.to_owned());
    Csv {
        path: PathBuf::from("drops"),
        pattern: "*.csv".to_owned(),
        mode,
        settle: Duration::ZERO,
        watch: Watch::Poll,
        poll_interval: Duration::from_secs(30),
        after: After::Leave,
        max_bad_rows: if options & 0x80 == 0 { Limit::Share(0.05) } else { Limit::Share(1.0) },
        encoding: [Encoding::Auto, Encoding::Utf8, Encoding::Utf16, Encoding::Windows1252][usize::from(options & 3)],
        delimiter: [None, Some(b','), Some(b';'), Some(b'\t'), Some(b'|'), None, None, None]
            [usize::from(options >> 2 & 7)],
        columns: Columns {
            email: name("mail"),
            id: name("number"),
            action: name("what"),
            priority: name("rank"),
            start: name("from"),
            end: name("until"),
            subscription: name("client"),
        },
    }
}
