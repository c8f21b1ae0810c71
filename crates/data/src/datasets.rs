//! The kinds of data, one file each: its name, its keys in `[data.<name>]` with their defaults and checks, and what it opens.

use crate::kind::Kind;

macro_rules! datasets {
    ($($file:ident),* $(,)?) => {
        $(pub mod $file;)*

        /// Every kind of data there is here; a program that has others lists them beside these.
        pub static KINDS: &[&Kind] = &[$(&$file::KIND),*];
    };
}

datasets! {
    fashion_mnist,
    mnist,
    idx_files,
    cifar10,
    cifar100,
    image_folder,
    emoji,
    hdf5_files,
    eight_gaussians,
    checkerboard,
    two_moons,
    two_spirals,
    swiss_roll,
    points,
    silhouette,
}
