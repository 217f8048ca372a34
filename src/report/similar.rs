//! Addresses that somebody may have meant.

/// How many are shown.
const SHOWN_MAX: usize = 3;

/// Gathers the addresses nearest to one that nobody knows.
#[derive(Debug)]
pub struct Similar {
    wanted: String,
    /// Distance and address, nearest first, at most [`SHOWN_MAX`].
    found: Vec<(usize, String)>,
}

impl Similar {
    /// `wanted` is an identity, or whatever was typed in place of one.
    pub fn to(wanted: &str) -> Similar {
        Similar { wanted: wanted.trim().to_lowercase(), found: Vec::new() }
    }

    /// Looks at one known identity.
    pub fn offer(&mut self, identity: &str) {
        let Some(distance) = self.distance(identity) else { return };
        let found = (distance, identity.to_owned());
        if let Err(place) = self.found.binary_search(&found) {
            self.found.insert(place, found);
            self.found.truncate(SHOWN_MAX);
        }
    }

    /// The nearest, nearest first.
    pub fn into_found(self) -> Vec<String> {
        self.found.into_iter().map(|(_, identity)| identity).collect()
    }

    /// How far away it is, where it is near enough: a few letters, another domain, or the same without its domain.
    fn distance(&self, identity: &str) -> Option<usize> {
        let (local, _) = identity.rsplit_once('@')?;
        let wanted_local = self.wanted.rsplit_once('@').map_or(self.wanted.as_str(), |(local, _)| local);
        if identity == self.wanted || wanted_local.is_empty() {
            return None;
        }
        if local == wanted_local {
            return Some(1);
        }
        let limit = (self.wanted.len() / 6).clamp(1, 3);
        let near = self.wanted.len().abs_diff(identity.len()) <= limit;
        near.then(|| strsim::osa_distance(&self.wanted, identity)).filter(|distance| *distance <= limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn similar(wanted: &str) -> Vec<String> {
        let mut similar = Similar::to(wanted);
        for known in
            ["jane.doe@contoso.com", "bob@contoso.com", "bob@fabrikam.com", "jan.doe@contoso.com", "x@a.example"]
        {
            similar.offer(known);
        }
        similar.into_found()
    }

    #[test]
    fn typos_other_domains_and_missing_domains_are_near() {
        assert_eq!(similar("jane.deo@contoso.com"), ["jane.doe@contoso.com", "jan.doe@contoso.com"]);
        assert_eq!(similar("bob@northwind.com"), ["bob@contoso.com", "bob@fabrikam.com"]);
        assert_eq!(similar("Bob"), ["bob@contoso.com", "bob@fabrikam.com"]);
    }

    #[test]
    fn strangers_are_not_near() {
        assert!(similar("zoltan@contoso.com").is_empty());
        assert!(similar("y@b.example").is_empty());
        assert!(similar("").is_empty());
    }

    #[test]
    fn only_the_nearest_few_are_kept() {
        let mut similar = Similar::to("bob@contoso.com");
        for i in 0..9 {
            similar.offer(&format!("bob@contoso{i}.com"));
        }
        assert_eq!(similar.into_found().len(), SHOWN_MAX);
    }
}
