//! What is asked of a directory, and the whole of an answer or the reason why it is none.
//!
//! [`Directory`] is one request and its answer, as the server gave it. [`search`] makes a whole answer of as many as it
//! takes, and believes nothing else: any result but success, a page without its control, a reference into what was asked
//! for, a lost connection leave nothing to work with.

use std::collections::BTreeSet;

use crate::source::Incomplete;

use super::dn::Dn;

/// One connection to one server.
pub trait Directory {
    /// Sends one request, and hands over what comes, in turn.
    ///
    /// # Errors
    /// When the answer did not come to its end.
    fn ask(&mut self, ask: &Ask<'_>, each: &mut dyn FnMut(Item)) -> Result<Ended, Broken>;

    /// So many more entries are about to come, for whoever watches.
    fn expect(&mut self, _more: u64) {}

    /// Who the server takes this connection for; `None` where it does not say.
    fn who_am_i(&mut self) -> Result<Option<String>, Broken>;

    /// The server, as it stands in the configuration.
    fn server(&self) -> &str;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The entry of this name alone.
    Base,
    /// It and all below it.
    Subtree,
}

/// One request.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    pub base: &'a str,
    pub scope: Scope,
    pub filter: &'a str,
    pub attributes: &'a [&'a str],
    pub page: Option<Page<'a>>,
}

/// Which page of an answer.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    pub size: u32,
    /// What the page before gave; empty for the first.
    pub cookie: &'a [u8],
}

/// What comes in an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    Entry(RawEntry),
    /// Of what stands elsewhere, the addresses.
    Reference(Vec<String>),
}

/// An entry as the server gave it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RawEntry {
    pub dn: String,
    pub attributes: Vec<(String, Vec<Vec<u8>>)>,
}

/// How an answer ended.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ended {
    /// 0 is success.
    pub code: u32,
    /// How far a name was found.
    pub matched: String,
    /// The server's own words.
    pub text: String,
    pub referrals: Vec<String>,
    /// Where the next page begins, empty on the last one; `None`: the answer says nothing of pages.
    pub cookie: Option<Vec<u8>>,
}

/// Why an answer did not come to its end, as a fragment that fits after the server's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Broken(pub String);

/// What is wanted.
#[derive(Debug, Clone, Copy)]
pub struct Search<'a> {
    pub base: &'a str,
    pub scope: Scope,
    pub filter: &'a str,
    pub attributes: &'a [&'a str],
    /// Which references do no harm.
    pub references: References<'a>,
    /// What is being read, for people: `the members of CN=Staff,…`.
    pub what: &'a str,
}

/// Which references an answer may have. None is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum References<'a> {
    /// None: what stands elsewhere may be what was asked for.
    None,
    /// To the parts of a forest that hold no people, which a search from this root of a domain always gives.
    OfForest(&'a Dn),
    /// And to domains below it: for a search whose answer is counted in another way, too.
    OfDomains(&'a Dn),
}

/// A whole answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whole {
    Found,
    /// There is nothing of the name that was asked for. Whether what it would stand under can be read.
    NoSuchObject {
        parent_is_there: bool,
    },
    /// It may not be read.
    Forbidden,
    /// It is elsewhere.
    Elsewhere,
}

/// How much was asked, for whoever wants to see it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Asked {
    pub requests: u64,
    /// The references that were expected, and not followed.
    pub references: BTreeSet<String>,
}

/// Asks until the answer is whole.
///
/// # Errors
/// When it is not, with the reason as sentences.
pub fn search(
    directory: &mut dyn Directory,
    search: &Search<'_>,
    page_size: u32,
    asked: &mut Asked,
    each: &mut dyn FnMut(RawEntry) -> Result<(), Incomplete>,
) -> Result<Whole, Incomplete> {
    let mut cookie: Vec<u8> = Vec::new();
    loop {
        let page = (search.scope != Scope::Base).then_some(Page { size: page_size, cookie: &cookie });
        let Search { base, scope, filter, attributes, .. } = *search;
        let ask = Ask { base, scope, filter, attributes, page };
        let (mut entries, mut refused) = (0_u64, None);
        asked.requests += 1;
        let ended = directory.ask(&ask, &mut |item| {
            entries += 1;
            let taken = match item {
                Item::Entry(entry) if refused.is_none() => each(entry),
                Item::Entry(_) => Ok(()),
                Item::Reference(urls) => {
                    let checked = search.references.check(&urls, search.what);
                    asked.references.extend(urls.into_iter().next());
                    checked
                }
            };
            if let Err(why) = taken {
                refused.get_or_insert(why);
            }
        });
        let server = directory.server();
        let ended = ended.map_err(|broken| {
            Incomplete::passing(format!("{server} {broken}, while {} was being read.", search.what))
        })?;
        if let Some(why) = refused {
            return Err(why);
        }
        if let Some(told) = without_entries(&ended, search) {
            return Ok(told);
        }
        if ended.code != 0 {
            return Err(refusal(server, &ended, search.what, page_size));
        }
        if search.scope == Scope::Base {
            return Ok(Whole::Found);
        }
        let Some(next) = ended.cookie else {
            return Err(Incomplete::lasting(format!(
                "{server} answered without a word on pages when {} was being read, so that nobody can tell whether that was all. Does it, or what stands before it, know the paged results control (1.2.840.113556.1.4.319)?",
                search.what
            )));
        };
        if next.is_empty() {
            return Ok(Whole::Found);
        }
        if next == cookie && entries == 0 {
            return Err(Incomplete::passing(format!(
                "{server} gives the same page of {} again and again.",
                search.what
            )));
        }
        cookie = next;
    }
}

/// The results that are answers, when one name was asked for.
fn without_entries(ended: &Ended, search: &Search<'_>) -> Option<Whole> {
    if search.scope != Scope::Base {
        return None;
    }
    match ended.code {
        32 => Some(Whole::NoSuchObject { parent_is_there: is_parent(&ended.matched, search.base) }),
        10 => Some(Whole::Elsewhere),
        50 => Some(Whole::Forbidden),
        _ => None,
    }
}

fn is_parent(matched: &str, name: &str) -> bool {
    match (Dn::parse(matched), Dn::parse(name)) {
        (Ok(matched), Ok(name)) => name.parent() == Some(matched.normal()),
        _ => false,
    }
}

/// What a result other than success means, and what to do.
fn refusal(server: &str, ended: &Ended, what: &str, page_size: u32) -> Incomplete {
    let words = match ended.text.trim_matches(['\0', ' ', '\n', '\r']) {
        "" => String::new(),
        text => format!(" (in its own words: {text})"),
    };
    let (code, name) = (ended.code, name_of(ended.code));
    let advice = match code {
        3 => "The server's limit of time was reached: raise it for this account, or ask for less.".to_owned(),
        4 => "The server's limit of size was reached: give this account an unlimited size, or at least unlimited pages (OpenLDAP: `limits … size.prtotal=unlimited`).".to_owned(),
        10 => "Another server has this part of the directory: name that one under `urls`.".to_owned(),
        11 => format!("A limit of the server's administrator was reached: is `page_size` ({page_size}) more than it allows?"),
        12 => "The server knows no paged results (1.2.840.113556.1.4.319), without which nobody can tell whether an answer is whole.".to_owned(),
        1 if words.contains("bind") => "The server wants somebody to bind first: look at `auth` and `bind_dn`.".to_owned(),
        32 => "There is no such entry, or this account may not see it: look at `base_dn`.".to_owned(),
        50 => "This account may not read it: give it the right to.".to_owned(),
        51 | 52 => "The server can't answer now; it is asked again.".to_owned(),
        53 => "The server is unwilling: its log says why.".to_owned(),
        _ => "The server's log may say more.".to_owned(),
    };
    Incomplete::passing(format!("{server} answered {code} ({name}){words} when {what} was being read. {advice}"))
}

/// The name of a result (RFC 4511, appendix A).
pub fn name_of(code: u32) -> &'static str {
    match code {
        0 => "success",
        1 => "operations error",
        2 => "protocol error",
        3 => "time limit exceeded",
        4 => "size limit exceeded",
        7 => "authentication method not supported",
        8 => "stronger authentication required",
        10 => "referral",
        11 => "administrative limit exceeded",
        12 => "unavailable critical extension",
        13 => "confidentiality required",
        16 => "no such attribute",
        18 => "inappropriate matching",
        32 => "no such object",
        34 => "invalid DN syntax",
        48 => "inappropriate authentication",
        49 => "invalid credentials",
        50 => "insufficient access rights",
        51 => "busy",
        52 => "unavailable",
        53 => "unwilling to perform",
        54 => "loop detected",
        80 => "other error",
        _ => "no known result",
    }
}

impl References<'_> {
    fn check(self, urls: &[String], what: &str) -> Result<(), Incomplete> {
        if urls.iter().any(|url| self.allows(url)) {
            return Ok(());
        }
        let url = urls.first().map_or("another server", String::as_str);
        Err(Incomplete::lasting(format!(
            "A part of what was asked for stands elsewhere ({url}), and references are not followed; {what} could not be read whole. Read from the server that has all of it, or make that part a source of its own."
        )))
    }

    fn allows(self, url: &str) -> bool {
        let (root, domains) = match self {
            References::None => return false,
            References::OfForest(root) => (root, false),
            References::OfDomains(root) => (root, true),
        };
        let Some(Ok(dn)) = name_in(url).map(|name| Dn::parse(&name)) else { return false };
        // The configuration stands below the forest's root, which a domain may stand below, too.
        matches!(dn.first(), "cn=configuration" | "cn=schema" | "dc=domaindnszones" | "dc=forestdnszones")
            || (domains && dn.first().starts_with("dc=") && dn.is_within(root))
    }
}

/// The name in `ldap://host/CN=Configuration,DC=contoso,DC=com??base`.
fn name_in(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let (_, name) = rest.split_once('/')?;
    let name = name.split('?').next()?;
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let [first, tail @ ..] = rest {
        let code = (*first == b'%').then(|| std::str::from_utf8(tail.get(..2)?).ok()).flatten();
        if let Some(byte) = code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            bytes.push(byte);
            rest = &tail[2..];
        } else {
            bytes.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_forest_that_hold_no_people_do_no_harm() {
        let root = Dn::parse("DC=ad,DC=example,DC=test").unwrap();
        let allowed = |references: References<'_>, url: &str| references.check(&[url.to_owned()], "x").is_ok();
        for part in [
            "CN=Configuration,DC=ad,DC=example,DC=test",
            "DC=DomainDnsZones,DC=ad,DC=example,DC=test",
            "DC=ForestDnsZones,DC=example,DC=test",
        ] {
            let url = format!("ldap://ad.example.test/{part}??base");
            assert!(allowed(References::OfForest(&root), &url), "{url}");
            assert!(!allowed(References::None, &url), "{url}");
        }
        let child = "ldap://child.ad.example.test/DC=child,DC=ad,DC=example,DC=test";
        assert!(!allowed(References::OfForest(&root), child), "people may stand there");
        assert!(allowed(References::OfDomains(&root), child));
        assert!(!allowed(References::OfDomains(&root), "ldap://other/OU=Staff,DC=ad,DC=example,DC=test"));
        assert!(!allowed(References::OfForest(&root), "ldap://nowhere"));
        assert_eq!(name_in("ldap://h/cn=a%20b%2cc?x").as_deref(), Some("cn=a b,c"));
    }
}
