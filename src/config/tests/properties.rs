//! Whatever a file holds, loading ends, and ends with a place within the file.

use std::path::Path;

use proptest::prelude::*;

use super::super::{REFERENCE, load_str};

/// Loads, and looks at every problem.
fn survives(text: &str) {
    match load_str(Path::new("/etc/rosterd/rosterd.toml"), text) {
        Ok(config) => assert!(!format!("{config:?}").is_empty()),
        Err(problems) => {
            assert!(problems.iter().next().is_some(), "refused without a reason");
            for problem in &problems {
                let line = problem.line().map(|line| text.split('\n').nth(line - 1).expect("a line of the file"));
                let column = problem.column().unwrap_or(1);
                assert!(column <= line.unwrap_or_default().chars().count() + 1, "{problem:?}");
            }
            assert!(problems.render(true).len() >= problems.to_string().len());
        }
    }
}

/// A value that is likely to be taken for something.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        "\"[0-9a-z*/,@ %:.#+?LW-]{0,14}\"",
        "\"\\PC{0,8}\"",
        "-?[0-9]{1,20}",
        "[0-9]{1,3}\\.[0-9]{1,3}",
        Just("nan".to_owned()),
        Just("true".to_owned()),
        Just("2026-11-23".to_owned()),
        "\\[\"[a-z*@.\\[{]{0,5}\"(, [0-9])?\\]",
        "\\{ (file|env|x) = \"[a-z/-]{0,5}\" \\}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn any_text(text in "\\PC{0,80}") {
        survives(&text);
    }

    #[test]
    fn text_that_looks_like_a_configuration(text in "([a-z_.\\[\\]{}=\"', 0-9\u{e4}\r\n#]){0,120}") {
        survives(&text);
    }

    #[test]
    fn the_reference_with_a_value_changed(at in any::<prop::sample::Index>(), value in value()) {
        let text = super::reference::uncommented();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let keys: Vec<_> = (0..lines.len()).filter(|line| lines[*line].contains(" = ") && !lines[*line].starts_with('#')).collect();
        let line = keys[at.index(keys.len())];
        let (key, _) = lines[line].split_once(" = ").unwrap();
        lines[line] = format!("{key} = {value}");
        survives(&lines.join("\n"));
    }

    #[test]
    fn the_reference_cut_and_stained(cut in any::<prop::sample::Index>(), stain in "\\PC{0,3}") {
        let at = (0..=cut.index(REFERENCE.len())).rev().find(|at| REFERENCE.is_char_boundary(*at)).unwrap();
        survives(&format!("{}{stain}", &REFERENCE[..at]));
        survives(&format!("{}{stain}{}", &REFERENCE[..at], &REFERENCE[at..]));
    }
}
