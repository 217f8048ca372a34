//! What is said of a configuration that is not in force, because it can't be used.

use crate::clock::Timestamp;

/// A configuration that is not in force, because it can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// What is wrong with it, as sentences.
    pub words: String,
    pub since: Timestamp,
}

impl Refused {
    /// `why` is what [`super::read`] says: the first complaint stands for all of them.
    pub fn new(why: &str, since: Timestamp) -> Refused {
        let mut lines = why.lines().map(str::trim);
        let first = lines.next().map_or("", |line| line.trim_start_matches("error: ")).trim_end_matches('.');
        let place = lines.next().and_then(|line| line.strip_prefix("--> "));
        let place = place.map(|place| format!(" ({place})")).unwrap_or_default();
        let words = format!(
            "The configuration has changed and can't be used, so the old one is in force: {first}{place}. `rosterd check` \
             shows all that is wrong with it."
        );
        Refused { words, since }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_complaint_and_its_place_stand_for_all() {
        let why = "error: unknown key `sourcs`\n --> rosterd.toml:2:2\n  |\n2 | [sourcs.x]\n  |  ^^^^^^\n";
        let words = |why| Refused::new(why, Timestamp::UNIX_EPOCH).words;
        insta::assert_snapshot!(words(why), @"The configuration has changed and can't be used, so the old one is in force: unknown key `sourcs` (rosterd.toml:2:2). `rosterd check` shows all that is wrong with it.");
        assert!(
            words("error: rosterd.toml can't be read: it is gone.")
                .contains("in force: rosterd.toml can't be read: it is gone. `")
        );
    }
}
