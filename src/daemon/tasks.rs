//! Tasks that are under way, each with the name of what it works on, which is known also when a task panics: what it
//! worked on is not forgotten.

use std::collections::HashMap;
use std::future::Future;

use tokio::task::{Id, JoinSet};

/// The defect that ended a task has been said; what it worked on is to be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a defect in rosterd ended the task; it is tried again")]
pub(super) struct Panicked;

#[derive(Debug)]
pub(super) struct Tasks<T> {
    set: JoinSet<T>,
    names: HashMap<Id, String>,
}

impl<T: Send + 'static> Tasks<T> {
    pub(super) fn new() -> Tasks<T> {
        Tasks { set: JoinSet::new(), names: HashMap::new() }
    }

    pub(super) fn start(&mut self, name: String, task: impl Future<Output = T> + Send + 'static) {
        let id = self.set.spawn(task).id();
        self.names.insert(id, name);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.set.is_empty()
    }

    /// The next one that ends; `None` where nothing is under way. Nothing is lost when the future is dropped.
    pub(super) async fn next(&mut self) -> Option<(String, Result<T, Panicked>)> {
        let (id, result) = match self.set.join_next_with_id().await? {
            Ok((id, result)) => (id, Ok(result)),
            Err(error) => (error.id(), Err(Panicked)),
        };
        Some((self.names.remove(&id).unwrap_or_default(), result))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_is_known_by_its_name() {
        let mut tasks = Tasks::new();
        tasks.start("contoso".to_owned(), async { panic!("a defect") });
        assert_eq!(tasks.next().await, Some(("contoso".to_owned(), Err(Panicked))));
        tasks.start("fabrikam".to_owned(), async { 7 });
        assert_eq!(tasks.next().await, Some(("fabrikam".to_owned(), Ok(7))));
        assert_eq!(tasks.next().await, None);
        assert!(tasks.is_empty());
    }
}
