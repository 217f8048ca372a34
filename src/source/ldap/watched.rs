//! A directory whose reading somebody watches: a large one takes a while.

use super::directory::{Ask, Broken, Directory, Ended, Item};

/// Who watches.
pub trait Watch {
    /// So many more entries are known to come.
    fn expect(&self, more: u64);
    /// So many more have come.
    fn seen(&self, more: u64);
}

/// A directory, and who watches it being read.
pub struct Watched<'a> {
    pub directory: &'a mut dyn Directory,
    pub watch: &'a dyn Watch,
}

impl std::fmt::Debug for Watched<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watched").field("server", &self.directory.server()).finish_non_exhaustive()
    }
}

impl Directory for Watched<'_> {
    fn ask(&mut self, ask: &Ask<'_>, each: &mut dyn FnMut(Item)) -> Result<Ended, Broken> {
        let mut more = 0;
        let ended = self.directory.ask(ask, &mut |item| {
            more += 1;
            each(item);
        });
        self.watch.seen(more);
        ended
    }

    fn expect(&mut self, more: u64) {
        self.watch.expect(more);
    }

    fn who_am_i(&mut self) -> Result<Option<String>, Broken> {
        self.directory.who_am_i()
    }

    fn server(&self) -> &str {
        self.directory.server()
    }
}
