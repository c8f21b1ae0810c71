//! Documents that are read as a whole, each variant for itself.

use crate::{
    children::{Child, KEYS},
    layout::Layout,
    parse,
    problem::{ConfigError, Problem, Where},
    reader::{Asked, Reader},
    resolved::Resolved,
    source::Source,
    tree::{Node, Table, Value},
};
use std::{collections::BTreeMap, sync::Arc};

/// The documents of a file: the whole tree of each of its variants.
#[derive(Debug)]
pub struct Document {
    /// The file itself, not those that it extends.
    pub source: Arc<Source>,
    /// In the order of the file; one without a name if the file lists none.
    pub variants: Vec<VariantTree>,
    /// What all files of its kind have in common.
    pub layout: Layout,
}

/// One variant's tree.
#[derive(Clone, Debug)]
pub struct VariantTree {
    /// The value of `name` in its `[[variant]]`, with what its seed and its place in a sweep add to it.
    pub name: Option<Node>,
    /// What those add, for a variant without a name.
    pub suffix: String,
    /// Everything that the variant says.
    pub table: Table,
}

/// What reading the variants of a document gave.
#[derive(Debug)]
pub struct Reading<T> {
    /// What was read of each variant that could be read, and every key of it.
    pub variants: Vec<(T, Resolved)>,
    /// What is wrong. A problem that only some variants have names them.
    pub problems: Vec<Problem>,
}

impl VariantTree {
    /// A child of the variant with this name.
    pub(crate) fn of(name: Option<Node>, Child { suffix, table }: Child) -> Self {
        let name = name.map(|node| match node.value {
            Value::String(name) => Node { value: Value::String(format!("{name}{suffix}")), ..node },
            _ => node,
        });
        Self { name, suffix, table }
    }
}

impl Document {
    /// The document of a text by itself: without variants, whatever it extends, and with paths relative to the current
    /// folder. It may be empty.
    ///
    /// # Errors
    /// A text that is not TOML.
    pub fn of_text(name: &str, text: &str, layout: Layout) -> Result<Self, ConfigError> {
        let source = Source::file(name, text, "");
        let table = parse::table(&source)?;
        Ok(Self { source, variants: vec![VariantTree { name: None, suffix: String::new(), table }], layout })
    }

    /// Of the first variant the table `key` alone, whatever else there is.
    pub fn part(mut self, key: &str) -> Self {
        self.variants.truncate(1);
        for variant in &mut self.variants {
            (variant.name, variant.suffix) = (None, String::new());
            variant.table.retain(|other, _| other == key);
        }
        self
    }

    /// Reads every variant with `read`, which is given its tree and answers `None` after a problem.
    pub fn read<T>(&self, mut read: impl FnMut(&mut Reader, &VariantTree) -> Option<T>) -> Reading<T> {
        let (mut shared, mut variants) = (Shared::default(), Vec::new());
        for tree in &self.variants {
            let mut log = Asked::new(self.layout.what);
            let value = Reader::document(&mut log, &tree.table, Where::from(&self.source), |root| {
                // Loading has used them up; they are among the valid names.
                for used in ["extends", "variant"].into_iter().chain(KEYS) {
                    let _ = root.node(used);
                }
                read(root, tree)
            });
            shared.add(log.problems, tree);
            variants.extend(value.map(|value| (value, log.resolved)));
        }
        Reading { variants, problems: shared.of(self.variants.len()) }
    }
}

impl<T> Reading<T> {
    /// What was read of all variants.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn done(self) -> Result<Vec<(T, Resolved)>, ConfigError> {
        if self.problems.is_empty() { Ok(self.variants) } else { Err(ConfigError::new(self.problems)) }
    }

    /// What was read of the only variant.
    ///
    /// # Errors
    /// Everything that is wrong, and that there is no variant.
    pub fn only(self) -> Result<(T, Resolved), ConfigError> {
        let nothing = || ConfigError::from(Problem::new(Where::Nowhere, "there is nothing to read"));
        self.done()?.pop().ok_or_else(nothing)
    }
}

/// Problems with the variants that have them: most are shared by all.
#[derive(Default)]
struct Shared {
    problems: Vec<(Problem, Vec<String>)>,
    /// Where a problem stands in the list, by its place and message.
    index: BTreeMap<((bool, String, usize), String), usize>,
}

impl Shared {
    fn add(&mut self, problems: Vec<Problem>, variant: &VariantTree) {
        let name = match variant.name.as_ref().map(|node| &node.value) {
            Some(Value::String(name)) => name.clone(),
            _ => variant.suffix.trim_start_matches('+').to_owned(),
        };
        for problem in problems {
            let next = self.problems.len();
            match *self.index.entry((problem.order(), problem.message.clone())).or_insert(next) {
                known if known < next => {
                    let variants = &mut self.problems[known].1;
                    if variants.last() != Some(&name) {
                        variants.push(name.clone());
                    }
                }
                _ => self.problems.push((problem, vec![name.clone()])),
            }
        }
    }

    /// Each problem once, with the names of its variants unless all of the `count` have it.
    fn of(self, count: usize) -> Vec<Problem> {
        let named = |(problem, variants): (Problem, Vec<String>)| {
            if variants.len() >= count {
                return problem;
            }
            let names: Vec<String> = variants.iter().map(|name| format!("`{name}`")).collect();
            Problem { message: format!("{}, in variant {}", problem.message, names.join(", ")), ..problem }
        };
        self.problems.into_iter().map(named).collect()
    }
}
