//! Scores of a run that stay in its folder, `scores.jsonl`: one JSON object a line.

use crate::{Output, Request, ScoreError, date::utc, error::Of, output::number};
use serde_json::{Map, Value as Json, json};
use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::Path,
    time::SystemTime,
};

/// Its name in a run folder.
pub const FILE: &str = "scores.jsonl";

/// Appends the scores of a run: all of them or, if the machine fails meanwhile, a torn last line, which readers pass over.
///
/// # Errors
/// A file that cannot be written.
pub(crate) fn append(run: &Path, output: &Output, request: &Request) -> Result<(), ScoreError> {
    let date = utc(SystemTime::now());
    let lines: String = lines(output, request, &date).iter().map(|line| format!("{line}\n")).collect();
    let path = run.join(FILE);
    write(&path, &lines).of(|| format!("{}: the scores are not kept", path.display()))
}

/// One process at a time, by the operating system's lock, and in one write.
fn write(path: &Path, lines: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().create(true).read(true).append(true).open(path)?;
    file.lock()?;
    // What an earlier write left torn is a line of its own.
    let start = if ends_a_line(&mut file)? { "" } else { "\n" };
    file.write_all(format!("{start}{lines}").as_bytes())?;
    file.sync_all()
}

fn ends_a_line(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

fn lines(output: &Output, request: &Request, date: &str) -> Vec<Json> {
    let line = |score: &crate::Score| {
        let n = |(name, _): &&(&str, f64)| *name == "n";
        let compared = score.value.with.iter().find(n).map(|(_, n)| *n as usize);
        let mut line = json!({
            "kind": "score", "date": date, "metric": score.name, "value": score.value.value,
            "interval": score.value.interval, "floor": score.floor, "better": score.better.name(),
            "n": compared.or(output.n), "reference": score.reference, "reference_n": score.real, "nfe": output.nfe,
        });
        let own = ["step", "ema", "solver", "noise"];
        for key in own {
            line[key] = output.of.get(key).cloned().unwrap_or_default();
        }
        // A spread is no setting: it belongs to these samples.
        let with = score.value.with.iter().filter(|pair| !n(pair) && pair.0 != "std");
        let mut settings: Map<String, Json> =
            with.map(|(name, value)| ((*name).to_owned(), number(*value))).collect();
        let of = output.of.iter().filter(|(key, _)| !own.contains(&key.as_str()));
        settings.extend(of.map(|(key, value)| (key.clone(), value.clone())));
        let how = score.how.iter().filter(|(key, _)| *key != "by_class");
        settings.extend(how.map(|(key, value)| (key.clone(), value.clone())));
        settings.insert("repeats".to_owned(), json!(request.settings.repeats));
        line["settings"] = Json::Object(settings);
        line
    };
    output.scores.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn lines_are_added_after_a_torn_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        write(&path, "{\"a\":1}\n").unwrap();
        write(&path, "{\"a\":2}\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"a\":1}\n{\"a\":2}\n");
        fs::write(&path, "{\"a\":1}\n{\"a\"").unwrap();
        write(&path, "{\"a\":3}\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"a\":1}\n{\"a\"\n{\"a\":3}\n");
    }
}
