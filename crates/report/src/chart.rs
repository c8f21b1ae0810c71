//! One panel of lines over two axes, and the legend that panels share.

use crate::{
    axis::Axis,
    canvas::{Align, Canvas, Pen},
    style::{AXIS, Color, DATA, GRID, INK, MUTED},
};

/// Size of a panel's text, points.
pub const TEXT: f64 = 11.0;
/// Size of titles, points.
pub const TITLE: f64 = 12.0;

/// A line of a panel.
#[derive(Clone, Debug)]
pub struct Series {
    /// Its colour.
    pub color: Color,
    /// Broken.
    pub dashed: bool,
    /// Its points, in values of the axes.
    pub points: Vec<(f64, f64)>,
    /// The same without smoothing, drawn faintly below.
    pub raw: Vec<(f64, f64)>,
    /// How far a point may be from the truth: place, lowest and highest value. With dots a mark at each, else a band.
    pub band: Vec<(f64, f64, f64)>,
    /// A dot at each point.
    pub dots: bool,
}

/// A panel: axes, lines, and at most one horizontal rule.
#[derive(Clone, Debug)]
pub struct Panel {
    /// Above the panel, left; names what the vertical axis measures.
    pub title: String,
    /// Below the horizontal axis, right.
    pub x_label: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// The lines.
    pub series: Vec<Series>,
    /// Horizontal rules with their labels, such as a floor; below the axis' range only the label is drawn, with an arrow.
    pub rules: Vec<(f64, String)>,
}

/// A rectangle of a canvas.
#[derive(Clone, Copy, Debug)]
pub struct Area {
    /// Left edge.
    pub x: f64,
    /// Upper edge.
    pub y: f64,
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
}

impl Panel {
    /// Draws the panel, its title, ticks and labels within the area.
    pub fn draw(&self, canvas: &mut Canvas, area: Area) {
        let (left, right) = (area.x + 46.0, area.x + area.width - 10.0);
        let (top, bottom) = (area.y + 30.0, area.y + area.height - 38.0);
        let x = |place: f64| left + place * (right - left);
        let y = |place: f64| bottom - place * (bottom - top);

        canvas.bold((area.x + 4.0, area.y + 8.0), &self.title, TITLE, INK, Align::Start);
        for (place, label) in self.y.ticks() {
            canvas.line(&[(left, y(place)), (right, y(place))], Pen::new(GRID, 0.75));
            canvas.text((left - 7.0, y(place)), label, TEXT, MUTED, Align::End);
        }
        canvas.line(&[(left, bottom), (right, bottom)], Pen::new(AXIS, 0.75));
        let mut free = f64::NEG_INFINITY;
        for (place, label) in self.x.ticks() {
            canvas.line(&[(x(place), bottom), (x(place), bottom + 4.0)], Pen::new(AXIS, 0.75));
            let half = 0.32 * TEXT * label.chars().count() as f64;
            // Ticks given by hand may be close together: a label that would touch the last one is left out.
            if x(place) - half > free {
                canvas.text((x(place), bottom + 13.0), label, TEXT, MUTED, Align::Middle);
                free = x(place) + half + 3.0;
            }
        }
        canvas.text((right, bottom + 28.0), &self.x_label, TEXT, MUTED, Align::End);

        for (value, label) in &self.rules {
            let place = self.y.place(*value);
            if !(0.0..=1.0).contains(&place) {
                canvas.text((right, area.y + 23.0), format!("↓ {label}"), TEXT - 1.0, MUTED, Align::End);
                continue;
            }
            let at = y(place);
            canvas.line(&[(left, at), (right, at)], Pen { dashed: true, ..Pen::new(DATA, 1.0) });
            canvas.text((right, at - 7.0), label, TEXT - 1.0, MUTED, Align::End);
        }
        let place = |point: &(f64, f64)| (x(self.x.place(point.0)), y(self.y.place(point.1)));
        for series in &self.series {
            let raw: Vec<_> = series.raw.iter().map(place).collect();
            canvas.line(&raw, Pen { alpha: 0.25, ..Pen::new(series.color, 0.75) });
        }
        for series in &self.series {
            let ends: Vec<_> =
                series.band.iter().map(|(x, low, high)| [place(&(*x, *low)), place(&(*x, *high))]).collect();
            if series.dots {
                for end in ends.iter().filter(|[low, high]| low.1 > high.1) {
                    canvas.line(end, Pen { alpha: 0.6, ..Pen::new(series.color, 1.25) });
                    for (x, y) in end {
                        canvas.line(
                            &[(x - 3.0, *y), (x + 3.0, *y)],
                            Pen { alpha: 0.6, ..Pen::new(series.color, 1.25) },
                        );
                    }
                }
            } else {
                let outline =
                    ends.iter().map(|[low, _]| *low).chain(ends.iter().rev().map(|[_, high]| *high));
                canvas.band(outline.collect(), series.color, 0.18);
            }
        }
        for series in &self.series {
            let points: Vec<_> = series.points.iter().map(place).collect();
            canvas.line(&points, Pen { dashed: series.dashed, ..Pen::new(series.color, 1.75) });
            if series.dots || points.len() == 1 {
                for point in points {
                    canvas.dot(point, 3.0, series.color, 1.0);
                }
            }
        }
        if self.series.iter().all(|series| series.points.is_empty()) {
            let middle = (0.5 * (left + right), 0.5 * (top + bottom));
            canvas.text(middle, "nothing logged", TEXT, MUTED, Align::Middle);
        }
    }
}

/// Draws the names in their colours in a row, from the left; returns the height taken.
pub fn legend(canvas: &mut Canvas, at: (f64, f64), entries: &[(String, Color, bool)]) -> f64 {
    let (mut x, mut y) = at;
    for (name, color, dashed) in entries {
        let width = 30.0 + 0.62 * TITLE * name.chars().count() as f64 + 18.0;
        if x > at.0 && x + width > canvas.width {
            (x, y) = (at.0, y + LEGEND);
        }
        canvas.line(&[(x, y + 8.0), (x + 22.0, y + 8.0)], Pen { dashed: *dashed, ..Pen::new(*color, 2.5) });
        canvas.text((x + 29.0, y + 8.0), name, TITLE, INK, Align::Start);
        x += width;
    }
    y - at.1 + LEGEND
}

/// Height of one row of a legend.
const LEGEND: f64 = 22.0;

/// The height a legend takes in this width.
fn legend_height(width: f64, entries: &[(String, Color, bool)]) -> f64 {
    legend(&mut Canvas::new(width, 0.0), (4.0, 0.0), entries) + 8.0
}

/// Lays panels out in rows of `columns` below a legend and draws them. With fewer panels the figure is narrower.
pub fn figure(panels: &[Panel], columns: usize, height: f64, entries: &[(String, Color, bool)]) -> Canvas {
    let used = columns.min(panels.len()).max(1);
    let rows = panels.len().div_ceil(columns);
    let step = (WIDTH + GAP) / columns as f64;
    let full = step * used as f64 - GAP;
    let top = legend_height(full, entries);
    let mut canvas = Canvas::new(full, top + rows as f64 * height);
    legend(&mut canvas, (4.0, 0.0), entries);
    for (index, panel) in panels.iter().enumerate() {
        let (row, column) = (index / columns, index % columns);
        let (x, y) = (column as f64 * step, top + row as f64 * height);
        panel.draw(&mut canvas, Area { x, y, width: step - GAP, height: height - 8.0 });
    }
    canvas
}

/// Width of a full figure, points: the text width of the page.
pub const WIDTH: f64 = 1040.0;
const GAP: f64 = 22.0;
