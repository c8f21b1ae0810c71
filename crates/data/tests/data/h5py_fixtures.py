"""Writes the HDF5 fixtures beside this file with h5py, and compares what this crate wrote with what it should be.

    python3 h5py_fixtures.py               make the fixtures (they are checked in)
    python3 h5py_fixtures.py check FOLDER  read the files that the test `h5py_can_read_what_is_written` leaves in FOLDER

Needs h5py and numpy. The same formulas are in `tests/all/hdf5.rs`.
"""

import sys
from pathlib import Path

import h5py
import numpy as np


def images(count, channels, height, width):
    i, c, y, x = np.ogrid[:count, :channels, :height, :width]
    return ((37 * i + 11 * c + 5 * y + 3 * x) % 256).astype(np.uint8)


def latents(count, channels, height, width, offset=0):
    i, c, y, x = np.ogrid[:count, :channels, :height, :width]
    return (i + c / 8 + y / 64 + x / 512 + offset).astype(np.float32)


def make(folder):
    labels = np.arange(70) % 10
    with h5py.File(folder / "pixels_gzip.h5", "w") as file:
        file.create_dataset("images", data=images(70, 3, 4, 4), chunks=(16, 3, 4, 4), compression="gzip")
        file.create_dataset("labels", data=labels)
    with h5py.File(folder / "channels_last.h5", "w") as file:
        file.create_dataset("images", data=images(5, 3, 4, 6).transpose(0, 2, 3, 1))
        file.create_dataset("labels", data=labels[:5].astype(np.uint8))
    with h5py.File(folder / "moments_big_endian.h5", "w") as file:
        for name, offset in ("moments", 0), ("moments_flip", 100):
            moments = latents(50, 8, 4, 4, offset)
            # The standard deviations: a quarter of the row's remainder by 3.
            moments[:, 4:] = (np.arange(50) % 3 / 4)[:, None, None, None]
            chunks = dict(chunks=(8, 8, 4, 4), compression="gzip", shuffle=True)
            file.create_dataset(name, data=moments.astype(">f4"), **chunks)
        file.create_dataset("labels", data=labels[:50].astype(">i4"))
    # The format of HDF5 1.14 has other indices of chunks, and checksums. (That of 2.0 is not read yet.)
    with h5py.File(folder / "latents_newest.h5", "w", libver=("v110", "v114")) as file:
        chunks = dict(chunks=(4, 4, 4, 4), compression="gzip", fletcher32=True)
        file.create_dataset("latents", data=latents(20, 4, 4, 4), **chunks)
        file.create_dataset("doubles", data=latents(20, 4, 4, 4).astype(np.float64))
        file.create_dataset("words", data=np.zeros((20, 4, 4, 4), np.int16))
        file.create_dataset("flat", data=np.zeros((20, 64), np.float32))
        file.create_dataset("classes", data=np.array([0, 1, 2, -3] * 5))
    # Rows that are declared and were never written, and of which the second half was not.
    with h5py.File(folder / "unwritten.h5", "w") as file:
        file.create_dataset("endless", shape=(10**9, 3, 256, 256), dtype="u1", chunks=(1, 3, 256, 256))
        file.create_dataset("packed", shape=(10**9, 3, 4, 4), dtype="u1", chunks=(10**6, 3, 4, 4), compression="gzip")
        file.create_dataset("chunked", shape=(100, 3, 4, 4), dtype="u1", chunks=(10, 3, 4, 4))
        file.create_dataset("whole", shape=(100, 3, 4, 4), dtype="u1")
        half = file.create_dataset("half", shape=(100, 3, 4, 4), dtype="u1", chunks=(10, 3, 4, 4), compression="gzip")
        half[:50] = images(50, 3, 4, 4)


def check(folder):
    paths = sorted(folder.glob("*.h5"))
    assert len(paths) == 3, paths
    files = [h5py.File(path) for path in paths]
    whole = {name: np.concatenate([file[name][:] for file in files]) for name in ("moments", "moments_flip", "labels")}
    moments = latents(50, 8, 4, 4)
    moments[:, 4:] = (np.arange(50) % 3 / 4)[:, None, None, None]
    assert whole["moments"].dtype == np.float32 and (whole["moments"] == moments).all()
    moments[:, :4] += 100
    assert (whole["moments_flip"] == moments).all()
    assert (whole["labels"] == np.arange(50) % 10).all()
    assert files[0]["moments"].chunks == (8, 8, 4, 4) and files[0]["moments"].compression == "gzip"
    assert files[0].attrs["classes"] == 10 and files[0].attrs["rows_in_all_files"] == 50
    print("h5py", h5py.__version__, "reads", *(path.name for path in paths))


if __name__ == "__main__":
    if sys.argv[1:2] == ["check"]:
        check(Path(sys.argv[2]))
    else:
        make(Path(__file__).parent)
