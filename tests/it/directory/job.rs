//! The whole of it: a group of a domain, and what happens to its people, up to the request on the wire.

use std::time::Instant;

use super::Directory;
use super::reader::{groups, world};
use super::samba::Samba;
use crate::world::{World, people};

/// Makes a change, has rosterd look, and prints how long it took from the change to the last request on the wire.
/// `begun` is when the sandbox began to count.
fn after(world: &World, begun: Instant, what: &str, change: impl FnOnce()) -> Vec<String> {
    let before = world.sandbox.requests().len();
    change();
    let changed = begun.elapsed();
    world.run_to(0, &["sync"]);
    let requests = world.sandbox.requests().split_off(before);
    let told: Vec<String> =
        requests.iter().map(|request| format!("{} {}", request.method, request.emails.join(" "))).collect();
    if let Some(last) = requests.last() {
        println!("{:>6.1?} from the change to the wire: {what}: {}", last.at.saturating_sub(changed), told.join(", "));
    }
    told
}

#[test]
#[expect(clippy::disallowed_methods, reason = "this measures")]
fn a_group_of_a_domain_is_followed_to_the_wire() {
    let samba = Samba::start();
    let inner = samba.add_group("berlin", &samba.people(3..5));
    let group = samba.add_group("staff", &[samba.people(0..3), vec![inner.clone()]].concat());
    let begun = Instant::now();
    let world = world(&samba, &samba.tls_url(), 50, &groups(&[&group]));
    let address = |number: usize| people([number]).concat();
    let put = |number| vec![format!("PUT {}", address(number))];
    let delete = |number| vec![format!("DELETE {}", address(number))];
    let everybody = after(&world, begun, "the first look", || {});
    assert_eq!(everybody, [format!("PUT {}", people(0..5).join(" "))]);
    assert_eq!(after(&world, begun, "a joiner", || samba.join(&group, &samba.person(7))), put(7));
    assert_eq!(after(&world, begun, "a joiner of a group in it", || samba.join(&inner, &samba.person(8))), put(8));
    assert_eq!(after(&world, begun, "a leaver", || samba.leave(&group, &samba.person(0))), delete(0));
    assert_eq!(after(&world, begun, "a leaver of a group in it", || samba.leave(&inner, &samba.person(8))), delete(8));
    assert_eq!(after(&world, begun, "one who is disabled", || samba.disable(&samba.person(1))), delete(1));
    let another = || samba.set(&samba.person(2), "mail", &["zoe@contoso.com"]);
    let renamed = after(&world, begun, "another address", another);
    assert_eq!(renamed, ["PUT zoe@contoso.com".to_owned(), format!("DELETE {}", address(2))]);
    let moved = || drop(samba.move_away(&samba.rename(&samba.person(3), "CN=married")));
    assert_eq!(after(&world, begun, "another name and place", moved), [""; 0]);
    assert_eq!(after(&world, begun, "one who is deleted", || samba.delete(&samba.person(4))), delete(4));
    assert_eq!(after(&world, begun, "the inner group leaves", || samba.leave(&group, &inner)), delete(3));
    assert_eq!(world.assigned(), [people([7]), vec!["zoe@contoso.com".to_owned()]].concat());
}
