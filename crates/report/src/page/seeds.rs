//! The table of means over seeds, and what it says in words.

use maud::{Markup, html};

use crate::{
    groups::{Group, Spread, verdicts},
    run::Run,
    scores::Scores,
    style::{fixed, variant_class},
};

/// Mean and standard deviation of every group and column, and the verdicts.
pub fn seeds(runs: &[Run], groups: &[Group], scores: &Scores) -> Markup {
    let starts: Vec<bool> = (0..scores.columns.len())
        .map(|i| i == 0 || scores.columns[i].metric != scores.columns[i - 1].metric)
        .collect();
    html! {
        div.scroll { table.scores.sortable {
            thead { tr {
                th { "Configuration" }
                th.num { "Seeds" }
                @for (column, start) in scores.columns.iter().zip(&starts) {
                    th.num.start[*start] { (column.metric) (scores.better(&column.metric).arrow()) ", " (column.nfe) " NFE" }
                }
            } }
            tbody { @for (place, group) in groups.iter().enumerate() { tr {
                td.name {
                    span class=(format!("swatch {}", variant_class(place))) {}
                    (group.label)
                }
                td.num { (group.runs.len()) }
                @for (column, start) in scores.columns.iter().zip(&starts) {
                    @match Spread::of(&group.values(runs, &column.metric, column.nfe)) {
                        Some(spread) => td.num.start[*start] { (shown(spread, column.decimals)) },
                        None => td.num.none.start[*start] { "–" },
                    }
                }
            } } }
        } }
        p.caption {
            b { "Over seeds. " }
            "Mean ± standard deviation of the last scores of runs that differ in their seed alone. "
            @for line in sentences(runs, groups, scores) { (line) " " }
        }
    }
}

fn shown(Spread { mean, std, n }: Spread, decimals: usize) -> String {
    match n {
        1 => fixed(mean, decimals),
        _ => format!("{} ± {}", fixed(mean, decimals), fixed(std, decimals)),
    }
}

/// Such as: w2 at 1 NFE: `meanflow` has the lowest mean; it is lower than `flow-matching` in 3 of 3 seeds.
fn sentences(runs: &[Run], groups: &[Group], scores: &Scores) -> Vec<String> {
    let sentence = |verdict: crate::groups::Verdict| {
        let against: Vec<String> = verdict
            .against
            .iter()
            .map(|(other, lower, pairs)| format!("{} in {lower} of {pairs}", groups[*other].label))
            .collect();
        format!(
            "{} at {} NFE: {} has the lowest mean, lower than {} seeds.",
            verdict.metric,
            verdict.nfe,
            groups[verdict.best].label,
            against.join(", "),
        )
    };
    verdicts(runs, groups, scores).into_iter().map(sentence).collect()
}
