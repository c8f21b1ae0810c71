//! Where the configurations of runs differ.

use toml::{Table, Value};

use crate::run::Run;

/// A key whose value is not the same in all runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The dotted key.
    pub key: String,
    /// The value of every run as TOML, where it has one.
    pub values: Vec<Option<String>>,
}

/// The keys, sorted, whose values differ between the runs.
pub fn differences(runs: &[Run]) -> Vec<Difference> {
    let flat: Vec<Vec<(String, String)>> = runs.iter().map(|run| flatten(&run.config)).collect();
    let mut keys: Vec<&String> = flat.iter().flatten().map(|(key, _)| key).collect();
    // What papers report is no setting.
    keys.retain(|key| !key.starts_with("published."));
    keys.sort();
    keys.dedup();
    keys.into_iter()
        .map(|key| {
            let value =
                |flat: &Vec<(String, String)>| flat.iter().find(|(k, _)| k == key).map(|(_, v)| v.clone());
            Difference { key: key.clone(), values: flat.iter().map(value).collect() }
        })
        .filter(|difference| difference.values.windows(2).any(|pair| pair[0] != pair[1]))
        .collect()
}

/// A table as dotted keys and values in TOML; arrays of tables by place: `ema.0.decay`.
pub fn flatten(table: &Table) -> Vec<(String, String)> {
    fn walk(prefix: &str, value: &Value, out: &mut Vec<(String, String)>) {
        let below = |key: &str| if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") };
        match value {
            Value::Table(table) if !table.is_empty() => {
                table.iter().for_each(|(key, value)| walk(&below(key), value, out));
            }
            Value::Array(list) if list.iter().any(Value::is_table) => {
                list.iter()
                    .enumerate()
                    .for_each(|(place, value)| walk(&below(&place.to_string()), value, out));
            }
            other => out.push((prefix.to_owned(), other.to_string())),
        }
    }
    let mut out = Vec::new();
    walk("", &Value::Table(table.clone()), &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_dotted() {
        let text =
            "seed = 0\n[[ema]]\ndecay = 0.999\n[net.dit]\nwidth = 128\n[train]\nnfe = [1, 2]\nnote = \"a\"\n";
        let flat = flatten(&text.parse().unwrap());
        let flat: Vec<(&str, &str)> = flat.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert!(flat.contains(&("ema.0.decay", "0.999")) && flat.contains(&("net.dit.width", "128")));
        assert!(flat.contains(&("train.nfe", "[1, 2]")) && flat.contains(&("train.note", "\"a\"")));
        assert_eq!(flat.len(), 5);
    }
}
