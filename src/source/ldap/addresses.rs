//! A host with several addresses: one that swallows what is sent to it must not use up the time for the others (as
//! RFC 8305 has it).

use std::time::Duration;

/// An address is tried when the one before has failed, or has said nothing for this long; that one is waited for, too.
pub const BESIDE_AFTER: Duration = Duration::from_millis(250);

/// The order in which addresses are tried: that of the system, by turns of the two kinds, each once.
pub fn in_turn<A: PartialEq>(addresses: impl IntoIterator<Item = A>, is_ipv6: impl Fn(&A) -> bool) -> Vec<A> {
    let mut all: Vec<A> = Vec::new();
    for address in addresses {
        if !all.contains(&address) {
            all.push(address);
        }
    }
    let first_kind = all.first().is_some_and(&is_ipv6);
    let (ones, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|address| is_ipv6(address) == first_kind);
    let (mut ones, mut others) = (ones.into_iter(), others.into_iter());
    let mut order = Vec::new();
    loop {
        let before = order.len();
        order.extend(ones.next());
        order.extend(others.next());
        if order.len() == before {
            return order;
        }
    }
}

/// Why none of a host's addresses takes a connection, as a fragment that fits after the server's name; each with its place
/// in the order.
pub fn unreachable(mut failed: Vec<(usize, String, String)>) -> String {
    failed.sort_unstable();
    match failed.as_slice() {
        [(_, _, why)] => format!("can't be reached: {why}"),
        several => {
            let each = several.iter().map(|(_, address, why)| format!("{address}: {why}"));
            format!("can't be reached at any of its addresses ({})", each.collect::<Vec<_>>().join("; "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_kinds_of_addresses_take_turns() {
        let order = |addresses: &[&'static str]| in_turn(addresses.iter().copied(), |address| address.contains(':'));
        assert_eq!(order(&["::1", "::2", "::3", "127.0.0.1", "::1"]), ["::1", "127.0.0.1", "::2", "::3"]);
        assert_eq!(order(&["127.0.0.1", "::1"]), ["127.0.0.1", "::1"]);
        assert_eq!(order(&[]), [""; 0]);
    }

    #[test]
    fn each_address_is_told_with_what_it_said() {
        let failed = |place, address: &str, why: &str| (place, address.to_owned(), why.to_owned());
        let refused = failed(1, "10.0.0.1", "Connection refused");
        assert_eq!(unreachable(vec![refused.clone()]), "can't be reached: Connection refused");
        assert_eq!(
            unreachable(vec![refused, failed(0, "fe80::1", "No route to host")]),
            "can't be reached at any of its addresses (fe80::1: No route to host; 10.0.0.1: Connection refused)"
        );
    }
}
