//! From files and `--set` arguments to one document tree per variant.

use crate::{
    children::children,
    document::{Document, VariantTree},
    layout::Layout,
    merge::merge,
    parse,
    problem::{ConfigError, Problem, Where},
    set::Override,
    source::Source,
    tree::{Node, Table, Value},
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

impl Document {
    /// Reads the file at `path` and what it extends, and lays the overrides (`a.b=value`) on each of its variants.
    ///
    /// # Errors
    /// A file that cannot be read, is empty, is not TOML, or extends itself; overrides that are no `key=value`, or of a kind
    /// that no variant has; a list of variants that is none.
    pub fn load(path: &Path, overrides: &[String], layout: Layout) -> Result<Self, ConfigError> {
        let source = read(path, Where::Nowhere, layout)?;
        let mut base = extended(&source, layout, &mut vec![canonical(path)])?;
        let listed = base.remove("variant");
        let overrides = overrides.iter().map(|text| Override::parse(text)).collect::<Result<Vec<_>, _>>()?;

        let mut problems = Vec::new();
        let mut used = vec![false; overrides.len()];
        let merged = |(name, changes): (Option<Node>, Table)| {
            let (mut table, own_kinds) = (base.clone(), changes.clone());
            merge(&mut table, changes, layout.kinds);
            (name, table, own_kinds)
        };
        let mut all: Vec<_> =
            listed_variants(listed.as_ref(), &mut problems).into_iter().map(merged).collect();
        for (set, used) in overrides.iter().zip(&mut used) {
            // A key of a kind is for those that have it; where nobody has it, the kind is chosen.
            let somebody = all.iter().any(|(_, table, _)| set.fits(table, layout.kinds) == Some(true));
            for (_, table, own_kinds) in &mut all {
                let others = somebody && set.fits(table, layout.kinds) == Some(false);
                if !others && !set.is_elsewhere(own_kinds, layout.kinds) {
                    merge(table, set.table.clone(), layout.kinds);
                    *used = true;
                }
            }
        }
        let mut variants = Vec::new();
        for (name, table, _) in all {
            match children(table, layout.kinds) {
                Ok(all) => variants.extend(all.into_iter().map(|child| VariantTree::of(name.clone(), child))),
                Err(problem) => problems.push(problem),
            }
        }
        // Several variants share what stands above them.
        problems.dedup();
        // Without variants there is a problem already, and nothing could be used.
        for (set, _) in overrides.iter().zip(&used).filter(|(_, used)| !variants.is_empty() && !**used) {
            let message = format!("no variant has `{}`", set.path[..2].join("."));
            problems.push(Problem::new(set.place(), message).help("every variant chooses another kind"));
        }
        if problems.is_empty() {
            Ok(Self { source, variants, layout })
        } else {
            Err(ConfigError::new(problems))
        }
    }
}

/// The text of a file; `asked_by` is what to point at if it cannot be read.
fn read(path: &Path, asked_by: Where, layout: Layout) -> Result<Arc<Source>, Problem> {
    let name = path.display();
    let bytes = std::fs::read(path).map_err(|error| {
        Problem::new(asked_by, format!("cannot read the {} file {name}: {error}", layout.what))
    })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = 1 + error.as_bytes()[..valid].iter().filter(|byte| **byte == b'\n').count();
        let byte = error.as_bytes()[valid];
        let message = format!("{name} is not UTF-8 text: byte 0x{byte:02x} in line {line}");
        Problem::new(Where::Nowhere, message).help("the file is to be TOML; save it as UTF-8")
    })?;
    let text = text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text);
    let folder = canonical(path).parent().map(Path::to_path_buf).unwrap_or_default();
    Ok(Source::file(name.to_string(), text, folder))
}

fn canonical(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_path_buf())
}

/// The tree of `source` over the tree of the file that it extends. The parent's name is its own: two files with one name
/// could not be told apart.
fn extended(source: &Arc<Source>, layout: Layout, above: &mut Vec<PathBuf>) -> Result<Table, Problem> {
    let mut table = parse::table(source)?;
    if table.is_empty() {
        let problem = Problem::new(source, format!("the {} file is empty", layout.what));
        return Err(problem.help(layout.needs));
    }
    let Some(node) = table.remove("extends") else { return Ok(table) };
    let Value::String(parent) = &node.value else {
        return Err(Problem::new(&node.place, "`extends`: expected a path").label("expected a path"));
    };
    let folder = Path::new(&source.name).parent().unwrap_or(Path::new(""));
    let path = folder.join(parent);
    let identity = canonical(&path);
    if above.contains(&identity) {
        let message = format!("`extends` goes round in a circle: {} extends itself", path.display());
        return Err(Problem::new(&node.place, message));
    }
    above.push(identity);
    let parent = read(&path, Where::from(&node.place), layout)?;
    let mut merged = extended(&parent, layout, above)?;
    merged.remove("name");
    merge(&mut merged, table, layout.kinds);
    Ok(merged)
}

/// Each `[[variant]]`: its name and what it changes.
fn listed_variants(listed: Option<&Node>, problems: &mut Vec<Problem>) -> Vec<(Option<Node>, Table)> {
    let Some(node) = listed else { return vec![(None, Table::new())] };
    let wrong = |node: &Node| {
        let message = format!("`variant`: expected a list of tables, found {}", node.value.type_name());
        Problem::new(&node.place, message).help("write `[[variant]]` above each variant")
    };
    let Value::Array(items) = &node.value else {
        problems.push(wrong(node));
        return Vec::new();
    };
    if items.is_empty() {
        problems
            .push(Problem::new(&node.place, "`variant` lists nothing").help("leave it out for one variant"));
    }
    let mut variants = Vec::new();
    for item in items {
        let Value::Table(table) = &item.value else {
            problems.push(wrong(item));
            continue;
        };
        let mut changes = table.clone();
        match changes.remove("name") {
            Some(name) => variants.push((Some(name), changes)),
            None => problems.push(Problem::new(&item.place, "missing key `name` in `[[variant]]`")),
        }
    }
    variants
}
