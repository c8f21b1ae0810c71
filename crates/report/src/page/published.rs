//! The tables of figures from papers.

use crate::{
    groups::{Group, Spread},
    published::{Beside, compare},
    run::Run,
    scores::Scores,
    style::short,
};
use maud::{Markup, html};

/// A table for each metric and number of evaluations, with what its order says; nothing where no figure is named.
pub fn published(runs: &[Run], groups: &[Group], scores: &Scores) -> Markup {
    html! { @for compared in compare(runs, groups, scores) {
        h3 { "Beside published figures" }
        div.scroll { table.scores.sortable {
            thead { tr {
                th { "Variant" }
                th.num { (compared.metric) ", " (compared.nfe) " NFE, published" }
                th.num { (compared.ours) ", here" }
                th { "Source" }
            } }
            tbody { @for (published, ours) in &compared.rows { tr {
                td.name { (published.variant) }
                td.num { (published.value) }
                @match ours {
                    Some(Spread { mean, n: 1, .. }) => td.num { (short(*mean)) },
                    Some(Spread { mean, std, .. }) => td.num { (short(*mean)) " ± " (short(*std)) },
                    None => td.num.none { "–" },
                }
                td { (published.source) }
            } } }
        } }
        p.caption { b { "The order. " } (sentence(&compared)) }
    } }
}

fn sentence(Beside { order: [same, pairs], metric, ours, .. }: &Beside) -> String {
    let unlike = if metric == ours { "" } else { " The metrics differ, so only the order can be compared." };
    match pairs {
        0 => format!("There is nothing to compare the order of.{unlike}"),
        _ => format!("{same} of {pairs} pairs of variants stand in the same order here.{unlike}"),
    }
}
