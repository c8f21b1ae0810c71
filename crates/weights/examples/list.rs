//! Lists the tensors of a file: `cargo run -p meanflow-weights --example list -- FILE`.

use meanflow_weights::{FileError, TensorFile};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os().nth(1).ok_or("give a file of tensors")?;
    let mut file = TensorFile::open(path.as_ref())?;
    let names: Vec<String> = file.names().into_iter().map(str::to_owned).collect();
    for name in names {
        match file.read(&name) {
            Ok(tensor) => println!("{name} {:?}", tensor.shape),
            Err(FileError::Unsupported(reason)) => println!("{name}: {reason}"),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
