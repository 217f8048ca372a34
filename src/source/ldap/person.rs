//! What an entry of a directory is: a person and what rosterd needs of them, a group, or somebody who has no licence.

use chrono::{DateTime, TimeDelta, Utc};

use crate::address::Address;
use crate::clock::Timestamp;

use super::directory::RawEntry;

/// Bit 2 of `userAccountControl`: the account is disabled. Bit 5, locked out, is another thing and nobody's leaving.
const ACCOUNT_DISABLED: i64 = 0x2;

impl RawEntry {
    /// The values of an attribute, whatever the case of its name; none where it is not there. Options (`;binary`) count
    /// as another name.
    pub fn values(&self, name: &str) -> &[Vec<u8>] {
        let found = self.attributes.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map_or(&[], |(_, values)| values.as_slice())
    }

    /// Those that are texts.
    pub fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        self.values(name).iter().filter_map(|value| std::str::from_utf8(value).ok())
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.texts(name).next()
    }

    pub fn number(&self, name: &str) -> Option<i64> {
        self.text(name)?.trim().parse().ok()
    }

    /// Whether it is of this class.
    pub(super) fn is(&self, class: &str) -> bool {
        self.values("objectClass").iter().any(|known| known.eq_ignore_ascii_case(class.as_bytes()))
    }

    /// What names it whatever its name: `objectGUID` as Active Directory writes it, or `entryUUID`.
    pub fn stable_id(&self) -> Option<Box<str>> {
        if let [guid, ..] = self.values(OBJECT_GUID)
            && let Ok(guid) = <[u8; 16]>::try_from(guid.as_slice())
        {
            return Some(uuid::Uuid::from_bytes_le(guid).to_string().into());
        }
        let id = self.text(ENTRY_UUID)?.trim();
        (!id.is_empty()).then(|| id.to_ascii_lowercase().into())
    }
}

pub const OBJECT_GUID: &str = "objectGUID";
pub const ENTRY_UUID: &str = "entryUUID";

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Person,
    Group,
    /// An address in an address book: nobody who can sign in.
    Contact,
    Computer,
    /// Somebody of another forest, of whom this one knows the number alone.
    Foreign,
}

/// The classes of groups.
pub const GROUP_CLASSES: [&str; 5] = ["group", "groupOfNames", "groupOfUniqueNames", "groupOfMembers", "posixGroup"];

impl Kind {
    /// By its classes. Whatever is none of the others is taken for a person: nobody is dropped for an unusual class.
    pub fn of(entry: &RawEntry) -> Kind {
        if entry.is("computer") {
            Kind::Computer
        } else if entry.is("foreignSecurityPrincipal") {
            Kind::Foreign
        } else if GROUP_CLASSES.iter().any(|class| entry.is(class)) {
            Kind::Group
        } else if entry.is("contact") {
            Kind::Contact
        } else {
            Kind::Person
        }
    }
}

/// A person, as far as rosterd is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Names them whatever their name and address.
    pub id: Box<str>,
    pub dn: Box<str>,
    pub address: Result<Address, NoAddress>,
    /// Whether several addresses stood where one was taken.
    pub had_choice: bool,
    pub disabled: bool,
    /// When the account expires.
    pub expires: Option<Timestamp>,
}

/// Why a person has no address that can be used, as a fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoAddress(pub String);

/// The attributes that a person is read from, beside those of stable id and address.
pub fn attributes(of_active_directory: bool) -> &'static [&'static str] {
    if of_active_directory {
        &["objectClass", "userAccountControl", "accountExpires"]
    } else {
        &["objectClass", "nsAccountLock"]
    }
}

impl Person {
    /// `None` where the entry has no stable id.
    pub fn of(entry: &RawEntry, email_attributes: &[String]) -> Option<Person> {
        Some(Person::with_id(entry.stable_id()?, entry, email_attributes))
    }

    /// The same where its stable id has been read.
    pub fn with_id(id: Box<str>, entry: &RawEntry, email_attributes: &[String]) -> Person {
        let (address, had_choice) = address(entry, email_attributes);
        let locked = entry.text("nsAccountLock").is_some_and(|value| value.trim().eq_ignore_ascii_case("true"));
        let control = entry.number("userAccountControl").unwrap_or_default();
        Person {
            id,
            dn: entry.dn.as_str().into(),
            address,
            had_choice,
            disabled: locked || control & ACCOUNT_DISABLED != 0,
            expires: entry.number("accountExpires").and_then(moment_of),
        }
    }
}

/// A moment as Active Directory counts: tenths of microseconds since 1601. Zero and the largest number mean never.
fn moment_of(ticks: i64) -> Option<Timestamp> {
    if ticks <= 0 || ticks == i64::MAX {
        return None;
    }
    let epoch = DateTime::<Utc>::from_timestamp(-11_644_473_600, 0)?;
    let moment = epoch.checked_add_signed(TimeDelta::microseconds(ticks / 10))?;
    // What no calendar writes is never.
    (moment.timestamp() < 253_402_300_800).then_some(moment)
}

/// The address, and whether there was a choice. The first attribute that has a value counts, whether or not the value is
/// sound: another one may be another mailbox.
fn address(entry: &RawEntry, attributes: &[String]) -> (Result<Address, NoAddress>, bool) {
    for attribute in attributes {
        let values = candidates(entry, attribute);
        if values.is_empty() {
            continue;
        }
        let mut read: Vec<Result<Address, (String, String)>> = values
            .iter()
            .map(|value| Address::parse(value).map_err(|wrong| ((*value).to_owned(), wrong.to_string())))
            .collect();
        read.sort_by(|one, other| match (one, other) {
            (Ok(one), Ok(other)) => (one, one.spelling()).cmp(&(other, other.spelling())),
            (one, other) => other.is_ok().cmp(&one.is_ok()),
        });
        let had_choice = read.iter().filter(|read| read.is_ok()).count() > 1;
        // Not the first that the server gave: another server may give them in another order.
        let best = read.swap_remove(0);
        let best = best.map_err(|(value, wrong)| NoAddress(format!("its {attribute}, `{}`, {wrong}", shown(&value))));
        return (best, had_choice);
    }
    let names = match attributes {
        [only] => only.clone(),
        [all @ .., last] => format!("{} and {last}", all.join(", ")),
        [] => String::new(),
    };
    (Err(NoAddress(format!("it has no address: nothing in {names}"))), false)
}

/// The values that may be addresses. Of `proxyAddresses` the primary one (`SMTP:`) alone, or where there is none the
/// others of mail; never those of telephones and X.500.
fn candidates<'a>(entry: &'a RawEntry, attribute: &str) -> Vec<&'a str> {
    let of_mail = |value: &'a str| {
        let (prefix, address) = value.split_once(':')?;
        prefix.eq_ignore_ascii_case("smtp").then_some((prefix == "SMTP", address))
    };
    let texts = entry.texts(attribute).filter(|text| !text.trim().is_empty());
    if !attribute.eq_ignore_ascii_case("proxyAddresses") {
        return texts.map(|text| of_mail(text).map_or(text, |(_, address)| address)).collect();
    }
    let all: Vec<(bool, &str)> = texts.filter_map(of_mail).collect();
    let primary: Vec<&str> = all.iter().filter(|(primary, _)| *primary).map(|(_, address)| *address).collect();
    if primary.is_empty() { all.into_iter().map(|(_, address)| address).collect() } else { primary }
}

fn shown(value: &str) -> String {
    value.chars().take(80).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
pub(super) fn raw(dn: &str, attributes: &[(&str, &str)]) -> RawEntry {
    let mut entry = RawEntry { dn: dn.to_owned(), attributes: Vec::new() };
    for (name, value) in attributes {
        match entry.attributes.iter_mut().find(|(known, _)| known == name) {
            Some((_, values)) => values.push(value.as_bytes().to_vec()),
            None => entry.attributes.push(((*name).to_owned(), vec![value.as_bytes().to_vec()])),
        }
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person(attributes: &[(&str, &str)]) -> Person {
        let mut all = vec![(ENTRY_UUID, "E1")];
        all.extend_from_slice(attributes);
        let wanted = ["mail", "proxyAddresses", "userPrincipalName"].map(str::to_owned);
        Person::of(&raw("cn=x", &all), &wanted).unwrap()
    }

    fn told(attributes: &[(&str, &str)]) -> String {
        match person(attributes).address {
            Ok(address) => address.to_string(),
            Err(NoAddress(why)) => why,
        }
    }

    #[test]
    fn the_first_attribute_that_has_a_value_gives_the_address() {
        let upn = ("userPrincipalName", "jd@ad.contoso.com");
        assert_eq!(told(&[upn, ("mail", "Jane@Contoso.com")]), "Jane@Contoso.com");
        assert_eq!(told(&[upn, ("mail", " ")]), "jd@ad.contoso.com");
        assert_eq!(told(&[upn, ("MAIL", "jane@contoso.com")]), "jane@contoso.com", "servers choose the case of names");
        assert_eq!(told(&[]), "it has no address: nothing in mail, proxyAddresses and userPrincipalName");
    }

    #[test]
    fn a_broken_address_is_not_replaced_by_another_mailbox() {
        let told = told(&[("mail", "jane"), ("userPrincipalName", "jd@ad.contoso.com")]);
        assert_eq!(told, "its mail, `jane`, has no @");
    }

    #[test]
    fn of_proxy_addresses_the_primary_one_counts() {
        let proxies =
            |values: &[&str]| told(&values.iter().map(|value| ("proxyAddresses", *value)).collect::<Vec<_>>());
        assert_eq!(
            proxies(&["smtp:a@contoso.com", "SMTP:jane@contoso.com", "x500:/o=x", "SIP:0@contoso.com"]),
            "jane@contoso.com"
        );
        assert_eq!(proxies(&["smtp:b@contoso.com", "smtp:a@contoso.com"]), "a@contoso.com");
        assert_eq!(proxies(&["X500:/o=x"]), "it has no address: nothing in mail, proxyAddresses and userPrincipalName");
    }

    #[test]
    fn of_several_values_one_is_chosen_whatever_the_order() {
        let one = person(&[("mail", "b@contoso.com"), ("mail", "nonsense"), ("mail", "a@contoso.com")]);
        let other = person(&[("mail", "a@contoso.com"), ("mail", "b@contoso.com"), ("mail", "nonsense")]);
        assert_eq!((&one.address, one.had_choice), (&other.address, true));
        assert_eq!(one.address.unwrap().to_string(), "a@contoso.com");
    }

    #[test]
    fn disabled_is_one_bit_and_locked_out_is_another() {
        let disabled = |control: &str| person(&[("userAccountControl", control)]).disabled;
        assert!(disabled("514") && disabled("66050") && disabled("546"));
        assert!(!disabled("512") && !disabled("528") && !disabled("66048"));
        assert!(person(&[("nsAccountLock", "TRUE")]).disabled && !person(&[]).disabled);
    }

    #[test]
    fn an_account_expires_when_its_number_says_so() {
        let expires = |ticks: &str| person(&[("accountExpires", ticks)]).expires.map(|at| at.to_rfc3339());
        assert_eq!(expires("0"), None);
        assert_eq!(expires("9223372036854775807"), None);
        assert_eq!(expires("9223372036854775806"), None, "a moment that no calendar has");
        assert_eq!(expires("134224056000000000").as_deref(), Some("2026-05-04T22:00:00+00:00"));
    }

    #[test]
    fn a_stable_id_is_read_as_the_directory_writes_it() {
        let mut entry = raw("cn=x", &[(ENTRY_UUID, "0D7A0FD4-EF26-103F-9D4B-0123456789AB")]);
        assert_eq!(entry.stable_id().as_deref(), Some("0d7a0fd4-ef26-103f-9d4b-0123456789ab"));
        let guid = vec![0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff];
        entry.attributes.push(("objectguid".to_owned(), vec![guid]));
        assert_eq!(entry.stable_id().as_deref(), Some("00112233-4455-6677-8899-aabbccddeeff"));
        assert_eq!(raw("cn=x", &[]).stable_id(), None);
    }

    #[test]
    fn what_has_no_licence_is_told_from_people() {
        let kind = |classes: &[&str]| {
            Kind::of(&raw("cn=x", &classes.iter().map(|class| ("objectClass", *class)).collect::<Vec<_>>()))
        };
        assert_eq!(kind(&["top", "person", "organizationalPerson", "user"]), Kind::Person);
        assert_eq!(kind(&["top", "person", "organizationalPerson", "user", "computer"]), Kind::Computer);
        assert_eq!(kind(&["top", "person", "organizationalPerson", "contact"]), Kind::Contact);
        assert_eq!(kind(&["top", "GROUP"]), Kind::Group);
        assert_eq!(kind(&["groupOfUniqueNames"]), Kind::Group);
        assert_eq!(kind(&["foreignSecurityPrincipal"]), Kind::Foreign);
        assert_eq!(kind(&["account"]), Kind::Person);
    }
}
