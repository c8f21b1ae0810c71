//! From files and `--set` arguments to one document tree per variant.

use crate::{
    problem::{ConfigError, Problem, Where},
    reader::Reader,
    source::{Place, Source},
    tree::{self, Kinds, Node, Table, Value, merge},
};
use std::{
    path::{Path, PathBuf},
    str,
    sync::Arc,
};
use toml::de::DeTable;

/// What is the same in all files of a kind.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// What such a file describes, for messages: "the … file".
    pub what: &'static str,
    /// What to say to an empty file.
    pub needs: &'static str,
    /// The tables of which a later one replaces an earlier one as a whole.
    pub kinds: Kinds,
}

/// The documents of a file: what all variants share, and what each changes.
pub struct Document {
    /// The file itself, not those that it extends.
    pub source: Arc<Source>,
    /// Every variant's whole tree, in the order of the file; one without a name if the file lists none.
    pub variants: Vec<VariantTree>,
}

/// One variant's tree, with the key `name` of its `[[variant]]`.
pub struct VariantTree {
    /// The value of `name`.
    pub name: Option<Node>,
    /// Everything that the variant says.
    pub table: Table,
}

/// Reads `path`, what it extends, and lays the overrides on top.
///
/// # Errors
/// A file that cannot be read, is not TOML, or extends itself; overrides that are no `key=value`, or of a kind that no
/// variant has; a list of variants that is none.
pub fn load(path: &Path, overrides: &[String], layout: Layout) -> Result<Document, ConfigError> {
    let source = read(path, Where::Nowhere, layout)?;
    let mut base = extended(&source, layout, &mut vec![canonical(path)])?;
    let listed = base.remove("variant");
    let overrides = overrides.iter().map(|text| parse_override(text)).collect::<Result<Vec<_>, _>>()?;

    let mut problems = Vec::new();
    let mut used = vec![false; overrides.len()];
    let mut variants = Vec::new();
    for (name, changes) in listed_variants(listed.as_ref(), &mut problems) {
        let mut table = base.clone();
        let own_kinds = changes.clone();
        merge(&mut table, changes, layout.kinds);
        for (set, used) in overrides.iter().zip(&mut used) {
            if !set.is_elsewhere(&own_kinds, layout.kinds) {
                merge(&mut table, set.table.clone(), layout.kinds);
                *used = true;
            }
        }
        variants.push(VariantTree { name, table });
    }
    // Without variants there is a problem already, and nothing could be used.
    for (set, _) in overrides.iter().zip(&used).filter(|(_, used)| !variants.is_empty() && !**used) {
        let message = format!("no variant has `{}`", set.path[..2].join("."));
        problems.push(Problem::new(set.place(), message).help("every variant chooses another kind"));
    }
    if problems.is_empty() { Ok(Document { source, variants }) } else { Err(ConfigError::new(problems)) }
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
    Ok(Arc::new(Source { name: name.to_string(), text, folder, is_override: false }))
}

fn canonical(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_path_buf())
}

/// The tree of a text.
///
/// # Errors
/// What is not TOML, and an empty text.
pub fn parse(source: &Arc<Source>, layout: Layout) -> Result<Table, Problem> {
    let document = DeTable::parse(&source.text).map_err(|error| syntax(source, &error))?;
    let table = tree::table(source, document.get_ref());
    if table.is_empty() {
        let problem = Problem::new(source, format!("the {} file is empty", layout.what));
        return Err(problem.help(layout.needs));
    }
    Ok(table)
}

fn syntax(source: &Arc<Source>, error: &toml::de::Error) -> Problem {
    let place = error.span().map(|span| Place { source: source.clone(), span });
    Problem::new(
        place.map_or_else(|| Where::from(source), Where::from),
        format!("not valid TOML: {}", error.message()),
    )
}

/// The tree of `source` over the tree of the file that it extends. The parent's name is its own: two files with one name
/// could not be told apart.
fn extended(source: &Arc<Source>, layout: Layout, above: &mut Vec<PathBuf>) -> Result<Table, Problem> {
    let mut table = parse(source, layout)?;
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

/// One `--set a.b=value`.
struct Override {
    path: Vec<String>,
    table: Table,
}

impl Override {
    /// Whether it is about a kind that a variant with these changes does not have, because it chose another itself.
    fn is_elsewhere(&self, changes: &Table, kinds: Kinds) -> bool {
        let [section, kind, ..] = &self.path[..] else { return false };
        if !kinds.at(&[section]) {
            return false;
        }
        match changes.get(section).map(|node| &node.value) {
            Some(Value::Table(kinds)) => !kinds.is_empty() && !kinds.contains_key(kind),
            _ => false,
        }
    }

    fn place(&self) -> Where {
        self.table.values().next().map_or(Where::Nowhere, |node| Where::from(&node.key))
    }
}

/// The value is TOML; a bare word that is not is a string.
fn parse_override(text: &str) -> Result<Override, Problem> {
    let folder = std::env::current_dir().unwrap_or_default();
    let source = |text: String| {
        Arc::new(Source { name: "--set".to_owned(), text, folder: folder.clone(), is_override: true })
    };
    let given = source(text.to_owned());
    let whole = Place { source: given.clone(), span: 0..text.len() };
    let Some((key, value)) = text.split_once('=') else {
        return Err(Problem::new(whole, "expected `key=value`").help("for example --set train.steps=100"));
    };
    let table = match DeTable::parse(text) {
        Ok(document) => tree::table(&given, document.get_ref()),
        Err(error) if value.trim().is_empty() || value.trim().starts_with(['"', '\'', '[', '{']) => {
            return Err(syntax(&given, &error));
        }
        Err(_) => {
            let quoted = source(format!("{key}={}", crate::scalar::quote(value.trim())));
            let document = DeTable::parse(&quoted.text).map_err(|error| syntax(&given, &error))?;
            tree::table(&quoted, document.get_ref())
        }
    };
    let path = path_of(&table);
    match path.first().map(String::as_str) {
        _ if table.len() != 1 => Err(Problem::new(whole, "expected one `key=value`")),
        Some(key @ ("extends" | "variant")) => {
            Err(Problem::new(whole, format!("`{key}` can only be written in the file")))
        }
        _ => Ok(Override { path, table }),
    }
}

/// The dotted key of a table with one key: down to the first value or the first table with several keys.
fn path_of(table: &Table) -> Vec<String> {
    let mut path = Vec::new();
    let mut table = table;
    while let Some((key, node)) = table.iter().next().filter(|_| table.len() == 1) {
        path.push(key.clone());
        match &node.value {
            Value::Table(inner) => table = inner,
            _ => break,
        }
    }
    path
}

/// Tells the reader of the root about the keys that loading has used up, so that they are among the valid names.
pub fn ask(root: &mut Reader) {
    let _ = (root.node("extends"), root.node("variant"));
}
