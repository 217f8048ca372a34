//! Many people in little room: a large group is a hundred thousand of them.

use std::collections::BTreeMap;

use crate::address::Address;
use crate::clock::Timestamp;

use super::person::{NoAddress, Person};

/// The size of a block of texts.
const BLOCK_BYTES: usize = 64 << 10;

/// People by their place, in the order in which they came.
#[derive(Debug, Default)]
pub struct People {
    /// Of each, the stable id, the name, and the address or the reason why there is none; in blocks, so that none is
    /// moved when there are more.
    texts: Vec<String>,
    all: Vec<Place>,
    /// Of those whose account expires, when.
    expiries: BTreeMap<u32, Timestamp>,
}

#[derive(Debug)]
struct Place {
    block: u32,
    start: u32,
    id: u32,
    dn: u32,
    address: u32,
    has_address: bool,
    /// Whether the address is written as it is compared.
    is_identity: bool,
    disabled: bool,
}

impl People {
    /// Makes room for so many more.
    pub fn reserve(&mut self, more: usize) {
        self.all.reserve(more);
    }

    /// The place.
    pub fn push(&mut self, person: &Person) -> u32 {
        let (address, is_identity) = match &person.address {
            Ok(address) => (address.spelling(), address.spelling() == address.identity()),
            Err(NoAddress(why)) => (why.as_str(), false),
        };
        let texts = [&person.id, &person.dn, address];
        let (block, start) = self.put(&texts.concat());
        let [id, dn, address] = texts.map(|text| place_of(text.len()));
        let (has_address, disabled) = (person.address.is_ok(), person.disabled);
        let place = place_of(self.all.len());
        self.all.push(Place { block, start, id, dn, address, has_address, is_identity, disabled });
        self.expiries.extend(person.expires.map(|expires| (place, expires)));
        place
    }

    /// The block of a text, and where in it the text begins.
    fn put(&mut self, text: &str) -> (u32, u32) {
        if self.texts.last().is_none_or(|block| block.capacity() - block.len() < text.len()) {
            self.texts.push(String::with_capacity(text.len().max(BLOCK_BYTES)));
        }
        let place = place_of(self.texts.len() - 1);
        let start = self.texts.last_mut().map_or(0, |block| {
            block.push_str(text);
            block.len() - text.len()
        });
        (place, place_of(start))
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
        let Place { block, start, id, dn, address, has_address, is_identity, disabled } =
            self.all.get(place as usize)?;
        let texts = self.texts.get(*block as usize)?.get(*start as usize..)?;
        let (id, rest) = texts.split_at_checked(*id as usize)?;
        let (dn, rest) = rest.split_at_checked(*dn as usize)?;
        let address = rest.get(..*address as usize)?;
        let (has_address, is_identity, disabled) = (*has_address, *is_identity, *disabled);
        let expires = self.expiries.get(&place).copied();
        Some(Kept { id, dn, address, has_address, is_identity, disabled, expires })
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
    is_identity: bool,
    pub disabled: bool,
    pub expires: Option<Timestamp>,
}

impl Kept<'_> {
    pub fn address(&self) -> Result<Address, NoAddress> {
        if !self.has_address {
            return Err(NoAddress(self.address.to_owned()));
        }
        if self.is_identity {
            return Ok(Address::from_stored(self.address, None));
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

    #[test]
    fn people_in_many_blocks_are_kept_as_they_came() {
        let mut people = People::default();
        let name =
            |number: usize| format!("cn={number}{},dc=x", "x".repeat(if number == 500 { BLOCK_BYTES } else { 200 }));
        for number in 0..1000 {
            let raw = raw(&name(number), &[("entryUUID", "id"), ("mail", "a@x.example")]);
            people.push(&Person::of(&raw, &["mail".to_owned()]).unwrap());
        }
        assert!(people.texts.len() > 3);
        assert!((0..).zip(0..1000).all(|(place, number)| people.get(place).unwrap().dn == name(number)));
    }
}
