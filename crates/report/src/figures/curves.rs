//! Training curves over images seen.

use super::{Figure, entries};
use crate::{
    axis::{Axis, Scale},
    chart::{Panel, Series, figure},
    run::Run,
    style::{variant_color, variant_dashed},
    thin::{MOST as MOST_POINTS, places, thin},
};

/// A quantity of the training log: its name there, its title, and its axis.
type Quantity<'a> = (&'a str, &'a str, Scale);

const QUANTITIES: [Quantity; 5] = [
    ("raw", "‖u − target‖²", Scale::Log),
    ("v", "‖u − (e − x)‖²", Scale::Log),
    ("loss", "minimised loss", Scale::Linear),
    ("dudt", "rms of du/dt", Scale::Log),
    ("grad_norm", "gradient norm", Scale::Log),
];

/// Panels of measures beside those, at most.
const MOST: usize = 7;

/// Loss, raw errors, derivative and gradient norm over images seen; nothing where no run has logged a training line.
pub fn loss_curves(runs: &[Run]) -> Option<Figure> {
    let others = others(runs);
    let others = others.iter().map(|name| (name.as_str(), name.as_str(), Scale::Linear));
    let panels: Vec<Panel> =
        QUANTITIES.into_iter().chain(others).filter_map(|quantity| panel(runs, quantity)).collect();
    if panels.is_empty() {
        return None;
    }
    Some(Figure {
        name: "loss",
        title: "Training",
        caption: "Training over images seen. Bold: running mean over a fortieth of the run; faint: as logged. ‖u − target‖² \
                  is the squared error against the objective's own target, ‖u − (e − x)‖² that against the conditional \
                  velocity, both summed over the elements of a sample and averaged over the batch. The minimised loss \
                  carries the adaptive weight, so with p = 1 it stays near one whatever the error is. Other panels are measures of \
                  one objective, under the names of the log."
            .to_owned(),
        canvas: figure(&panels, 3, 232.0, &entries(runs)),
    })
}

/// Measures that only some objectives have, under their own names, in the order in which they are first met.
fn others(runs: &[Run]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (name, _) in runs.iter().filter_map(|run| run.train.last()).flat_map(|line| &line.measures) {
        let known = QUANTITIES.iter().any(|quantity| quantity.0 == name) || names.contains(name);
        if !known && names.len() < MOST {
            names.push(name.clone());
        }
    }
    names
}

fn panel(runs: &[Run], (name, title, scale): Quantity) -> Option<Panel> {
    let series: Vec<Series> = runs
        .iter()
        .enumerate()
        .map(|(place, run)| {
            let raw: Vec<(f64, f64)> =
                run.train.iter().filter_map(|line| Some((line.images, line.measure(name)?))).collect();
            Series {
                color: variant_color(place),
                dashed: variant_dashed(place),
                points: smooth(&raw),
                raw: thin(raw, MOST_POINTS),
                band: Vec::new(),
                dots: false,
            }
        })
        .collect();
    let all = || series.iter().flat_map(|series| &series.raw);
    if !all().any(|(_, value)| value.is_finite()) {
        return None;
    }
    Some(Panel {
        title: title.to_owned(),
        x_label: "images seen".to_owned(),
        x: Axis::holding(all().map(|point| point.0).chain([0.0]), Scale::Linear, 0.0).with_counts(),
        y: Axis::holding(all().map(|point| point.1), scale, 0.06),
        series,
        rules: Vec::new(),
    })
}

/// A running mean over a fortieth of the points, at as many places as can be seen; values that are not finite are passed over.
///
/// At the beginning, where curves are steep, the window shrinks to stay centred; at the end it is cut off, so that the
/// curve does not end in a single noisy value.
fn smooth(raw: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let half = raw.len() / 80;
    places(raw.len(), MOST_POINTS)
        .into_iter()
        .map(|index| {
            let before = half.min(index);
            let after = before.min(raw.len() - 1 - index);
            let window = &raw[index - before..=index + after];
            let finite: Vec<f64> =
                window.iter().map(|point| point.1).filter(|value| value.is_finite()).collect();
            let mean = finite.iter().sum::<f64>() / finite.len() as f64;
            (raw[index].0, if raw[index].1.is_finite() { mean } else { f64::NAN })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smoothing_keeps_a_straight_line() {
        let line: Vec<(f64, f64)> = (0..400).map(|i| (f64::from(i), 3.0 * f64::from(i) + 1.0)).collect();
        let smoothed = smooth(&line);
        assert!(smoothed.iter().zip(&line).take(395).all(|(a, b)| (a.1 - b.1).abs() < 1e-9));
        assert!(smooth(&[]).is_empty());
        let long: Vec<(f64, f64)> = (0..100_000).map(|i| (f64::from(i), 2.0 * f64::from(i))).collect();
        let smoothed = smooth(&long);
        assert_eq!(smoothed.len(), MOST_POINTS);
        assert!(smoothed.iter().take(900).all(|(x, y)| (y - 2.0 * x).abs() < 1e-6));
    }
}
