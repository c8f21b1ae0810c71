//! An image with zeros around it.

use std::borrow::Cow;

/// Numbers behind the last channel that may be read, never used: a tile may stand out over the end.
const SLACK: usize = 128;

/// A frame `k/2` wide around images `[height, width]`, for kernels of side `k`.
#[derive(Clone, Copy)]
pub(crate) struct Frame {
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) k: usize,
}

impl Frame {
    pub(crate) fn new([height, width]: [usize; 2], k: usize) -> Self {
        Self { height, width, k }
    }

    /// Numbers of an image's channel.
    pub(super) fn pixels(&self) -> usize {
        self.height * self.width
    }

    /// Distance of two rows.
    pub(super) fn pitch(&self) -> usize {
        self.width + self.k - 1
    }

    /// Distance of two channels.
    pub(super) fn plane(&self) -> usize {
        self.pitch() * (self.height + self.k - 1)
    }

    /// Places from the first pixel to the last, with the zeros between rows.
    pub(super) fn places(&self) -> usize {
        self.height * self.pitch() - (self.k - 1)
    }

    /// Distance of each tap from the first, row by row.
    pub(super) fn taps(&self) -> Vec<usize> {
        let taps = |row: usize| (0..self.k).map(move |column| row * self.pitch() + column);
        (0..self.k).flat_map(taps).collect()
    }

    /// The image in its frame that is the first `length` of `images`, which need no copy for a kernel of one tap.
    pub(super) fn of<'a>(&self, images: &'a [f32], length: usize) -> Cow<'a, [f32]> {
        if self.k == 1 && images.len() >= length + SLACK {
            Cow::Borrowed(images)
        } else {
            Cow::Owned(self.framed(&images[..length]))
        }
    }

    /// An image `[channels, height, width]` in its frame.
    pub(super) fn framed(&self, image: &[f32]) -> Vec<f32> {
        let (pitch, border) = (self.pitch(), self.k / 2);
        let channels = image.len() / self.pixels();
        let mut framed = vec![0.0; channels * self.plane() + SLACK];
        let planes = framed.chunks_exact_mut(self.plane()).zip(image.chunks_exact(self.pixels()));
        for (plane, channel) in planes {
            let rows = plane[border * pitch..].chunks_exact_mut(pitch).zip(channel.chunks_exact(self.width));
            for (to, from) in rows {
                to[border..border + self.width].copy_from_slice(from);
            }
        }
        framed
    }
}
