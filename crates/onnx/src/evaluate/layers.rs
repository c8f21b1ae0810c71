//! Products, convolutions, pools and resizing.

use super::{
    Operation,
    array::{Array, broadcast, indices},
};

/// Matrix products of the last two axes, the others broadcast.
pub(super) fn matmul(x: &Array, y: &Array) -> Array {
    let split = |a: &Array| a.shape.split_at(a.shape.len() - 2).0.to_vec();
    let outer = broadcast(&split(x), &split(y));
    let [rows, inner] = x.shape[x.shape.len() - 2..] else { unreachable!("two axes") };
    let columns = y.shape[y.shape.len() - 1];
    let x = x.expanded(&[&outer[..], &[rows, inner]].concat());
    let y = y.expanded(&[&outer[..], &[inner, columns]].concat());
    let shape = [&outer[..], &[rows, columns]].concat();
    let mut values = vec![0.0; shape.iter().product()];
    for batch in 0..outer.iter().product() {
        for row in 0..rows {
            let sums = &mut values[(batch * rows + row) * columns..][..columns];
            for k in 0..inner {
                let factor = x.values[(batch * rows + row) * inner + k];
                let line = &y.values[(batch * inner + k) * columns..][..columns];
                sums.iter_mut().zip(line).for_each(|(sum, value)| *sum += factor * value);
            }
        }
    }
    Array::new(&shape, x.kind, values).rounded()
}

/// How a window moves over the axes after the second.
struct Window {
    kernel: Vec<usize>,
    strides: Vec<usize>,
    pads: Vec<usize>,
    dilations: Vec<usize>,
    groups: usize,
}

impl Window {
    /// The place that `tap` of the window at `at` reads, if it is inside.
    fn read(&self, at: &[usize], tap: &[usize], sizes: &[usize]) -> Option<Vec<usize>> {
        (0..sizes.len())
            .map(|axis| {
                let place = at[axis] * self.strides[axis] + tap[axis] * self.dilations[axis];
                place.checked_sub(self.pads[axis]).filter(|&place| place < sizes[axis])
            })
            .collect()
    }

    /// How often the window fits.
    fn steps(&self, sizes: &[usize], ceil: bool) -> Vec<usize> {
        (0..sizes.len())
            .map(|axis| {
                let reach = self.dilations[axis] * (self.kernel[axis] - 1) + 1;
                let room = sizes[axis] + 2 * self.pads[axis] - reach;
                let stride = self.strides[axis];
                if ceil { room.div_ceil(stride) + 1 } else { room / stride + 1 }
            })
            .collect()
    }
}

fn flat(index: &[usize], shape: &[usize]) -> usize {
    index.iter().zip(shape).fold(0, |flat, (i, size)| flat * size + i)
}

impl Operation<'_> {
    fn window(&self, kernel: &[usize]) -> Window {
        let or = |name: &str, default: usize| self.ints(name).unwrap_or(vec![default; kernel.len()]);
        Window {
            kernel: kernel.to_vec(),
            strides: or("strides", 1),
            pads: or("pads", 0)[..kernel.len()].to_vec(),
            dilations: or("dilations", 1),
            groups: self.int("group", 1) as usize,
        }
    }

    fn bias(&self, channel: usize) -> f64 {
        self.operands.get(2).copied().flatten().map_or(0.0, |bias| bias.values[channel])
    }

    pub(super) fn conv(&self) -> Array {
        let (x, weight) = (self.at(0), self.at(1));
        let (window, sizes) = (self.window(&weight.shape[2..]), &x.shape[2..]);
        let (outputs, own) = (weight.shape[0], weight.shape[1]);
        let spatial = window.steps(sizes, false);
        let shape = [&[x.shape[0], outputs], &spatial[..]].concat();
        let taps: Vec<Vec<usize>> = indices(&window.kernel).collect();
        let area: usize = sizes.iter().product();
        let value = |index: Vec<usize>| {
            let (row, output, at) = (index[0], index[1], &index[2..]);
            let first = output / (outputs / window.groups) * own;
            let mut sum = self.bias(output);
            for (place, tap) in taps.iter().enumerate() {
                let Some(from) = window.read(at, tap, sizes) else { continue };
                let from = flat(&from, sizes);
                for channel in 0..own {
                    let input = x.values[(row * x.shape[1] + first + channel) * area + from];
                    sum += input * weight.values[(output * own + channel) * taps.len() + place];
                }
            }
            sum
        };
        Array::new(&shape, x.kind, indices(&shape).map(value).collect()).rounded()
    }

    pub(super) fn conv_transpose(&self) -> Array {
        let (x, weight) = (self.at(0), self.at(1));
        let window = self.window(&weight.shape[2..]);
        let extra = self.ints("output_padding").unwrap_or(vec![0; window.kernel.len()]);
        let sizes: Vec<usize> = (0..extra.len())
            .map(|axis| {
                let reach = window.dilations[axis] * (window.kernel[axis] - 1) + 1;
                (x.shape[axis + 2] - 1) * window.strides[axis] + reach + extra[axis] - 2 * window.pads[axis]
            })
            .collect();
        let own = weight.shape[1];
        let shape = [&[x.shape[0], own * window.groups], &sizes[..]].concat();
        let mut values: Vec<f64> = indices(&shape).map(|index| self.bias(index[1])).collect();
        for (index, input) in indices(&x.shape).zip(&x.values) {
            let group = index[1] / (x.shape[1] / window.groups);
            for tap in indices(&window.kernel) {
                let Some(to) = window.read(&index[2..], &tap, &sizes) else { continue };
                for channel in 0..own {
                    let place = flat(&[&[index[1], channel], &tap[..]].concat(), &weight.shape);
                    let to = flat(&[&[index[0], group * own + channel], &to[..]].concat(), &shape);
                    values[to] += input * weight.values[place];
                }
            }
        }
        Array::new(&shape, x.kind, values).rounded()
    }

    pub(super) fn pool(&self, mean: bool) -> Array {
        let x = self.at(0);
        let window = self.window(&self.ints("kernel_shape").expect("a kernel"));
        let sizes = &x.shape[2..];
        let spatial = window.steps(sizes, self.int("ceil_mode", 0) == 1);
        let shape = [&x.shape[..2], &spatial].concat();
        let with_pads = self.int("count_include_pad", 0) == 1;
        let value = |index: Vec<usize>| {
            let inside = indices(&window.kernel).filter_map(|tap| window.read(&index[2..], &tap, sizes));
            let inside: Vec<f64> =
                inside.map(|from| x.values[flat(&[&index[..2], &from].concat(), &x.shape)]).collect();
            let count = if with_pads { window.kernel.iter().product() } else { inside.len() };
            match mean {
                true => inside.iter().sum::<f64>() / count as f64,
                false => inside.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            }
        };
        Array::new(&shape, x.kind, indices(&shape).map(value).collect()).rounded()
    }

    /// The axes 2 and 3, to the sizes that are given.
    pub(super) fn resize(&self) -> Array {
        let x = self.at(0);
        let sizes: Vec<usize> = self.sizes(3).iter().map(|&size| size as usize).collect();
        let shape = [&x.shape[..2], &sizes].concat();
        let nearest = self.text("mode") == "nearest";
        let mode = self.text("coordinate_transformation_mode");
        // Two places along an axis with the share of the second.
        let read = |axis: usize, at: usize| {
            let (before, after) = (x.shape[axis + 2], sizes[axis]);
            let (scale, last) = (before as f64 / after as f64, (before - 1) as f64);
            let place = match mode {
                "align_corners" if after > 1 => at as f64 * last / (after - 1) as f64,
                "half_pixel" => ((at as f64 + 0.5) * scale - 0.5).clamp(0.0, last),
                _ => at as f64 * scale,
            };
            let low = place.floor();
            let share = if nearest { 0.0 } else { place - low };
            (low as usize, (low as usize + 1).min(before - 1), share)
        };
        let value = |index: Vec<usize>| {
            let ((top, bottom, down), (left, right, across)) = (read(0, index[2]), read(1, index[3]));
            let at = |row, column| x.values[flat(&[index[0], index[1], row, column], &x.shape)];
            let line = |row| at(row, left) * (1.0 - across) + at(row, right) * across;
            line(top) * (1.0 - down) + line(bottom) * down
        };
        Array::new(&shape, x.kind, indices(&shape).map(value).collect()).rounded()
    }
}
