//! The state dict in a `.pth` file of PyTorch's older format, read without running anything.
//!
//! The file is five pickles (a magic number, a protocol number, notes on the system, the object, the keys of its storages)
//! and then every storage: its length as u64, its values. A pickle is a program for a small stack machine that could call any
//! Python function; this one knows an ordered dict and a tensor, and refuses everything else.

use std::collections::{BTreeMap, HashMap};

use super::weights::HostTensor;

/// `torch.serialization.MAGIC_NUMBER`, little-endian.
const MAGIC: [u8; 10] = [0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

/// Tensors by name; tensors of integers are left out.
pub(super) fn state_dict(bytes: &[u8]) -> Result<BTreeMap<String, HostTensor>, String> {
    if bytes.starts_with(b"PK") {
        return Err("is in PyTorch's newer zip format; convert it to .safetensors".to_owned());
    }
    let mut reader = Reader { bytes, at: 0 };
    match reader.pickle() {
        Ok(Value::Long(digits)) if digits == MAGIC => {}
        _ => return Err("is no PyTorch file".to_owned()),
    }
    reader.pickle()?;
    reader.pickle()?;
    let object = reader.pickle()?;
    let Value::List(keys) = reader.pickle()? else { return Err("has no list of storages".to_owned()) };
    let kinds = kinds(&object)?;
    let mut storages = HashMap::new();
    for key in keys {
        let Value::Text(key) = key else {
            return Err("names a storage by something other than text".to_owned());
        };
        let kind =
            *kinds.get(&key).ok_or_else(|| format!("lists the storage {key}, which no tensor uses"))?;
        let length = u64::from_le_bytes(reader.array()?) as usize;
        let size = length.checked_mul(kind.bytes()).ok_or("has a storage of impossible size")?;
        storages.insert(key, (kind, reader.take(size)?));
    }
    let mut tensors = BTreeMap::new();
    for (name, value) in entries(&object)? {
        if let Value::Tensor(tensor) = value {
            let (kind, data) =
                storages.get(&tensor.key).ok_or_else(|| format!("lacks the storage of {name}"))?;
            if let Some(values) = tensor.values(*kind, data).map_err(|reason| format!("{name} {reason}"))? {
                tensors.insert(name.clone(), HostTensor { shape: tensor.shape.clone(), values });
            }
        }
    }
    Ok(tensors)
}

/// The named values of the dict that a state dict is.
fn entries(object: &Value) -> Result<Vec<(&String, &Value)>, String> {
    let Value::Dict(pairs) = object else { return Err("holds no state dict".to_owned()) };
    Ok(pairs
        .iter()
        .filter_map(|(key, value)| if let Value::Text(name) = key { Some((name, value)) } else { None })
        .collect())
}

fn kinds(object: &Value) -> Result<HashMap<String, Kind>, String> {
    let tensors = entries(object)?.into_iter().filter_map(|(_, value)| match value {
        Value::Tensor(tensor) => Some((tensor.key.clone(), tensor.kind)),
        _ => None,
    });
    Ok(tensors.collect())
}

/// Types of storages.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Float,
    Double,
    Long,
    Int,
}

impl Kind {
    fn named(name: &str) -> Result<Self, String> {
        match name {
            "torch FloatStorage" => Ok(Self::Float),
            "torch DoubleStorage" => Ok(Self::Double),
            "torch LongStorage" => Ok(Self::Long),
            "torch IntStorage" => Ok(Self::Int),
            other => Err(format!("holds a {other}; f32 and f64 are read")),
        }
    }

    fn bytes(self) -> usize {
        match self {
            Self::Float | Self::Int => 4,
            Self::Double | Self::Long => 8,
        }
    }
}

/// What a pickle can hold here.
#[derive(Clone, Debug)]
enum Value {
    /// None, a bool or a float: nothing of it is used.
    Other,
    Int(i64),
    /// An integer of more than eight bytes, little-endian.
    Long(Vec<u8>),
    Text(String),
    Tuple(Vec<Value>),
    List(Vec<Value>),
    Dict(Vec<(Value, Value)>),
    /// `module name` of a global.
    Global(String),
    Storage(String, Kind),
    Tensor(Tensor),
    /// The start of a group.
    Mark,
}

#[derive(Clone, Debug)]
struct Tensor {
    key: String,
    kind: Kind,
    offset: usize,
    shape: Vec<usize>,
    strides: Vec<usize>,
}

impl Tensor {
    /// The values in row-major order; `None` for integers.
    fn values(&self, kind: Kind, data: &[u8]) -> Result<Option<Vec<f32>>, String> {
        let read: fn(&[u8]) -> f32 = match kind {
            Kind::Float => |b| f32::from_le_bytes(b.try_into().expect("4 bytes")),
            Kind::Double => |b| f64::from_le_bytes(b.try_into().expect("8 bytes")) as f32,
            Kind::Long | Kind::Int => return Ok(None),
        };
        let stored = data.len() / kind.bytes();
        let count = self.shape.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
        let count = count.filter(|&count| count <= stored).ok_or("is larger than its storage")?;
        let last = self.shape.iter().zip(&self.strides).try_fold(self.offset, |last, (&size, &stride)| {
            last.checked_add(size.saturating_sub(1).checked_mul(stride)?)
        });
        if count > 0 && last.is_none_or(|last| last >= stored) {
            return Err("reaches beyond its storage".to_owned());
        }
        let mut index = vec![0; self.shape.len()];
        let mut values = Vec::with_capacity(count);
        for _ in 0..count {
            let at =
                self.offset + index.iter().zip(&self.strides).map(|(i, stride)| i * stride).sum::<usize>();
            values.push(read(&data[at * kind.bytes()..][..kind.bytes()]));
            for (i, size) in index.iter_mut().zip(&self.shape).rev() {
                *i += 1;
                if *i < *size {
                    break;
                }
                *i = 0;
            }
        }
        Ok(Some(values))
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let end = self.at.checked_add(count).filter(|&end| end <= self.bytes.len());
        let end = end.ok_or_else(|| format!("ends at byte {}, in the middle", self.bytes.len()))?;
        let some = &self.bytes[self.at..end];
        self.at = end;
        Ok(some)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        Ok(self.take(N)?.try_into().expect("as many as taken"))
    }

    fn byte(&mut self) -> Result<usize, String> {
        Ok(self.array::<1>()?[0].into())
    }

    fn length(&mut self) -> Result<usize, String> {
        Ok(u32::from_le_bytes(self.array()?) as usize)
    }

    fn text(&mut self, length: usize) -> Result<Value, String> {
        let text = std::str::from_utf8(self.take(length)?).map_err(|_| "holds text that is not UTF-8")?;
        Ok(Value::Text(text.to_owned()))
    }

    fn line(&mut self) -> Result<&'a str, String> {
        let rest = &self.bytes[self.at..];
        let end = rest.iter().position(|&byte| byte == b'\n').ok_or("ends in the middle of a line")?;
        self.at += end + 1;
        std::str::from_utf8(&rest[..end]).map_err(|_| "holds a name that is not UTF-8".to_owned())
    }

    /// Runs one pickle to its end.
    fn pickle(&mut self) -> Result<Value, String> {
        let mut stack = Stack::default();
        let mut memo: HashMap<usize, Value> = HashMap::new();
        loop {
            match self.byte()? as u8 {
                0x80 => {
                    let protocol = self.byte()?;
                    if protocol > 4 {
                        return Err(format!("is a pickle of protocol {protocol}"));
                    }
                }
                b'.' => return stack.pop(),
                b'(' => stack.push(Value::Mark),
                b'}' => stack.push(Value::Dict(Vec::new())),
                b']' => stack.push(Value::List(Vec::new())),
                b')' => stack.push(Value::Tuple(Vec::new())),
                b't' => {
                    let items = stack.group()?;
                    stack.push(Value::Tuple(items));
                }
                code @ 0x85..=0x87 => {
                    let mut items = (0x84..code).map(|_| stack.pop()).collect::<Result<Vec<_>, _>>()?;
                    items.reverse();
                    stack.push(Value::Tuple(items));
                }
                b'N' | 0x88 | 0x89 => stack.push(Value::Other),
                b'G' => {
                    self.array::<8>()?;
                    stack.push(Value::Other);
                }
                b'K' => stack.push(Value::Int(self.byte()? as i64)),
                b'M' => stack.push(Value::Int(u16::from_le_bytes(self.array()?).into())),
                b'J' => stack.push(Value::Int(i32::from_le_bytes(self.array()?).into())),
                0x8a => {
                    let length = self.byte()?;
                    stack.push(integer(self.take(length)?));
                }
                b'X' => {
                    let length = self.length()?;
                    stack.push(self.text(length)?);
                }
                0x8c | b'U' => {
                    let length = self.byte()?;
                    stack.push(self.text(length)?);
                }
                b'q' => drop(memo.insert(self.byte()?, stack.top()?.clone())),
                b'r' => drop(memo.insert(self.length()?, stack.top()?.clone())),
                code @ (b'h' | b'j') => {
                    let slot = if code == b'h' { self.byte()? } else { self.length()? };
                    stack.push(memo.get(&slot).cloned().ok_or("refers to a value that it never stored")?);
                }
                b'a' => {
                    let item = stack.pop()?;
                    stack.list()?.push(item);
                }
                b'e' => {
                    let items = stack.group()?;
                    stack.list()?.extend(items);
                }
                b's' => {
                    let (value, key) = (stack.pop()?, stack.pop()?);
                    stack.dict()?.push((key, value));
                }
                b'u' => {
                    let mut items = stack.group()?.into_iter();
                    let dict = stack.dict()?;
                    while let (Some(key), Some(value)) = (items.next(), items.next()) {
                        dict.push((key, value));
                    }
                }
                b'c' => {
                    let (module, name) = (self.line()?, self.line()?);
                    stack.push(Value::Global(format!("{module} {name}")));
                }
                b'Q' => {
                    let storage = storage(stack.pop()?)?;
                    stack.push(storage);
                }
                b'R' => {
                    let (arguments, function) = (stack.pop()?, stack.pop()?);
                    stack.push(call(function, arguments)?);
                }
                // The attributes of an object; of a state dict they are notes on versions.
                b'b' => drop(stack.pop()?),
                code => {
                    return Err(format!("uses the pickle operation {code:#04x}, which no state dict needs"));
                }
            }
        }
    }
}

#[derive(Default)]
struct Stack(Vec<Value>);

impl Stack {
    fn push(&mut self, value: Value) {
        self.0.push(value);
    }

    fn pop(&mut self) -> Result<Value, String> {
        self.0.pop().ok_or_else(|| EMPTY.to_owned())
    }

    fn top(&mut self) -> Result<&mut Value, String> {
        self.0.last_mut().ok_or_else(|| EMPTY.to_owned())
    }

    /// What was pushed since the last mark.
    fn group(&mut self) -> Result<Vec<Value>, String> {
        let mark = self.0.iter().rposition(|value| matches!(value, Value::Mark)).ok_or(EMPTY)?;
        let items = self.0.split_off(mark + 1);
        self.0.pop();
        Ok(items)
    }

    fn list(&mut self) -> Result<&mut Vec<Value>, String> {
        match self.top()? {
            Value::List(items) => Ok(items),
            _ => Err("appends to something that is no list".to_owned()),
        }
    }

    fn dict(&mut self) -> Result<&mut Vec<(Value, Value)>, String> {
        match self.top()? {
            Value::Dict(pairs) => Ok(pairs),
            _ => Err("sets an entry of something that is no dict".to_owned()),
        }
    }
}

const EMPTY: &str = "takes more from its stack than it put there";

fn integer(digits: &[u8]) -> Value {
    if digits.len() > 8 {
        return Value::Long(digits.to_vec());
    }
    let sign = if digits.last().is_some_and(|byte| byte & 0x80 != 0) { 0xff } else { 0 };
    let mut bytes = [sign; 8];
    bytes[..digits.len()].copy_from_slice(digits);
    Value::Int(i64::from_le_bytes(bytes))
}

/// The storage that a persistent identifier `("storage", type, key, device, length, view)` names.
fn storage(identifier: Value) -> Result<Value, String> {
    let Value::Tuple(parts) = identifier else { return Err("names a storage by no tuple".to_owned()) };
    match &parts[..] {
        [Value::Text(word), Value::Global(kind), Value::Text(key), ..] if word == "storage" => {
            Ok(Value::Storage(key.clone(), Kind::named(kind)?))
        }
        _ => Err("names a storage in a way that PyTorch does not".to_owned()),
    }
}

fn call(function: Value, arguments: Value) -> Result<Value, String> {
    let (Value::Global(name), Value::Tuple(arguments)) = (function, arguments) else {
        return Err("calls something that is no function".to_owned());
    };
    match (name.as_str(), &arguments[..]) {
        ("collections OrderedDict", []) => Ok(Value::Dict(Vec::new())),
        (
            "torch._utils _rebuild_tensor_v2",
            [Value::Storage(key, kind), Value::Int(offset), Value::Tuple(shape), Value::Tuple(strides), ..],
        ) => {
            let sizes = |values: &[Value]| -> Option<Vec<usize>> {
                values
                    .iter()
                    .map(|value| if let Value::Int(size) = value { (*size).try_into().ok() } else { None })
                    .collect()
            };
            let (shape, strides) = (sizes(shape), sizes(strides));
            match ((*offset).try_into(), shape, strides) {
                (Ok(offset), Some(shape), Some(strides)) if shape.len() == strides.len() => {
                    Ok(Value::Tensor(Tensor { key: key.clone(), kind: *kind, offset, shape, strides }))
                }
                _ => Err("holds a tensor of impossible shape".to_owned()),
            }
        }
        ("torch._utils _rebuild_parameter", [tensor @ Value::Tensor(_), ..]) => Ok(tensor.clone()),
        (name, _) => Err(format!("would call `{}`, which is not done", name.replace(' ', "."))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pickle of the magic number.
    fn magic() -> Vec<u8> {
        [&[0x80, 2, 0x8a, 10], &MAGIC[..], b"."].concat()
    }

    /// A file with the tensor `w` of shape [2, 3] in a storage of six floats, made by hand.
    fn file(strides: [u8; 2], function: &str) -> Vec<u8> {
        let mut bytes = magic();
        bytes.extend(b"\x80\x02M\xe9\x03.");
        bytes.extend(b"\x80\x02}q\x00.");
        bytes.extend(b"\x80\x02ccollections\nOrderedDict\nq\x00)Rq\x01");
        bytes.extend(b"X\x01\x00\x00\x00wq\x02");
        bytes.extend(format!("ctorch._utils\n{function}\nq\x03(").bytes());
        bytes.extend(b"(X\x07\x00\x00\x00storageq\x04ctorch\nFloatStorage\nq\x05X\x01\x00\x00\x007q\x06X\x03\x00\x00\x00cpuq\x07K\x06NtQ");
        bytes.extend([b'K', 0, b'K', 2, b'K', 3, 0x86, b'K', strides[0], b'K', strides[1], 0x86, 0x89]);
        bytes.extend(b"h\x00)Rtq\x08Rq\x09s.");
        bytes.extend(b"\x80\x02]q\x00X\x01\x00\x00\x007q\x01a.");
        bytes.extend(6u64.to_le_bytes());
        (0..6).for_each(|x| bytes.extend((x as f32).to_le_bytes()));
        bytes
    }

    #[test]
    fn a_tensor_comes_out_row_major() {
        let tensors = state_dict(&file([3, 1], "_rebuild_tensor_v2")).unwrap();
        assert_eq!(
            tensors["w"],
            HostTensor { shape: vec![2, 3], values: vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0] }
        );
        let tensors = state_dict(&file([1, 2], "_rebuild_tensor_v2")).unwrap();
        assert_eq!(tensors["w"].values, [0.0, 2.0, 4.0, 1.0, 3.0, 5.0]);
    }

    #[test]
    fn nothing_is_called_and_nothing_is_read_beyond_the_end() {
        let error = state_dict(&file([3, 1], "system")).unwrap_err();
        assert_eq!(error, "would call `torch._utils.system`, which is not done");
        assert_eq!(
            state_dict(&file([3, 2], "_rebuild_tensor_v2")).unwrap_err(),
            "w reaches beyond its storage"
        );
        assert_eq!(
            state_dict(b"PK\x03\x04").unwrap_err(),
            "is in PyTorch's newer zip format; convert it to .safetensors"
        );
        assert_eq!(state_dict(b"hello").unwrap_err(), "is no PyTorch file");
        let whole = file([3, 1], "_rebuild_tensor_v2");
        for length in 0..whole.len() {
            assert!(state_dict(&whole[..length]).is_err(), "{length}");
        }
        let evil =
            [magic(), magic(), magic(), b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00ls\x85R.".to_vec()].concat();
        assert_eq!(state_dict(&evil).unwrap_err(), "would call `os.system`, which is not done");
    }
}
