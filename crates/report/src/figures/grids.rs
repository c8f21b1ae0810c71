//! Sample grids of images: variants side by side, from the same noise, beside real images.

use image::RgbaImage;

use super::{Figure, union, weights};
use crate::{
    bounds::GRIDS,
    canvas::{Align, Canvas, Pen},
    chart::{TITLE, WIDTH},
    run::Run,
    samples::picture,
    style::{AXIS, Color, INK, MUTED, count, short, variant_color},
};

const GAP: f64 = 14.0;
const HEADER: f64 = 24.0;

/// A picture of a matrix of pictures, or a hole where there is none.
type Tile = Option<(RgbaImage, bool)>;

/// One row of tiles with a heading in a variant's colour.
pub struct TileRow {
    /// The heading.
    pub name: String,
    /// Its colour.
    pub color: Color,
    /// The tiles, one a column; the flag says that pixels are to stay sharp.
    pub tiles: Vec<Tile>,
}

/// Rows of square tiles under column headings, each row under its own name.
pub fn matrix(columns: &[String], rows: Vec<TileRow>, widest: f64) -> Canvas {
    let across = columns.len().max(1) as f64;
    let side = ((WIDTH + GAP) / across - GAP).min(widest);
    let width = across * (side + GAP) - GAP;
    let height = rows.len() as f64 * (HEADER + 20.0 + side + GAP) - GAP + 1.0;
    let mut canvas = Canvas::new(width.max(240.0), height);
    let mut top = 0.0;
    for row in rows {
        canvas.bold((0.0, top + 9.0), row.name, TITLE, row.color, Align::Start);
        canvas.line(&[(0.0, top + HEADER - 3.0), (width, top + HEADER - 3.0)], Pen::new(row.color, 1.25));
        top += HEADER;
        for (place, tile) in row.tiles.into_iter().enumerate() {
            let left = place as f64 * (side + GAP);
            if let Some((picture, sharp)) = tile {
                canvas.text((left, top + 9.0), &columns[place], TITLE - 1.0, MUTED, Align::Start);
                let (at, size) = ((left, top + 20.0), fit(&picture, side));
                canvas.picture(at, size, picture, sharp);
                if !sharp {
                    canvas.frame(at, (at.0 + size.0, at.1 + size.1), Pen::new(AXIS, 0.75));
                }
            }
        }
        top += 20.0 + side + GAP;
    }
    canvas
}

/// Tiles one after the other, wrapped, each under its own heading.
pub fn gallery(tiles: Vec<(String, Color, RgbaImage, bool)>, columns: usize) -> Canvas {
    let columns = columns.min(tiles.len()).max(1);
    let side = ((WIDTH + GAP) / columns as f64 - GAP).min(337.0);
    let rows = tiles.len().div_ceil(columns) as f64;
    let width = columns as f64 * (side + GAP) - GAP;
    let mut canvas = Canvas::new(width.max(240.0), rows * (HEADER + side + GAP) - GAP + 1.0);
    for (index, (name, color, picture, sharp)) in tiles.into_iter().enumerate() {
        let (row, column) = ((index / columns) as f64, (index % columns) as f64);
        let (left, top) = (column * (side + GAP), row * (HEADER + side + GAP));
        canvas.bold((left, top + 9.0), name, TITLE, color, Align::Start);
        let (at, size) = ((left, top + HEADER), fit(&picture, side));
        canvas.picture(at, size, picture, sharp);
        if !sharp {
            canvas.frame(at, (at.0 + size.0, at.1 + size.1), Pen::new(AXIS, 0.75));
        }
    }
    canvas
}

/// The size in which a picture fills a square of this side.
fn fit(picture: &RgbaImage, side: f64) -> (f64, f64) {
    let (width, height) = (f64::from(picture.width()), f64::from(picture.height()));
    let scale = side / width.max(height);
    (width * scale, height * scale)
}

/// A grid of real images, of the first run that has one.
fn real(runs: &[Run]) -> Option<RgbaImage> {
    runs.iter().find_map(|run| picture(run.samples.real.as_ref()?))
}

/// Real images and every variant at its least NFE, large; nothing where there is no grid.
pub fn first_grids(runs: &[Run]) -> Option<Figure> {
    let mut tiles: Vec<(String, Color, RgbaImage, bool)> = runs
        .iter()
        .enumerate()
        .filter_map(|(place, run)| {
            let grids = run.grids();
            let grid = grids.iter().min_by_key(|grid| grid.nfe)?;
            Some((
                format!("{}, {} NFE", run.label, grid.nfe),
                variant_color(place),
                picture(&grid.path)?,
                true,
            ))
        })
        .collect();
    if tiles.is_empty() {
        return None;
    }
    if let Some(real) = real(runs) {
        tiles.insert(0, ("real data".to_owned(), INK, real, true));
    }
    Some(Figure {
        name: "samples-first",
        title: "Samples at the fewest evaluations",
        caption: format!(
            "Not selected: the same noise and the same labels, in turn, in every panel; real images with those labels \
             first. {}",
            weights(runs)
        ),
        canvas: gallery(tiles, 3),
    })
}

/// The newest grids of every variant at every NFE; nothing where there is no grid.
pub fn all_grids(runs: &[Run]) -> Option<Figure> {
    let mut nfes = union(runs.iter().map(|run| run.grids().iter().map(|grid| grid.nfe).collect()));
    nfes.truncate(GRIDS);
    let rows: Vec<TileRow> = runs
        .iter()
        .enumerate()
        .filter(|(_, run)| !run.grids().is_empty())
        .map(|(place, run)| {
            let grids = run.grids();
            let tile = |nfe: &u64| {
                let grid = grids.iter().find(|grid| grid.nfe == *nfe)?;
                Some((picture(&grid.path)?, true))
            };
            let step = grids.first().map_or(0, |grid| grid.step);
            let name = format!("{}, step {}", run.label, count(step));
            TileRow { name, color: variant_color(place), tiles: nfes.iter().map(tile).collect() }
        })
        .collect();
    if rows.is_empty() {
        return None;
    }
    let columns: Vec<String> = nfes.iter().map(|nfe| format!("{nfe} NFE")).collect();
    Some(Figure {
        name: "samples",
        title: "Samples by number of evaluations",
        caption: format!(
            "The newest grid of every variant at every number of evaluations. {}",
            weights(runs)
        ),
        canvas: matrix(&columns, rows, 337.0),
    })
}

/// Samples beside the training images nearest to them; nothing where no run has looked.
pub fn nearest(runs: &[Run]) -> Option<Figure> {
    let mut captions = Vec::new();
    let tiles: Vec<(String, Color, RgbaImage, bool)> = runs
        .iter()
        .enumerate()
        .filter_map(|(place, run)| {
            let found = run.samples.nearest.as_ref()?;
            let tile = (run.label.clone(), variant_color(place), picture(&found.path)?, true);
            let number = |name: &str| found.numbers[name].as_f64();
            let space = found.numbers["space"].as_str().unwrap_or("features");
            let step = found.step().map_or_else(String::new, |step| format!(" at step {}", count(step)));
            let of = match (found.numbers["samples"].as_u64(), found.numbers["nfe"].as_u64()) {
                (Some(samples), Some(nfe)) => format!("{samples} samples of {nfe} NFE{step}"),
                _ => "its samples".to_owned(),
            };
            let searched = found.numbers["searched"].as_u64().unwrap_or(0);
            if let (Some(close), Some(ours), Some(theirs)) =
                (number("close"), number("median_of_samples"), number("median_of_held_out"))
            {
                captions.push(format!(
                    "{}: {:.1} % of {of} are nearer to one of {searched} training images than 99 in 100 held-out images are \
                     (about 1 % where nothing is memorised); median distance {}, held-out images {}, by {space}.",
                    run.label,
                    100.0 * close,
                    short(ours),
                    short(theirs),
                ));
            } else {
                captions.push(format!("{}: {of}, {searched} training images searched, by {space}.", run.label));
            }
            Some(tile)
        })
        .collect();
    if tiles.is_empty() {
        return None;
    }
    Some(Figure {
        name: "nearest",
        title: "Nearest training images",
        caption: format!(
            "Each row is a sample, then the training images nearest to it. {}",
            captions.join(" ")
        ),
        canvas: gallery(tiles, 2),
    })
}
