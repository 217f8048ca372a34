//! Many people in little room: a large group is a hundred thousand of them.

use crate::address::Address;
use crate::clock::Timestamp;

use super::person::{NoAddress, Person};

/// People by their place, in the order in which they came.
#[derive(Debug, Default)]
pub struct People {
    /// Of each, the stable id, the name, and the address or the reason why there is none.
    texts: String,
    all: Vec<Place>,
}

#[derive(Debug)]
struct Place {
    start: usize,
    id: u32,
    dn: u32,
    address: u32,
    has_address: bool,
    disabled: bool,
    expires: Option<Timestamp>,
}

impl People {
    /// The place.
    pub fn push(&mut self, person: &Person) -> u32 {
        let (address, has_address) = match &person.address {
            Ok(address) => (address.spelling(), true),
            Err(NoAddress(why)) => (why.as_str(), false),
        };
        let start = self.texts.len();
        let mut put = |text: &str| {
            self.texts.push_str(text);
            place_of(text.len())
        };
        let (id, dn, address) = (put(&person.id), put(&person.dn), put(address));
        let Person { disabled, expires, .. } = *person;
        self.all.push(Place { start, id, dn, address, has_address, disabled, expires });
        place_of(self.all.len() - 1)
    }

    pub fn len(&self) -> usize {
        self.all.len()
    }

    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = Kept<'_>> {
        (0..place_of(self.all.len())).filter_map(|place| self.get(place))
    }

    pub fn get(&self, place: u32) -> Option<Kept<'_>> {
        let Place { start, id, dn, address, has_address, disabled, expires } = self.all.get(place as usize)?;
        let (id, rest) = self.texts.get(*start..)?.split_at_checked(*id as usize)?;
        let (dn, rest) = rest.split_at_checked(*dn as usize)?;
        let address = rest.get(..*address as usize)?;
        Some(Kept { id, dn, address, has_address: *has_address, disabled: *disabled, expires: *expires })
    }
}

/// A place in a list, or the length of a text: neither comes near to four thousand millions.
pub fn place_of(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// [`Person`], as it is kept.
#[derive(Debug, Clone, Copy)]
pub struct Kept<'a> {
    pub id: &'a str,
    pub dn: &'a str,
    /// Or why there is none.
    address: &'a str,
    pub has_address: bool,
    pub disabled: bool,
    pub expires: Option<Timestamp>,
}

impl Kept<'_> {
    pub fn address(&self) -> Result<Address, NoAddress> {
        if !self.has_address {
            return Err(NoAddress(self.address.to_owned()));
        }
        Address::parse(self.address).map_err(|wrong| NoAddress(format!("its address {wrong}")))
    }
}

#[cfg(test)]
mod tests {
    use super::super::person::raw;
    use super::*;

    #[test]
    fn people_are_kept_as_they_came() {
        let mut people = People::default();
        let of = |name: &str, mail: &str, control: &str| {
            let attributes = [
                ("entryUUID", name),
                ("mail", mail),
                ("userAccountControl", control),
                ("accountExpires", "134224056000000000"),
            ];
            Person::of(&raw(&format!("cn={name},dc=x"), &attributes), &["mail".to_owned()]).unwrap()
        };
        let all = [of("ä", "Jane.Ä@X.example", "512"), of("b", "nonsense", "514"), of("c", "c@x.example", "512")];
        for (place, person) in (0..).zip(&all) {
            assert_eq!(people.push(person), place);
        }
        for (place, person) in (0..).zip(&all) {
            let kept = people.get(place).unwrap();
            let told = |address: Result<Address, NoAddress>| address.map(|address| address.spelling().to_owned());
            assert_eq!((kept.id, kept.dn), (&*person.id, &*person.dn));
            assert_eq!(told(kept.address()), told(person.address.clone()));
            assert_eq!((kept.disabled, kept.expires), (person.disabled, person.expires));
        }
        assert!(people.get(3).is_none() && people.len() == 3);
    }
}
