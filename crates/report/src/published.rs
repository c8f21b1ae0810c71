//! What papers report, beside what came out here.

use crate::{
    groups::{Group, Spread, without_seed},
    log::Better,
    run::Run,
    scores::Scores,
};
use toml::{Table, Value};

/// A figure of a paper.
#[derive(Clone, Debug, PartialEq)]
pub struct Published {
    /// The variant, without its seed.
    pub variant: String,
    /// What was measured.
    pub metric: String,
    /// Evaluations of the network a sample.
    pub nfe: u64,
    /// The figure.
    pub value: f64,
    /// Where it stands.
    pub source: String,
}

/// The figures of one metric and number of evaluations, with ours of the metric that they are compared with.
#[derive(Clone, Debug, PartialEq)]
pub struct Beside {
    /// What the papers measured.
    pub metric: String,
    /// With so many evaluations.
    pub nfe: u64,
    /// What we measured: the same metric where it is there, else the first.
    pub ours: String,
    /// A figure, and ours of the variant if it was run.
    pub rows: Vec<(Published, Option<Spread>)>,
    /// Pairs of variants that stand in the same order here, and pairs. Values that are equal in the paper make no pair.
    pub order: [usize; 2],
}

/// Of all `[[published]]` tables of the runs' configurations, those of the same figure once.
pub fn compare(runs: &[Run], groups: &[Group], scores: &Scores) -> Vec<Beside> {
    let mut all: Vec<Published> = Vec::new();
    for published in runs.iter().flat_map(|run| read(&run.config)) {
        if !all.contains(&published) {
            all.push(published);
        }
    }
    let mut kinds: Vec<(String, u64)> = Vec::new();
    for Published { metric, nfe, .. } in &all {
        if !kinds.iter().any(|(known, at)| known == metric && at == nfe) {
            kinds.push((metric.clone(), *nfe));
        }
    }
    let metrics = scores.metrics();
    let compared = |(metric, nfe): (String, u64)| {
        let ours = metrics.iter().find(|known| **known == metric).or(metrics.first())?.clone();
        let rows = all.iter().filter(|published| published.metric == metric && published.nfe == nfe);
        let rows: Vec<_> =
            rows.map(|published| (published.clone(), value(runs, groups, published, &ours))).collect();
        let better = scores.better(&ours);
        // A metric that we have not is taken for a distance, as nearly all are.
        let theirs = if ours == metric { better } else { Better::Lower };
        let order = agreement(&rows, [theirs, better]);
        Some(Beside { metric, nfe, ours, rows, order })
    };
    kinds.into_iter().filter_map(compared).collect()
}

fn read(config: &Table) -> Vec<Published> {
    let tables = config.get("published").and_then(Value::as_array).into_iter().flatten();
    let one = |table: &Value| {
        let text = |key| table.get(key).and_then(Value::as_str).map(str::to_owned);
        let value = table.get("value")?;
        Some(Published {
            variant: text("variant")?,
            metric: text("metric")?,
            nfe: u64::try_from(table.get("nfe")?.as_integer()?).ok()?,
            value: value.as_float().or(value.as_integer().map(|whole| whole as f64))?,
            source: text("source")?,
        })
    };
    tables.filter_map(one).collect()
}

/// Ours of a group, or of the run of that name.
fn value(runs: &[Run], groups: &[Group], published: &Published, metric: &str) -> Option<Spread> {
    let of = |group: &Group| Spread::of(&group.values(runs, metric, published.nfe));
    match groups.iter().find(|group| group.name(runs) == published.variant) {
        Some(group) => of(group),
        None => {
            let place = runs.iter().position(|run| without_seed(&run.variant) == published.variant)?;
            of(&Group { label: String::new(), runs: vec![place] })
        }
    }
}

/// Pairs in the same order, and pairs; `better` of theirs and of ours. Equal values make no pair.
fn agreement(rows: &[(Published, Option<Spread>)], better: [Better; 2]) -> [usize; 2] {
    let before = |better: Better, a: f64, b: f64| if better == Better::Higher { a > b } else { a < b };
    let known: Vec<(f64, f64)> =
        rows.iter().filter_map(|(published, ours)| Some((published.value, ours.as_ref()?.mean))).collect();
    let mut order = [0, 0];
    for (place, a) in known.iter().enumerate() {
        for b in known[place + 1..].iter().filter(|b| b.0 != a.0 && b.1 != a.1) {
            order[0] += usize::from(before(better[0], a.0, b.0) == before(better[1], a.1, b.1));
            order[1] += 1;
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_that_of_pairs() {
        let row = |variant: &str, value: f64, ours: Option<f64>| {
            let (variant, metric, source) = (variant.to_owned(), "fid".to_owned(), "x".to_owned());
            let ours = ours.map(|mean| Spread { mean, std: 0.0, n: 1 });
            (Published { variant, metric, nfe: 1, value, source }, ours)
        };
        let rows = [
            row("a", 1.0, Some(0.1)),
            row("b", 2.0, Some(0.3)),
            row("c", 3.0, Some(0.2)),
            row("d", 4.0, None),
        ];
        use Better::{Higher, Lower};
        assert_eq!(agreement(&rows, [Lower, Lower]), [2, 3]);
        assert_eq!(agreement(&rows, [Lower, Higher]), [1, 3]);
        assert_eq!(agreement(&rows, [Higher, Higher]), [2, 3]);
        let equal = [row("a", 1.0, Some(0.1)), row("b", 1.0, Some(0.3))];
        assert_eq!(agreement(&equal, [Lower, Lower]), [0, 0]);
    }

    #[test]
    fn tables_that_say_too_little_are_left_out() {
        let text = "[[published]]\nvariant=\"a\"\nmetric=\"fid\"\nnfe=1\nvalue=3\nsource=\"x\"\n[[published]]\nvariant=\"b\"\n";
        let read = read(&text.parse().unwrap());
        assert_eq!(read.len(), 1);
        assert_eq!((read[0].value, read[0].nfe), (3.0, 1));
    }
}
