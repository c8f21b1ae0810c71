//! Which keys may change while a run goes on. The reference is "What may change" in `docs/experiment-file.md`.

/// What a key is to a run that has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sort {
    /// It says which run this is: with another value it would be another run.
    Identity,
    /// How long the run is, which may grow.
    Length,
    /// What is written, scored and kept on the way: free.
    Habit,
}

/// The keys that are not of the identity; `.*` stands for all keys of a table.
const FREE: [(&str, Sort); 9] = [
    ("train.steps", Sort::Length),
    ("name", Sort::Habit),
    ("variant.name", Sort::Habit),
    ("train.checkpoint", Sort::Habit),
    ("train.keep-last", Sort::Habit),
    ("train.keep-every", Sort::Habit),
    ("train.log", Sort::Habit),
    ("eval.*", Sort::Habit),
    ("published.*", Sort::Habit),
];

impl Sort {
    /// The sort of a key by its dotted path, as [`super::Resolved::keys`] gives it.
    pub fn of(path: &str) -> Self {
        let parts: Vec<&str> = path.split('.').filter(|part| part.parse::<usize>().is_err()).collect();
        let path = parts.join(".");
        let is = |free: &str| match free.strip_suffix('*') {
            Some(table) => path.starts_with(table),
            None => path == free,
        };
        FREE.iter().find(|(free, _)| is(free)).map_or(Self::Identity, |(_, sort)| *sort)
    }
}
