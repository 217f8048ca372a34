//! The set-ups under `examples/` work as they are: each is copied, given keys, and run against a sandbox.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rosterd::config::SubscriptionType;
use rosterd::sandbox::{Options, Subscription};
use uuid::Uuid;

use crate::world::World;

/// The address of the sandbox in the examples.
const SANDBOX: &str = "http://127.0.0.1:8402";

/// A copy of one example, with a server that has its subscriptions.
struct Example {
    world: World,
    ids: Vec<Uuid>,
}

impl Example {
    /// `seats` are those of its subscriptions, in the order of their names.
    fn new(name: &str, seats: &[u64]) -> Example {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
        let mut configurations = vec![from.join("rosterd.toml")];
        if let Ok(clients) = fs::read_dir(from.join("clients")) {
            let files = clients.map(|entry| entry.unwrap().path());
            configurations.extend(files.filter(|path| path.extension().is_some_and(|ending| ending == "toml")));
        }
        configurations.sort_by_key(|path| path.components().count());
        configurations[1..].sort();
        let texts: Vec<(PathBuf, String)> =
            configurations.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect();

        let keys: Vec<(Uuid, PathBuf)> = texts
            .iter()
            .filter_map(|(path, text)| Some((value(text, "id = \"")?, path.parent()?.join(value(text, "file = \"")?))))
            .map(|(id, key)| (Uuid::parse_str(id).unwrap(), key.strip_prefix(&from).unwrap().to_owned()))
            .collect();
        assert_eq!(keys.len(), seats.len(), "{name} has other subscriptions");
        let subscription = |((id, _), seats): (&(Uuid, PathBuf), &u64)| {
            Subscription::new(SubscriptionType::Manual, *id, key_of(*id).into(), *seats)
        };
        let subscriptions = keys.iter().zip(seats).map(subscription).collect();
        let world = World::with(0, Options { subscriptions, ..Options::default() }, "");

        for (path, text) in &texts {
            let copy = world.path("").join(path.strip_prefix(&from).unwrap());
            fs::create_dir_all(copy.parent().unwrap()).unwrap();
            fs::write(copy, text.replace(SANDBOX, &world.base_url)).unwrap();
        }
        for (id, key) in &keys {
            fs::write(world.path("").join(key), key_of(*id)).unwrap();
            fs::set_permissions(world.path("").join(key), fs::Permissions::from_mode(0o600)).unwrap();
        }
        Example { world, ids: keys.into_iter().map(|(id, _)| id).collect() }
    }

    fn assigned(&self, subscription: usize) -> Vec<String> {
        self.world.sandbox.assigned(self.ids[subscription]).into_iter().collect()
    }

    /// Drops one of the example's own files.
    fn drop_own(&self, name: &str, file: &str) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name).join(file);
        self.world.drop_file(file, fs::read(path).unwrap());
    }
}

/// A key for a test, not a secret.
fn key_of(id: Uuid) -> String {
    Uuid::from_u128(!id.as_u128()).to_string()
}

/// What stands between this and the next quotation mark.
fn value<'a>(text: &'a str, after: &str) -> Option<&'a str> {
    text.split_once(after)?.1.split('"').next()
}

#[test]
fn the_first_five_minutes() {
    let example = Example::new("first-five-minutes", &[10]);
    let checked = example.world.run_to(0, &["check"]);
    assert_eq!(checked.stderr, "", "it gives no warning");
    example.drop_own("first-five-minutes", "staff.csv");
    example.world.run_to(3, &["plan"]);
    example.world.run_to(3, &["sync"]);
    assert_eq!(example.assigned(0).len(), 10);
    let status = example.world.run_to(3, &["status"]).stdout;
    assert!(status.contains("2 people wait for a licence, 0 of 10 seats are free: buy 2."), "{status}");
    let why = example.world.run_to(0, &["explain", "radia@contoso.com"]).stdout;
    assert!(why.contains("number 2 of 2 in the queue"), "{why}");
}

#[test]
fn a_reseller() {
    let example = Example::new("reseller", &[10, 10, 2]);
    let checked = example.world.run_to(0, &["check"]);
    assert_eq!(checked.stderr, "", "it gives no warning");
    example.drop_own("reseller", "people.csv");
    example.world.run_to(3, &["sync"]);
    assert_eq!(example.assigned(0), ["ada@contoso.com", "alan@contoso.com", "ceo@contoso.com"]);
    assert_eq!(example.assigned(1), ["edsger@fabrikam.de", "grace@fabrikam.com"]);
    assert_eq!(example.assigned(2), ["john@northwind.example", "radia@northwind.example"]);
    let quarantined = example.world.run_to(0, &["members", "--state", "quarantined"]).stdout;
    assert!(quarantined.contains("ken@contoso.com"), "{quarantined}");

    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/reseller/people.csv");
    let people = fs::read_to_string(path).unwrap();
    let rest: Vec<&str> = people.lines().filter(|row| !row.contains("ceo@") && !row.contains("edsger@")).collect();
    example.world.drop_file("later.csv", rest.join("\n"));
    example.world.run_to(3, &["sync"]);
    assert!(example.assigned(0).contains(&"ceo@contoso.com".to_owned()), "protected");
    assert_eq!(example.assigned(1), ["grace@fabrikam.com"], "no grace for this client");
}
