//! What a request does with a repository, which decides what credentials and which token it needs.

/// Whether a request reads or writes a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Reads.
    Pull,
    /// Writes, and reads what is there already.
    Push,
    /// Deletes, and reads what is there.
    Delete,
}

/// The rights that a request needs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Access {
    /// The repository.
    pub repository: String,
    /// What happens to it.
    pub action: Action,
    /// A second repository that a blob is mounted from (distribution-spec, "Mounting a blob from
    /// another repository").
    pub from: Option<String>,
}

impl Access {
    /// Reading a repository.
    pub fn pull(repository: &str) -> Self {
        Access { repository: repository.to_owned(), action: Action::Pull, from: None }
    }

    /// Writing a repository.
    pub fn push(repository: &str) -> Self {
        Access { repository: repository.to_owned(), action: Action::Push, from: None }
    }

    /// Deleting in a repository.
    pub fn delete(repository: &str) -> Self {
        Access { repository: repository.to_owned(), action: Action::Delete, from: None }
    }

    /// Listing the repositories of a registry.
    pub(crate) fn catalog() -> Self {
        Access { repository: String::new(), action: Action::Pull, from: None }
    }

    /// The scopes that a token must have (distribution, "Token Scope Documentation").
    pub(crate) fn scopes(&self) -> Vec<String> {
        let actions = match self.action {
            Action::Pull => "pull",
            Action::Push => "pull,push",
            Action::Delete => "pull,push,delete",
        };
        let own = if self.repository.is_empty() {
            "registry:catalog:*".to_owned()
        } else {
            format!("repository:{}:{actions}", self.repository)
        };
        let from = self.from.as_ref().map(|from| format!("repository:{from}:pull"));
        std::iter::once(own).chain(from).collect()
    }
}
