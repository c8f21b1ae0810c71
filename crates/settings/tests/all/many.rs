//! Files with very many of something.

use super::read;
use meanflow_settings::{ConfigError, Number, Reader};
use std::{fmt::Write, time::Instant};

/// Of twenty thousand unknown keys the first are shown, and looking at them takes no time.
#[test]
fn twenty_thousand_unknown_keys() {
    let text = (0..20_000).fold("[train]\n".to_owned(), |mut text, i| {
        let _ = writeln!(text, "steqs-{i} = {i}");
        text
    });
    let names = ["batch", "steps", "clip", "checkpoint", "keep-last", "keep-every", "microbatches", "log"];
    let start = Instant::now();
    let error = read(&text, |root| {
        root.section("train", |r: &mut Reader| {
            for name in names {
                r.get(name, Number::ANY, 0.0);
            }
        });
    })
    .unwrap_err();
    let shown = error.to_string();
    // It took 15 s when every problem was laid out; this is no measurement, but a bound for slow machines.
    assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
    assert_eq!(error.problems.len(), 20_000);
    assert_eq!(shown.matches("error: ").count(), ConfigError::SHOWN);
    assert!(shown.starts_with("error: unknown key `steqs-0` in `[train]`\n --> a.toml:2:1\n"), "{shown}");
    let end = "20000 problems, of which these are the first 50; nothing was started";
    assert!(shown.ends_with(end), "{}", &shown[shown.len() - 200..]);
}

#[test]
fn nesting_without_end_is_refused() {
    for text in [format!("a = {}", "[".repeat(100_000)), format!("{} = 1", ["a"; 100_000].join("."))] {
        let error = read(&text, |_| ()).unwrap_err();
        assert!(!error.problems.is_empty());
    }
}
