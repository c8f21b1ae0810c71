//! Archives of arrays of NumPy.

use crate::Target;
use meanflow_weights::NpzFile;

pub(super) const TARGET: Target = Target {
    name: "npz",
    seeds: &["fuzz/corpus/npz"],
    together: false,
    cost: 1,
    read: |path| {
        let read = || {
            let mut file = NpzFile::open(path)?;
            for name in file.names().to_vec() {
                if let Some(array) = file.stored(&name)?
                    && let Some(&rows) = array.shape().first()
                {
                    array.rows(0, rows)?;
                }
                file.read(&name)?;
            }
            Ok(())
        };
        read().map_err(|error| super::naming(path, &error))?;
        super::read_tensors(path)
    },
};
