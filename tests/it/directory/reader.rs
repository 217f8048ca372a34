//! A world whose source is a directory.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::Directory;
use crate::world::World;

/// A world whose source is this directory, reached at this URL; `keys` is put into `[sources.hr]`. Whoever is missing
/// is taken back at once.
pub(crate) fn world(directory: &impl Directory, url: &str, seats: u64, keys: &str) -> World {
    let world = World::new(seats);
    read_from(&world, directory, url, keys);
    world
}

/// Makes this directory the world's source, as [`world`] does.
pub(crate) fn read_from(world: &World, directory: &impl Directory, url: &str, keys: &str) {
    let [name, password] = directory.syncer();
    let secret = world.path("directory.password");
    fs::write(&secret, password).unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    point(
        world,
        directory,
        url,
        &format!("bind_dn = \"{name}\"\nbind_password = {{ file = \"directory.password\" }}\n{keys}"),
    );
}

/// Points the world's source at a directory; `keys` say how rosterd shows who it is, and everything else.
pub(crate) fn point(world: &World, directory: &impl Directory, url: &str, keys: &str) {
    let subscription = "removal_grace = { left = \"0s\", disabled = \"0s\", vanished = \"0s\" }\n";
    world.configure("", subscription, "");
    let text = fs::read_to_string(world.path("rosterd.toml")).unwrap();
    let (before, _) = text.split_once("[sources.hr]").unwrap();
    let (base, ca) = (directory.base(), directory.ca());
    let source = format!("kind = \"ldap\"\nurls = [\"{url}\"]\nbase_dn = \"{base}\"\nca_file = \"{}\"\n", ca.display());
    fs::write(world.path("rosterd.toml"), format!("{before}[sources.hr]\n{source}{keys}\n")).unwrap();
}

/// `groups` for `[sources.NAME]`.
pub(crate) fn groups(dns: &[&str]) -> String {
    format!("groups = {dns:?}\n")
}
