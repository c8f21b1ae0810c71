//! Whole pages from made-up run folders.

mod synthetic;

use std::{
    fs,
    path::{Path, PathBuf},
};

use meanflow_report::{ReportError, Summary, write};
use serde_json::{Value, json};
use synthetic::{MADE, Made, image_run, point_run};

struct Page {
    summary: Summary,
    html: String,
    scores: Value,
}

fn report(runs: &[PathBuf], out: &Path) -> Page {
    let summary = write(runs, out).unwrap();
    let html = fs::read_to_string(&summary.index).unwrap();
    let scores = serde_json::from_slice(&fs::read(&summary.scores).unwrap()).unwrap();
    Page { summary, html, scores }
}

fn names(summary: &Summary) -> Vec<String> {
    summary.figures.iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
}

/// Nothing in the page may be fetched: no script, no sheet, no picture from elsewhere. Its one script is inside it and asks for nothing.
fn check_self_contained(html: &str) {
    for forbidden in ["<script ", "fetch(", "import(", "XMLHttp", "<link", "@import", "src=", "url("] {
        assert!(!html.contains(forbidden), "{forbidden}");
    }
    for (at, _) in html.match_indices("href=\"") {
        let value = &html[at + 6..][..html[at + 6..].find('"').unwrap()];
        let local = !value.contains(':') && (value.ends_with(".svg") || value.ends_with(".png"));
        assert!(local || value.starts_with("data:image/png;base64,"), "{}", &value[..value.len().min(60)]);
    }
    let elsewhere =
        html.match_indices("http").filter(|(at, _)| !html[*at..].starts_with("http://www.w3.org/"));
    assert_eq!(elsewhere.count(), 0);
}

#[test]
fn an_image_experiment() {
    let root = tempfile::tempdir().unwrap();
    let runs: Vec<PathBuf> = MADE.iter().map(|made| image_run(root.path(), made)).collect();
    let page = report(&runs, &root.path().join("quickstart/report"));
    assert_eq!(page.summary.notes, [""; 0]);
    let figures = ["samples-first", "score-nfe", "samples", "score-images", "cost", "loss"];
    let files: Vec<String> =
        figures.iter().flat_map(|name| [format!("{name}.svg"), format!("{name}.png")]).collect();
    assert_eq!(names(&page.summary), files);
    for path in &page.summary.figures {
        let size = fs::metadata(path).unwrap().len();
        assert!(size > 2_000, "{} has {size} bytes", path.display());
    }
    check_self_contained(&page.html);
    let expected = [
        "<h1>quickstart</h1>",
        "one-step MeanFlow against flow matching on made-up data.",
        "fashion-mnist, 10000 images",
        "n = 2,000",
        "objective.meanflow.share",
        "1,234,567",
        "meanflow run experiments/quickstart.toml --set",
        "with uncommitted changes",
        "38 bytes, in env.json",
        "It is not the FID",
    ];
    for text in expected {
        assert!(page.html.contains(text), "{text}");
    }
    assert!(!page.html.contains("not complete"));

    // 90·0.24 and 90·0.98, each 1 + 2e⁻³ above its limit.
    let best: Vec<bool> =
        scores(&page.scores, "fd_pca64").iter().map(|score| score["best"] == true).collect();
    assert_eq!(best, [true, true, true, false, false, false, false]);
    let first = &scores(&page.scores, "fd_pca64")[0];
    assert!((first["value"].as_f64().unwrap() - 21.6 * (1.0 + 2.0 * (-3.0f64).exp())).abs() < 1e-9);
    assert_eq!((first["n"].as_u64(), first["step"].as_u64()), (Some(2000), Some(2700)));
}

/// Of the made-up runs, MeanFlow is better at one evaluation and flow matching costs as much: 172,800 images of a GFLOP.
#[test]
fn figures_of_papers_and_of_cost_stand_beside_ours() {
    let root = tempfile::tempdir().unwrap();
    let runs: Vec<PathBuf> = MADE.iter().map(|made| image_run(root.path(), made)).collect();
    let says = |theirs: [f64; 2]| {
        for run in &runs {
            let mut config = fs::read_to_string(run.join("config.toml")).unwrap();
            config.truncate(config.find("[[published]]").unwrap_or(config.len()));
            for (name, value) in ["meanflow", "flow-matching"].iter().zip(theirs) {
                config += &format!(
                    "[[published]]\nvariant = \"{name}\"\nmetric = \"fid\"\nnfe = 1\nvalue = {value}\nsource = \"a paper\"\n"
                );
            }
            fs::write(run.join("config.toml"), config).unwrap();
        }
        report(&runs, &root.path().join("report"))
    };
    let page = says([61.06, 328.91]);
    assert!(page.html.contains("61.06") && page.html.contains("328.91"));
    assert!(page.html.contains("1 of 1 pairs of variants stand in the same order"));
    assert!(!page.html.contains("published.0"), "what papers report is no setting");
    assert!(says([400.0, 328.91]).html.contains("0 of 1 pairs of variants stand in the same order"));

    let cost = fs::read_to_string(root.path().join("report/cost.svg")).unwrap();
    for spent in ["images seen", "floating-point operations of training", "seconds of training", "150T"] {
        assert!(cost.contains(spent), "{spent}");
    }
    let csv = fs::read_to_string(root.path().join("report/scores.csv")).unwrap();
    assert!(csv.starts_with("configuration,fd_pca64@1,fd_pca64@1 std,") && csv.lines().count() == 3, "{csv}");
}

/// Three seeds of a run on points: scores of seed 1 are a tenth higher, those of seed 2 two.
fn seeds(root: &Path, made: &Made) -> Vec<PathBuf> {
    let one = |seed: i64| {
        let from = point_run(&root.join(seed.to_string()), made);
        let config = fs::read_to_string(from.join("config.toml")).unwrap();
        fs::write(from.join("config.toml"), config.replace("seed = 0", &format!("seed = {seed}"))).unwrap();
        let line = |line: &str| {
            let mut line: Value = serde_json::from_str(line).unwrap();
            if let Some(value) = line["value"].as_f64() {
                line["value"] = (value * (1.0 + 0.1 * seed as f64)).into();
            }
            format!("{line}\n")
        };
        let log = fs::read_to_string(from.join("metrics.jsonl")).unwrap();
        fs::write(from.join("metrics.jsonl"), log.lines().map(line).collect::<String>()).unwrap();
        let to = root.join("checkerboard").join(format!("{}+seed={seed}", made.variant));
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::rename(from, &to).unwrap();
        to
    };
    [2, 0, 1].map(one).to_vec()
}

#[test]
fn runs_of_several_seeds_are_taken_together() {
    let root = tempfile::tempdir().unwrap();
    let runs: Vec<PathBuf> = MADE.iter().flat_map(|made| seeds(root.path(), made)).collect();
    let page = report(&runs, &root.path().join("checkerboard/report"));
    let groups = page.scores["seeds"].as_array().unwrap();
    let labels: Vec<&str> = groups.iter().map(|group| group["label"].as_str().unwrap()).collect();
    assert_eq!(labels, ["meanflow", "flow-matching"]);
    assert_eq!(groups[0]["runs"], json!(["meanflow+seed=0", "meanflow+seed=1", "meanflow+seed=2"]));
    // Of x, 1.1x and 1.2x: mean 1.1x, standard deviation 0.1x.
    let of = |all: &Value| -> Vec<f64> {
        let lines = all.as_array().unwrap().iter().filter(|line| line["metric"] == "w2" && line["nfe"] == 1);
        lines.flat_map(|line| ["mean", "std"].map(|key| line[key].as_f64().unwrap())).collect()
    };
    let [mean, std] = of(&groups[0]["scores"])[..] else { panic!("one line") };
    assert!((std / mean - 0.1 / 1.1).abs() < 1e-12, "{mean} ± {std}");
    assert_eq!(groups[0]["scores"][0]["n"], 3);
    let says = "w2 at 1 NFE: meanflow has the lowest mean, lower than flow-matching in 3 of 3 seeds.";
    assert!(page.html.contains(says), "the verdict is not on the page");
    let figures = names(&page.summary);
    assert!(
        figures.contains(&"seeds-nfe.svg".to_owned()) && figures.contains(&"seeds-images.png".to_owned())
    );
    // Curves of single runs would repeat them; pictures are of one run of each.
    assert!(!figures.iter().any(|name| name.starts_with("score-")), "{figures:?}");
    let drawn = fs::read_to_string(root.path().join("checkerboard/report/densities-first.svg")).unwrap();
    assert!(drawn.contains("meanflow+seed=0, 1 NFE") && !drawn.contains("meanflow+seed=1"));
    // The headline is of the means.
    assert!(page.html.contains("w2 at 1 NFE, mean over seeds"));
    let mean = format!("{mean:.3}");
    let headline = &page.html[page.html.find("class=\"headline\"").unwrap()..];
    assert!(
        headline[..600].contains(&mean) && !headline[..600].contains("+seed="),
        "{mean}: {}",
        &headline[..600]
    );
    check_self_contained(&page.html);
}

#[test]
fn one_seed_is_no_group() {
    let root = tempfile::tempdir().unwrap();
    let runs: Vec<PathBuf> = MADE.iter().map(|made| point_run(root.path(), made)).collect();
    let page = report(&runs, &root.path().join("report"));
    assert_eq!(page.scores["seeds"], json!([]));
    assert!(!page.html.contains("Over seeds"));
}

fn scores<'a>(all: &'a Value, metric: &str) -> Vec<&'a Value> {
    let rows = all["rows"].as_array().unwrap();
    rows.iter()
        .flat_map(|row| row["scores"].as_array().unwrap())
        .filter(|score| score["metric"] == metric)
        .collect()
}

/// What `meanflow eval` kept stands on the page; a best is marked among scores of one reference alone.
#[test]
fn scores_that_were_kept() {
    let root = tempfile::tempdir().unwrap();
    let runs: Vec<PathBuf> = MADE.iter().map(|made| image_run(root.path(), made)).collect();
    let line = |metric: &str, value: f64, reference: &str| {
        format!(
            "{{\"kind\":\"score\",\"date\":\"2026-11-28T06:50:00Z\",\"metric\":\"{metric}\",\"value\":{value},\
             \"better\":\"higher\",\"n\":2000,\"reference\":\"{reference}\",\"reference_n\":9000,\"nfe\":1,\"step\":2700,\
             \"ema\":\"0.999\",\"solver\":\"meanflow\",\"settings\":{{\"neighbours\":5}}}}\n"
        )
    };
    let [a, b] = ["a", "b"].map(|letter| letter.repeat(64));
    let texts = [(0.71, 0.61), (0.52, 0.42)];
    for (run, (recall, precision)) in runs.iter().zip(texts) {
        let other = if recall > 0.6 { &a } else { &b };
        let text = line("recall", recall, &a) + &line("precision", precision, other);
        fs::write(run.join("scores.jsonl"), text).unwrap();
    }
    let page = report(&runs, &root.path().join("report"));
    check_self_contained(&page.html);
    let (_, table) = page.html.split_once("Scored afterwards").unwrap();
    let (table, _) = table.split_once("</table>").unwrap();
    for text in
        ["0.71", "0.52", "aaaaaaaa</code>, 9,000", "bbbbbbbb", "2,000", "neighbours 5", "recall</code> ↑"]
    {
        assert!(table.contains(text), "{text} in\n{table}");
    }
    // Recall is of one reference, precision of two.
    assert_eq!(table.matches("num best").count(), 1, "{table}");
    assert!(table.contains("best\">0.71"), "{table}");
    // Without such files there is no such table.
    fs::remove_file(runs[0].join("scores.jsonl")).unwrap();
    fs::remove_file(runs[1].join("scores.jsonl")).unwrap();
    assert!(!report(&runs, &root.path().join("report")).html.contains("Scored afterwards"));
}

/// In the table of the logs neither, where the data of one run is other data.
#[test]
fn no_best_among_numbers_of_different_references() {
    let root = tempfile::tempdir().unwrap();
    let runs: Vec<PathBuf> = MADE.iter().map(|made| image_run(root.path(), made)).collect();
    let log = fs::read_to_string(runs[1].join("metrics.jsonl")).unwrap();
    fs::write(runs[1].join("metrics.jsonl"), log.replace("10000 images", "9000 images")).unwrap();
    let page = report(&runs, &root.path().join("report"));
    let scores = scores(&page.scores, "fd_pca64");
    // At 50 evaluations there is one run alone.
    assert!(scores.len() == 7 && scores.iter().all(|score| score["best"] == false), "{scores:?}");
    assert!(!page.html.contains("class=\"headline\""));
}

#[test]
fn an_experiment_on_points() {
    let root = tempfile::tempdir().unwrap();
    let runs: Vec<PathBuf> = MADE.iter().map(|made| point_run(root.path(), made)).collect();
    let page = report(&runs, &root.path().join("report"));
    let figures = [
        "densities-first",
        "score-nfe",
        "densities",
        "arrows",
        "trajectories",
        "score-images",
        "cost",
        "loss",
    ];
    for name in figures {
        assert!(page.html.contains(&format!("id=\"{name}\"")), "{name}");
    }
    assert_eq!(page.summary.figures.len(), 2 * figures.len());
    check_self_contained(&page.html);
    assert!(page.html.len() < 5_000_000, "{} bytes", page.html.len());
    assert_eq!((scores(&page.scores, "w2").len(), scores(&page.scores, "energy").len()), (7, 7));
    // Rendered again, everything is the same to the byte.
    let again = report(&runs, &root.path().join("again"));
    assert!(again.html == page.html);
}

#[test]
fn a_run_that_is_still_going() {
    let root = tempfile::tempdir().unwrap();
    let runs: Vec<PathBuf> = MADE.iter().map(|made| image_run(root.path(), made)).collect();
    // The first: cut in the middle of a line, no status, a broken picture. The second: only its configuration yet.
    let log = fs::read_to_string(runs[0].join("metrics.jsonl")).unwrap();
    fs::write(runs[0].join("metrics.jsonl"), &log[..log.len() / 2]).unwrap();
    fs::remove_file(runs[0].join("status.json")).unwrap();
    fs::remove_file(runs[0].join("samples/real.png")).unwrap();
    fs::write(runs[0].join("samples/step-00002700-ema-0.999-nfe-1.png"), "torn").unwrap();
    for name in ["metrics.jsonl", "env.json"] {
        fs::remove_file(runs[1].join(name)).unwrap();
    }
    fs::remove_dir_all(runs[1].join("samples")).unwrap();
    fs::write(runs[1].join("status.json"), r#"{"state":"running","step":3,"images":192}"#).unwrap();
    let page = report(&runs, &root.path().join("report"));
    check_self_contained(&page.html);
    assert!(page.html.contains("This report is not complete."));
    let expected = [
        "meanflow: status.json is missing",
        "flow-matching: env.json is missing",
        "flow-matching: metrics.jsonl is missing",
        "flow-matching: the run is not finished: it stands at step 3",
        "flow-matching: no evaluation is logged yet",
    ];
    for note in expected {
        assert!(page.summary.notes.iter().any(|found| found == note), "{note}: {:?}", page.summary.notes);
    }
}

#[test]
fn a_run_with_nothing_but_a_configuration() {
    let root = tempfile::tempdir().unwrap();
    let run = root.path().join("x/only");
    fs::create_dir_all(&run).unwrap();
    fs::write(run.join("config.toml"), "name = [broken").unwrap();
    let page = report(&[run], &root.path().join("report"));
    assert!(page.html.contains("No evaluation is logged yet.") && page.html.contains("<h1>x</h1>"));
    assert!(
        page.summary.notes[0].starts_with("only: config.toml cannot be read"),
        "{:?}",
        page.summary.notes
    );
    assert!(page.summary.figures.is_empty());
}

#[test]
fn equal_names_are_told_apart() {
    let root = tempfile::tempdir().unwrap();
    let runs = [image_run(root.path(), &MADE[0]), point_run(root.path(), &MADE[0])];
    let page = report(&runs, &root.path().join("report"));
    for label in ["quickstart/meanflow", "checkerboard/meanflow", "<h1>quickstart, checkerboard</h1>"] {
        assert!(page.html.contains(label), "{label}");
    }
}

#[test]
fn folders_that_are_no_runs() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("report");
    assert!(matches!(write(&[], &out), Err(ReportError::NoRuns)));
    let file = root.path().join("file");
    fs::write(&file, "x").unwrap();
    for (path, reason) in [
        (root.path().join("none"), "it does not exist"),
        (file, "it is not a folder"),
        (root.path().to_owned(), "it has no config.toml, env.json or metrics.jsonl"),
    ] {
        let error = write(std::slice::from_ref(&path), &out).unwrap_err();
        assert_eq!(error.to_string(), format!("{} is not a run folder: {reason}", path.display()));
        assert!(matches!(error, ReportError::NotARun { .. }));
    }
    assert!(!out.exists(), "nothing is written on an error");
}

/// A long run, and one that is scored often: curves have as many points as can be seen.
#[test]
fn long_logs_make_a_small_page() {
    let root = tempfile::tempdir().unwrap();
    let run = root.path().join("x/long");
    fs::create_dir_all(&run).unwrap();
    let train = |step: usize| {
        let loss = if step == 123_456 { 9.0 } else { 1.0 / (step as f64 + 1.0) };
        format!(
            "{{\"kind\":\"train\",\"step\":{step},\"images\":{step},\"secs\":{step},\"loss\":{loss},\"grad_norm\":{loss}}}\n"
        )
    };
    let eval = |step: usize| {
        format!(
            "{{\"kind\":\"eval\",\"step\":{step},\"images\":{step},\"nfe\":1,\"metric\":\"w2\",\"value\":{}}}\n",
            1 + step % 7
        )
    };
    let log: String = (0..150_000).map(train).chain((0..20_000).map(eval)).collect();
    fs::write(run.join("metrics.jsonl"), log).unwrap();
    let start = std::time::Instant::now();
    let page = report(&[run], &root.path().join("report"));
    assert!(page.html.len() < 1_000_000, "{} bytes", page.html.len());
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
    assert!(names(&page.summary).contains(&"loss.svg".to_owned()));
}

/// A log with thousands of names is shown as far as a page goes, and says so.
#[test]
fn thousands_of_names_are_shown_in_part() {
    let root = tempfile::tempdir().unwrap();
    let line = |n: usize, metric: &str, nfe: usize, ema: &str| {
        format!(
            "{{\"kind\":\"eval\",\"step\":{n},\"images\":{n},\"nfe\":{nfe},\"metric\":\"{metric}\",\"ema\":\"{ema}\",\"value\":1}}\n"
        )
    };
    let long = "m".repeat(5000);
    let logs: [String; 4] = [
        (0..3000).map(|n| line(n, &format!("m{n}"), 1, "0")).collect(),
        (0..3000).map(|n| line(n, "m", n + 1, "0")).collect(),
        (0..3000).map(|n| line(n, "m", 1, &n.to_string())).collect(),
        line(1, "m", 1, "0") + &line(1, &long, 1, "0"),
    ];
    let notes = [
        "names: it has more scores than the 48 columns (metrics and NFEs) that are shown",
        "names: it has more scores than the 48 columns (metrics and NFEs) that are shown",
        "names: it has more averages and solvers than the 16 that are shown",
        "names: metrics.jsonl: 1 unreadable (line 3)",
    ];
    for (log, note) in logs.iter().zip(notes) {
        let run = root.path().join("x/names");
        fs::create_dir_all(&run).unwrap();
        let measures: String = (0..3000).map(|n| format!(",\"a{n}\":{n}")).collect();
        let train = format!("{{\"kind\":\"train\",\"step\":1,\"images\":64{measures}}}\n");
        fs::write(run.join("metrics.jsonl"), train + log).unwrap();
        let page = report(std::slice::from_ref(&run), &root.path().join("report"));
        assert!(page.summary.notes.iter().any(|found| found == note), "{note}: {:?}", page.summary.notes);
        assert!(page.html.len() < 2_000_000, "{} bytes", page.html.len());
    }
}

/// Many runs are all in the tables, and the first of them in the figures.
#[test]
fn of_many_runs_figures_show_some() {
    let root = tempfile::tempdir().unwrap();
    let run = |n: usize| {
        let run = root.path().join(format!("x/run-{n:03}"));
        fs::create_dir_all(&run).unwrap();
        let line = format!(
            "{{\"kind\":\"eval\",\"step\":1,\"images\":1,\"nfe\":1,\"metric\":\"w2\",\"value\":{n}}}\n"
        );
        fs::write(run.join("metrics.jsonl"), line).unwrap();
        fs::write(run.join("config.toml"), format!("name = \"x\"\nwidth = {n}\n")).unwrap();
        run
    };
    let runs: Vec<PathBuf> = (0..60).map(run).collect();
    let page = report(&runs, &root.path().join("report"));
    assert_eq!(page.scores["rows"].as_array().unwrap().len(), 60);
    let drawn = fs::read_to_string(root.path().join("report/score-nfe.svg")).unwrap();
    assert!(drawn.contains("run-047") && !drawn.contains("run-048"));
    assert!(
        page.summary.notes.contains(&"run-048: it is in the tables alone: figures show 48 runs".to_owned())
    );
    assert!(!page.summary.notes.iter().any(|note| note.starts_with("run-047: it is in the tables")));
}
