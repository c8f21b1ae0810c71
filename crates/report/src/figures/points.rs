//! Points in the plane: densities, one-step arrows, trajectories.

use image::{Rgba, RgbaImage};

use super::{
    Figure,
    grids::{TileRow, gallery, matrix},
    union, weights,
};
use crate::{
    bounds::GRIDS,
    canvas::{Align, Canvas, Pen},
    chart::{TITLE, WIDTH},
    run::Run,
    samples::Point,
    style::{AXIS, Color, DATA, INK, count, variant_color},
};

/// Pixels of a density along each axis.
const PIXELS: usize = 220;
/// Standard deviation of the kernel that each point is spread by, pixels.
const KERNEL: f64 = 3.0;
/// Arrows that are drawn; more would hide each other.
const ARROWS: usize = 240;
const GAP: f64 = 14.0;
const HEADER: f64 = 24.0;

/// A square window of the plane.
#[derive(Clone, Copy, Debug)]
struct Window {
    centre: Point,
    half: f64,
}

impl Window {
    /// The window that holds all but the outermost thousandth of the points, with a margin.
    fn holding<'a>(points: impl IntoIterator<Item = &'a Point>) -> Option<Self> {
        let (mut x, mut y): (Vec<f64>, Vec<f64>) =
            points.into_iter().filter(|point| is_finite(point)).map(|point| (point[0], point[1])).unzip();
        if x.is_empty() {
            return None;
        }
        let range = |values: &mut Vec<f64>| {
            values.sort_unstable_by(f64::total_cmp);
            let cut = values.len() / 1000;
            (values[cut], values[values.len() - 1 - cut])
        };
        let ((left, right), (bottom, top)) = (range(&mut x), range(&mut y));
        let half = 0.5 * (right - left).max(top - bottom).max(1e-6) * 1.12;
        Some(Self { centre: [0.5 * (left + right), 0.5 * (bottom + top)], half })
    }

    /// The place of a point, both coordinates in [0, 1] within the window, y downwards.
    fn place(&self, point: &Point) -> (f64, f64) {
        let across = (point[0] - self.centre[0]) / self.half;
        let up = (point[1] - self.centre[1]) / self.half;
        (0.5 + 0.5 * across, 0.5 - 0.5 * up)
    }
}

fn is_finite(point: &Point) -> bool {
    point[0].is_finite() && point[1].is_finite()
}

/// A smoothed two-dimensional histogram, row by row, in points per pixel over the number of points.
fn density(points: &[Point], window: Window) -> Vec<f64> {
    let mut out = vec![0.0; PIXELS * PIXELS];
    let reach = (3.0 * KERNEL).ceil() as i64;
    let finite: Vec<&Point> = points.iter().filter(|point| is_finite(point)).collect();
    let mass = 1.0 / finite.len().max(1) as f64;
    for point in finite {
        let (x, y) = window.place(point);
        let (x, y) = (x * PIXELS as f64 - 0.5, y * PIXELS as f64 - 0.5);
        // The kernel is a product, so that its exponentials are taken along two lines only.
        let along = |centre: f64| {
            // A sample of a network that diverged may be anywhere.
            let middle = centre.clamp(-1e9, 1e9).round() as i64;
            (middle - reach..=middle + reach)
                .filter(|pixel| (0..PIXELS as i64).contains(pixel))
                .map(move |pixel| (pixel as usize, (-0.5 * ((pixel as f64 - centre) / KERNEL).powi(2)).exp()))
                .collect::<Vec<(usize, f64)>>()
        };
        let columns = along(x);
        for (row, vertical) in along(y) {
            for (column, horizontal) in &columns {
                out[row * PIXELS + column] += mass * vertical * horizontal;
            }
        }
    }
    out
}

/// The density as opacity of one colour, full at `peak`, so that it stands on light and dark paper.
fn shade(density: &[f64], peak: f64, color: Color) -> RgbaImage {
    RgbaImage::from_fn(PIXELS as u32, PIXELS as u32, |x, y| {
        let value = density[y as usize * PIXELS + x as usize] / peak;
        let alpha = (255.0 * value.clamp(0.0, 1.0).powf(0.85)).round() as u8;
        Rgba([color.0, color.1, color.2, alpha])
    })
}

/// The value that all but the densest hundredth of the occupied pixels stay below.
fn peak(density: &[f64]) -> f64 {
    let most = density.iter().copied().fold(0.0, f64::max);
    let mut occupied: Vec<f64> = density.iter().copied().filter(|value| *value > 0.05 * most).collect();
    occupied.sort_unstable_by(f64::total_cmp);
    occupied.get(occupied.len() * 97 / 100).copied().unwrap_or(1.0)
}

/// Window and peak of the data, of the first run that has points.
fn frame(runs: &[Run]) -> Option<(Vec<Point>, Window, f64)> {
    let data = &runs.iter().find_map(|run| run.points().filter(|points| !points.data.is_empty()))?.data;
    let window = Window::holding(data)?;
    // Samples that crowd should still show their shape.
    let peak = 1.4 * peak(&density(data, window));
    Some((data.clone(), window, peak))
}

/// The data and every variant at its least NFE, large; nothing where there are no points.
pub fn first_densities(runs: &[Run]) -> Option<Figure> {
    let (data, window, peak) = frame(runs)?;
    let picture = |points: &[Point], color| shade(&density(points, window), peak, color);
    let mut tiles = vec![("real data".to_owned(), INK, picture(&data, DATA), false)];
    tiles.extend(runs.iter().enumerate().filter_map(|(place, run)| {
        let (nfe, points) = run.points()?.samples.first()?;
        let color = variant_color(place);
        Some((format!("{}, {nfe} NFE", run.label), color, picture(points, color), false))
    }));
    Some(Figure {
        name: "densities-first",
        title: "Samples at the fewest evaluations",
        caption: format!(
            "Densities: histograms smoothed by a Gaussian kernel, all on one scale. {}",
            weights(runs)
        ),
        canvas: gallery(tiles, 3),
    })
}

/// The densities of every variant at every NFE; nothing where there are no points.
pub fn all_densities(runs: &[Run]) -> Option<Figure> {
    let (_, window, peak) = frame(runs)?;
    let of = |run: &Run| run.points().map(|points| points.samples.clone()).unwrap_or_default();
    let mut nfes = union(runs.iter().map(|run| of(run).iter().map(|(nfe, _)| *nfe).collect()));
    nfes.truncate(GRIDS);
    let rows: Vec<TileRow> = runs
        .iter()
        .enumerate()
        .filter(|(_, run)| !of(run).is_empty())
        .map(|(place, run)| {
            let color = variant_color(place);
            let samples = of(run);
            let tile = |nfe: &u64| {
                let (_, points) = samples.iter().find(|(own, _)| own == nfe)?;
                Some((shade(&density(points, window), peak, color), false))
            };
            let step = run.points().map_or(0, |points| points.step);
            let name = format!("{}, step {}", run.label, count(step));
            TileRow { name, color, tiles: nfes.iter().map(tile).collect() }
        })
        .collect();
    if rows.is_empty() {
        return None;
    }
    let columns: Vec<String> = nfes.iter().map(|nfe| format!("{nfe} NFE")).collect();
    Some(Figure {
        name: "densities",
        title: "Densities by number of evaluations",
        caption: format!(
            "Samples of every variant at every number of evaluations, on the data's scale. {}",
            weights(runs)
        ),
        canvas: matrix(&columns, rows, 250.0),
    })
}

/// Noise and the sample it becomes at the least NFE, joined by a line, for every variant.
pub fn arrows(runs: &[Run]) -> Option<Figure> {
    let tiles: Vec<Plot> = runs
        .iter()
        .enumerate()
        .filter_map(|(place, run)| {
            let points = run.points()?;
            let (nfe, samples) = points.samples.first()?;
            let pairs = points.noise.iter().zip(samples).take(ARROWS);
            let lines = pairs.map(|(noise, sample)| vec![*noise, *sample]).collect();
            Some(Plot { name: format!("{}, {nfe} NFE", run.label), color: variant_color(place), lines })
        })
        .collect();
    Some(Figure {
        name: "arrows",
        title: "From noise to sample",
        caption: format!(
            "Grey: noise; coloured: the sample that it becomes at the fewest evaluations. The first {ARROWS} of the \
             evaluation's noise, the same in every panel. {}",
            weights(runs)
        ),
        canvas: plots(tiles, runs)?,
    })
}

/// The paths of the first noise points through the largest NFE, for every variant.
pub fn trajectories(runs: &[Run]) -> Option<Figure> {
    let tiles: Vec<Plot> = runs
        .iter()
        .enumerate()
        .filter_map(|(place, run)| {
            let points = run.points().filter(|points| !points.paths.is_empty())?;
            let nfe = points.samples.last().map_or(String::new(), |(nfe, _)| format!(", {nfe} NFE"));
            let (name, lines) = (format!("{}{nfe}", run.label), points.paths.clone());
            Some(Plot { name, color: variant_color(place), lines })
        })
        .collect();
    Some(Figure {
        name: "trajectories",
        title: "Trajectories",
        caption: format!(
            "Paths from noise (grey) to sample (coloured) through the most evaluations of each variant, the same noise \
             in every panel. {}",
            weights(runs)
        ),
        canvas: plots(tiles, runs)?,
    })
}

/// Lines that begin at noise and end at a sample.
struct Plot {
    name: String,
    color: Color,
    lines: Vec<Vec<Point>>,
}

/// The plots side by side over the faint density of the data, in one window.
fn plots(tiles: Vec<Plot>, runs: &[Run]) -> Option<Canvas> {
    let (data, _, _) = frame(runs)?;
    let ends = tiles.iter().flat_map(|plot| &plot.lines).flatten();
    if tiles.is_empty() {
        return None;
    }
    let window = Window::holding(ends.chain(&data))?;
    let density = density(&data, window);
    let below = shade(&density, 3.0 * peak(&density), DATA);
    let columns = tiles.len().min(3);
    let side = ((WIDTH + GAP) / columns.max(2) as f64 - GAP).min(420.0);
    let rows = tiles.len().div_ceil(columns) as f64;
    let width = columns as f64 * (side + GAP) - GAP;
    let mut canvas = Canvas::new(width, rows * (HEADER + side + GAP) - GAP + 1.0);
    for (index, plot) in tiles.into_iter().enumerate() {
        let left = (index % columns) as f64 * (side + GAP);
        let top = (index / columns) as f64 * (HEADER + side + GAP) + HEADER;
        canvas.bold((left, top - HEADER + 9.0), plot.name, TITLE, plot.color, Align::Start);
        canvas.picture((left, top), (side, side), below.clone(), false);
        let place = |point: &Point| {
            let (x, y) = window.place(point);
            let inside = (0.0..=1.0).contains(&x) && (0.0..=1.0).contains(&y);
            // What leaves the window is cut off, not drawn over the neighbours.
            if inside { (left + side * x, top + side * y) } else { (f64::NAN, f64::NAN) }
        };
        for line in &plot.lines {
            let points: Vec<(f64, f64)> = line.iter().map(place).collect();
            canvas.line(&points, Pen { alpha: 0.45, ..Pen::new(plot.color, 0.75) });
        }
        for line in plot.lines.iter().filter(|line| line.len() > 1) {
            canvas.dot(place(&line[0]), 1.3, DATA, 1.0);
            canvas.dot(place(&line[line.len() - 1]), 1.8, plot.color, 1.0);
        }
        canvas.frame((left, top), (left + side, top + side), Pen::new(AXIS, 0.75));
    }
    Some(canvas)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_density_has_unit_shape_wherever_the_point_is() {
        let window = Window { centre: [1.0, -1.0], half: 2.0 };
        let mass = |points: &[Point]| density(points, window).iter().sum::<f64>();
        let expected = 2.0 * std::f64::consts::PI * KERNEL * KERNEL;
        assert!((mass(&[[1.0, -1.0]]) - expected).abs() < 0.02 * expected);
        assert!((mass(&[[1.3, -0.2], [0.4, 0.1], [f64::NAN, 0.0]]) - expected).abs() < 0.02 * expected);
        assert_eq!(mass(&[[40.0, 0.0]]), 0.0);
        let row =
            density(&[[1.0, 0.8]], window).iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap().0
                / PIXELS;
        assert!(row < PIXELS / 4, "up is up");
    }
}
