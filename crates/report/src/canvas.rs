//! A list of marks, drawn by plotters as SVG and as PNG, so that both are the same figure.
//!
//! Coordinates are in points of the page, as floats. plotters takes whole pixels only: the SVG is drawn eight times as
//! large and scaled by its `viewBox`, the PNG four times as large and averaged down to two pixels a point, which also
//! smooths the lines.

use std::{io::Cursor, sync::Once};

use base64::{Engine, engine::general_purpose::STANDARD};
use image::{ImageFormat, RgbImage, RgbaImage};
use plotters::{
    backend::{BitMapBackend, DrawingBackend, SVGBackend},
    coord::Shift,
    drawing::{DrawingArea, IntoDrawingArea},
    element::{Circle, PathElement, Polygon, Text},
    style::{
        Color as _, FontStyle, RGBAColor, RGBColor, ShapeStyle, TextStyle, register_font,
        text_anchor::{HPos, Pos, VPos},
    },
};

use crate::style::Color;

/// White space around every figure, points, so that no line at its edge is cut.
const MARGIN: f64 = 3.0;
const SVG_SCALE: f64 = 8.0;
const PNG_SCALE: u32 = 2;
/// Subpixels a pixel of the PNG, along each axis.
const SMOOTH: u32 = 2;

/// Pixels of a PNG while it is drawn, three bytes each.
const PIXELS: u64 = 1 << 26;

/// What a backend of plotters makes of text.
#[derive(Clone, Copy)]
struct Typesetting {
    /// Its measure of size over the em.
    size: f64,
    /// How far it puts vertically centred text too high, em.
    drop: f64,
}

/// plotters divides the size of SVG text by this factor.
const SVG_TEXT: Typesetting = Typesetting { size: 1.24, drop: 0.0 };
/// ab_glyph counts in heights of the font, which for DejaVu Sans is 1.164 em; plotters centres the em above the baseline.
const PNG_TEXT: Typesetting = Typesetting { size: 1.164, drop: 0.2 };

/// Where a text stands from its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// Begins there.
    Start,
    /// Centred on it.
    Middle,
    /// Ends there.
    End,
}

/// How a line is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pen {
    /// Its colour.
    pub color: Color,
    /// Its opacity, in [0, 1].
    pub alpha: f64,
    /// Its width, points.
    pub width: f64,
    /// Broken.
    pub dashed: bool,
}

impl Pen {
    /// An opaque, unbroken pen.
    pub fn new(color: Color, width: f64) -> Self {
        Self { color, alpha: 1.0, width, dashed: false }
    }
}

#[derive(Clone, Debug)]
enum Mark {
    Line { points: Vec<(f64, f64)>, pen: Pen },
    Band { outline: Vec<(f64, f64)>, color: Color, alpha: f64 },
    Dot { at: (f64, f64), radius: f64, color: Color, alpha: f64 },
    Text { at: (f64, f64), text: String, size: f64, color: Color, align: Align, bold: bool },
    Picture { at: (f64, f64), size: (f64, f64), picture: RgbaImage, pixelated: bool },
}

/// A figure of a fixed size, in points.
#[derive(Clone, Debug)]
pub struct Canvas {
    /// Width, points.
    pub width: f64,
    /// Height, points.
    pub height: f64,
    marks: Vec<Mark>,
}

impl Canvas {
    /// An empty figure.
    pub fn new(width: f64, height: f64) -> Self {
        Self { width, height, marks: Vec::new() }
    }

    /// A line through the points. Points that are not finite break it.
    pub fn line(&mut self, points: &[(f64, f64)], pen: Pen) {
        let finite = |point: &(f64, f64)| point.0.is_finite() && point.1.is_finite();
        for piece in points.split(|point| !finite(point)).filter(|piece| piece.len() > 1) {
            let pieces = if pen.dashed { dashes(piece, 5.0, 3.0) } else { vec![piece.to_vec()] };
            self.marks.extend(pieces.into_iter().map(|points| Mark::Line { points, pen }));
        }
    }

    /// A filled outline; skipped where it is not finite.
    pub fn band(&mut self, outline: Vec<(f64, f64)>, color: Color, alpha: f64) {
        if outline.len() > 2 && outline.iter().all(|point| point.0.is_finite() && point.1.is_finite()) {
            self.marks.push(Mark::Band { outline, color, alpha });
        }
    }

    /// A disc; skipped where it is not finite.
    pub fn dot(&mut self, at: (f64, f64), radius: f64, color: Color, alpha: f64) {
        if at.0.is_finite() && at.1.is_finite() {
            self.marks.push(Mark::Dot { at, radius, color, alpha });
        }
    }

    /// The outline of a rectangle.
    pub fn frame(&mut self, from: (f64, f64), to: (f64, f64), pen: Pen) {
        self.line(&[from, (to.0, from.1), to, (from.0, to.1), from], pen);
    }

    /// A line of text, vertically centred on its position.
    pub fn text(&mut self, at: (f64, f64), text: impl Into<String>, size: f64, color: Color, align: Align) {
        self.marks.push(Mark::Text { at, text: text.into(), size, color, align, bold: false });
    }

    /// The same in bold.
    pub fn bold(&mut self, at: (f64, f64), text: impl Into<String>, size: f64, color: Color, align: Align) {
        self.marks.push(Mark::Text { at, text: text.into(), size, color, align, bold: true });
    }

    /// A picture below all other marks.
    pub fn picture(&mut self, at: (f64, f64), size: (f64, f64), picture: RgbaImage, pixelated: bool) {
        self.marks.push(Mark::Picture { at, size, picture, pixelated });
    }

    /// The figure as an SVG document with nothing outside itself.
    ///
    /// # Errors
    /// What the drawing library says.
    pub fn svg(&self) -> Result<String, String> {
        let mut out = String::new();
        let size = self.size(SVG_SCALE);
        {
            let area = SVGBackend::with_string(&mut out, size).into_drawing_area();
            self.draw(&area, SVG_SCALE, SVG_TEXT)?;
            area.present().map_err(|error| error.to_string())?;
        }
        let root = format!(r#"<svg width="{}" height="{}""#, size.0, size.1);
        let own = format!(
            r#"<svg width="{}" height="{}" style="background:#fff" stroke-linejoin="round" stroke-linecap="round""#,
            self.width + 2.0 * MARGIN,
            self.height + 2.0 * MARGIN
        );
        let out = out.replacen(&root, &own, 1).replace("font-family=\"sans-serif\"", FONT_FAMILY);
        let body = out.find(">\n").ok_or("the SVG has no root")? + 2;
        let mut pictures = String::new();
        for mark in &self.marks {
            if let Mark::Picture { at, size, picture, pixelated } = mark {
                pictures.push_str(&format!(
                    r#"<image x="{:.0}" y="{:.0}" width="{:.0}" height="{:.0}" preserveAspectRatio="none"{} href="data:image/png;base64,{}"/>"#,
                    (at.0 + MARGIN) * SVG_SCALE,
                    (at.1 + MARGIN) * SVG_SCALE,
                    size.0 * SVG_SCALE,
                    size.1 * SVG_SCALE,
                    if *pixelated { r#" style="image-rendering:pixelated""# } else { "" },
                    STANDARD.encode(encode(picture)?),
                ));
                pictures.push('\n');
            }
        }
        Ok(format!("{}{pictures}{}", &out[..body], &out[body..]))
    }

    /// The figure as a PNG on white, two pixels a point; one where that would be more than [`PIXELS`].
    ///
    /// # Errors
    /// A figure that is too large even so, and what the drawing or encoding library says.
    pub fn png(&self) -> Result<Vec<u8>, String> {
        register_embedded_fonts();
        let pixels = |scale: u32| {
            let (width, height) = self.size(f64::from(scale));
            u64::from(width) * u64::from(height)
        };
        let scales = [PNG_SCALE * SMOOTH, SMOOTH];
        let scale = scales.into_iter().find(|scale| pixels(*scale) <= PIXELS);
        let scale =
            scale.ok_or_else(|| format!("of {}×{} points, it is too large", self.width, self.height))?;
        let (width, height) = self.size(f64::from(scale));
        let mut picture = RgbImage::from_pixel(width, height, image::Rgb([255; 3]));
        for mark in &self.marks {
            if let Mark::Picture { at, size, picture: source, pixelated } = mark {
                let at = (at.0 + MARGIN, at.1 + MARGIN);
                paste(&mut picture, source, at, *size, *pixelated, f64::from(scale));
            }
        }
        {
            let area = BitMapBackend::with_buffer(&mut picture, (width, height)).into_drawing_area();
            self.draw(&area, f64::from(scale), PNG_TEXT)?;
            area.present().map_err(|error| error.to_string())?;
        }
        let picture = averaged(&picture);
        let mut out = Cursor::new(Vec::new());
        picture.write_to(&mut out, ImageFormat::Png).map_err(|error| error.to_string())?;
        Ok(out.into_inner())
    }

    fn size(&self, scale: f64) -> (u32, u32) {
        let whole = |length: f64| ((length + 2.0 * MARGIN) * scale).round() as u32;
        (whole(self.width), whole(self.height))
    }

    fn draw<B: DrawingBackend>(
        &self,
        area: &DrawingArea<B, Shift>,
        scale: f64,
        text_as: Typesetting,
    ) -> Result<(), String> {
        let whole = |length: f64| ((length + MARGIN) * scale).round() as i32;
        let place = |at: &(f64, f64)| (whole(at.0), whole(at.1));
        let stroke = |pen: &Pen| ShapeStyle {
            color: rgba(pen.color, pen.alpha),
            filled: false,
            stroke_width: (pen.width * scale).round().max(1.0) as u32,
        };
        for mark in &self.marks {
            let drawn = match mark {
                Mark::Line { points, pen } => {
                    let points: Vec<_> = points.iter().map(place).collect();
                    area.draw(&PathElement::new(points, stroke(pen)))
                }
                Mark::Band { outline, color, alpha } => {
                    let points: Vec<_> = outline.iter().map(place).collect();
                    area.draw(&Polygon::new(points, rgba(*color, *alpha).filled()))
                }
                Mark::Dot { at, radius, color, alpha } => {
                    let radius = (radius * scale).round().max(1.0) as i32;
                    area.draw(&Circle::new(place(at), radius, rgba(*color, *alpha).filled()))
                }
                Mark::Text { at, text, size, color, align, bold } => {
                    let across = match align {
                        Align::Start => HPos::Left,
                        Align::Middle => HPos::Center,
                        Align::End => HPos::Right,
                    };
                    let style = if *bold { FontStyle::Bold } else { FontStyle::Normal };
                    let color = rgba(*color, 1.0);
                    let style = TextStyle::from(("sans-serif", size * scale * text_as.size, style))
                        .color(&color)
                        .pos(Pos::new(across, VPos::Center));
                    let at = (at.0, at.1 + text_as.drop * size);
                    area.draw(&Text::new(text.as_str(), place(&at), style))
                }
                Mark::Picture { .. } => Ok(()),
            };
            drawn.map_err(|error| error.to_string())?;
        }
        Ok(())
    }
}

const FONT_FAMILY: &str = r#"font-family="DejaVu Sans, Verdana, Helvetica, Arial, sans-serif""#;

/// Registers the fonts of PNG text, once a process.
fn register_embedded_fonts() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // A failure shows as "font unavailable" at the first text, with the figure's name.
        let _ =
            register_font("sans-serif", FontStyle::Normal, include_bytes!("../assets/DejaVuSans-subset.ttf"));
        let _ = register_font(
            "sans-serif",
            FontStyle::Bold,
            include_bytes!("../assets/DejaVuSans-Bold-subset.ttf"),
        );
    });
}

fn rgba(color: Color, alpha: f64) -> RGBAColor {
    RGBColor(color.0, color.1, color.2).mix(alpha)
}

/// A picture as PNG: grey where it is grey, which is a third of the size.
fn encode(picture: &RgbaImage) -> Result<Vec<u8>, String> {
    let mut out = Cursor::new(Vec::new());
    if picture.pixels().all(|pixel| pixel[0] == pixel[1] && pixel[1] == pixel[2] && pixel[3] == 255) {
        let grey = image::GrayImage::from_fn(picture.width(), picture.height(), |x, y| {
            image::Luma([picture[(x, y)][0]])
        });
        grey.write_to(&mut out, ImageFormat::Png).map_err(|error| error.to_string())?;
        return Ok(out.into_inner());
    }
    picture.write_to(&mut out, ImageFormat::Png).map_err(|error| error.to_string())?;
    Ok(out.into_inner())
}

/// The mean of every square of `SMOOTH × SMOOTH` = 2 × 2 pixels.
fn averaged(picture: &RgbImage) -> RgbImage {
    let (width, height) = (picture.width() / SMOOTH, picture.height() / SMOOTH);
    let row = 3 * picture.width() as usize;
    let mut out = Vec::with_capacity(3 * (width * height) as usize);
    // By slices: the accessors of `image` cost a second a page in an unoptimised build.
    for rows in picture.as_raw().chunks_exact(SMOOTH as usize * row) {
        let (upper, lower) = rows.split_at(row);
        for (upper, lower) in upper.chunks_exact(6).zip(lower.chunks_exact(6)) {
            for channel in 0..3 {
                let above = u32::from(upper[channel]) + u32::from(upper[channel + 3]);
                let below = u32::from(lower[channel]) + u32::from(lower[channel + 3]);
                out.push(((above + below + 2) / 4) as u8);
            }
        }
    }
    RgbImage::from_raw(width, height, out).expect("as many pixels as computed")
}

/// Scales a picture, by the nearest pixel or linearly between pixels, and lays it over the canvas.
fn paste(
    canvas: &mut RgbImage,
    source: &RgbaImage,
    at: (f64, f64),
    size: (f64, f64),
    pixelated: bool,
    scale: f64,
) {
    let span = |from: f64, length: f64, limit: u32| {
        let first = (from * scale).round() as u32;
        first..((first as f64 + length * scale).round() as u32).min(limit)
    };
    // For every pixel of the canvas: the two source pixels about it and the weight of the second.
    let taps = |span: &std::ops::Range<u32>, pixels: u32| -> Vec<(usize, usize, f32)> {
        let last = pixels as usize - 1;
        let per_pixel = f64::from(pixels) / f64::from(span.len().max(1) as u32);
        (0..span.len())
            .map(|index| {
                let place = (index as f64 + 0.5) * per_pixel;
                if pixelated {
                    let nearest = (place as usize).min(last);
                    return (nearest, nearest, 0.0);
                }
                let place = (place - 0.5).clamp(0.0, last as f64);
                (place as usize, (place as usize + 1).min(last), place.fract() as f32)
            })
            .collect()
    };
    let (columns, rows) = (span(at.0, size.0, canvas.width()), span(at.1, size.1, canvas.height()));
    let (across, down) = (taps(&columns, source.width()), taps(&rows, source.height()));
    let (stride, from) = (4 * source.width() as usize, source.as_raw());
    let (width, to) = (3 * canvas.width() as usize, canvas.as_mut());
    for (y, &(above, below, share_y)) in rows.zip(&down) {
        let line = &mut to[y as usize * width + 3 * columns.start as usize..][..3 * columns.len()];
        for (pixel, &(left, right, share_x)) in line.chunks_exact_mut(3).zip(&across) {
            let value = |channel: usize| {
                let get = |row: usize, column: usize| f32::from(from[row * stride + 4 * column + channel]);
                let upper = get(above, left) + share_x * (get(above, right) - get(above, left));
                let lower = get(below, left) + share_x * (get(below, right) - get(below, left));
                upper + share_y * (lower - upper)
            };
            let alpha = value(3) / 255.0;
            for (channel, out) in pixel.iter_mut().enumerate() {
                *out = (value(channel) * alpha + f32::from(*out) * (1.0 - alpha) + 0.5) as u8;
            }
        }
    }
}

/// The drawn pieces of a broken line, `on` points long with gaps of `off`.
fn dashes(points: &[(f64, f64)], on: f64, off: f64) -> Vec<Vec<(f64, f64)>> {
    let mut pieces = vec![vec![points[0]]];
    let (mut drawing, mut left) = (true, on);
    for pair in points.windows(2) {
        let (mut from, to) = (pair[0], pair[1]);
        loop {
            let length = (to.0 - from.0).hypot(to.1 - from.1);
            if length <= left {
                left -= length;
                if drawing {
                    pieces.last_mut().expect("never empty").push(to);
                }
                break;
            }
            let share = left / length;
            from = (from.0 + share * (to.0 - from.0), from.1 + share * (to.1 - from.1));
            if drawing {
                pieces.last_mut().expect("never empty").push(from);
            } else {
                pieces.push(vec![from]);
            }
            drawing = !drawing;
            left = if drawing { on } else { off };
        }
    }
    pieces.retain(|piece| piece.len() > 1);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::style::INK;

    #[test]
    fn both_forms_hold_the_marks() {
        let mut canvas = Canvas::new(120.0, 60.0);
        canvas.picture(
            (10.0, 10.0),
            (20.0, 20.0),
            RgbaImage::from_pixel(2, 2, image::Rgba([255, 0, 0, 255])),
            true,
        );
        canvas.line(&[(40.0, 10.0), (f64::NAN, 0.0), (40.0, 20.0), (100.0, 20.0)], Pen::new(INK, 2.0));
        canvas.text((60.0, 40.0), "a < ü ∇", 10.0, INK, Align::Middle);
        let svg = canvas.svg().unwrap();
        assert!(
            svg.starts_with(r#"<svg width="126" height="66""#) && svg.contains(r#"viewBox="0 0 1008 528""#)
        );
        assert_eq!(svg.matches("<polyline").count(), 1, "the broken piece has a single point");
        assert!(svg.contains("a &lt; ü ∇") && svg.contains("data:image/png;base64,"));
        let png = image::load_from_memory(&canvas.png().unwrap()).unwrap().to_rgb8();
        assert_eq!(png.dimensions(), (252, 132));
        assert_eq!(png.get_pixel(46, 46).0, [255, 0, 0]);
        assert_eq!(png.get_pixel(146, 46).0, [INK.0, INK.1, INK.2]);
        assert_eq!(png.get_pixel(2, 2).0, [255; 3]);
        let text = (96..156).flat_map(|x| (76..96).map(move |y| (x, y)));
        assert!(text.into_iter().any(|(x, y)| png.get_pixel(x, y)[0] < 100), "the text is drawn");
    }

    #[test]
    fn large_figures_have_a_pixel_a_point_and_huge_ones_none() {
        let png = |height: f64| Canvas::new(1000.0, height).png();
        let size = |png: Vec<u8>| image::load_from_memory(&png).unwrap().to_rgb8().dimensions();
        assert_eq!(size(png(100.0).unwrap()), (2012, 212));
        assert_eq!(size(png(5000.0).unwrap()), (1006, 5006));
        assert!(png(50_000.0).unwrap_err().contains("too large"));
    }

    #[test]
    fn dashes_turn_corners() {
        let pieces = dashes(&[(0.0, 0.0), (4.0, 0.0), (4.0, 10.0)], 5.0, 3.0);
        assert_eq!(pieces, [vec![(0.0, 0.0), (4.0, 0.0), (4.0, 1.0)], vec![(4.0, 4.0), (4.0, 9.0)]]);
    }
}
