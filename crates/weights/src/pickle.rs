//! The pickles of PyTorch's state dicts: plain values, dictionaries and descriptions of tensors.
//!
//! Nothing is executed. A class or function that is not known makes [`Value::Opaque`], so that a checkpoint may hold an `argparse`
//! namespace or an optimizer beside the weights. Values refer to each other by index and are never copied, so that neither time
//! nor memory can grow faster than the pickle.

use crate::{FileError, number::Float};
use std::{collections::HashMap, io::Read};

/// Index of a value.
pub(crate) type Id = usize;

/// A value of a pickle. Values refer to each other by index, so that one that is filled after it was stored is seen whole.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Integer(i64),
    /// An integer of more than eight bytes, little-endian.
    Long(Vec<u8>),
    Text(String),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Global(Global),
    /// Raw numbers: type, name (a text), count.
    Storage {
        class: Class,
        key: Id,
        count: u64,
    },
    /// A view into a storage, in numbers.
    Tensor {
        storage: Id,
        offset: u64,
        shape: Vec<u64>,
        strides: Vec<u64>,
    },
    /// Anything else.
    Opaque,
}

/// A class or function.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Global {
    OrderedDict,
    Tensor,
    /// A parameter or a buffer, made of a tensor.
    Parameter,
    Storage(Class),
    Unknown,
}

/// What numbers a storage holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Class {
    Float(Float),
    /// Something that weights are not: its name, and bytes a number.
    Other(&'static str, usize),
}

impl Class {
    /// Bytes a number.
    pub fn size(self) -> usize {
        match self {
            Self::Float(float) => float.size(),
            Self::Other(_, size) => size,
        }
    }
}

impl Global {
    fn of(module: &str, name: &str) -> Self {
        let other = |name, size| Self::Storage(Class::Other(name, size));
        match (module, name) {
            ("collections", "OrderedDict") => Self::OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2") => Self::Tensor,
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state" | "_rebuild_buffer") => {
                Self::Parameter
            }
            ("torch", "DoubleStorage") => Self::Storage(Class::Float(Float::F64)),
            ("torch", "FloatStorage") => Self::Storage(Class::Float(Float::F32)),
            ("torch", "HalfStorage") => Self::Storage(Class::Float(Float::F16)),
            ("torch", "BFloat16Storage") => Self::Storage(Class::Float(Float::Bf16)),
            ("torch", "LongStorage") => other("torch.LongStorage", 8),
            ("torch", "IntStorage") => other("torch.IntStorage", 4),
            ("torch", "ShortStorage") => other("torch.ShortStorage", 2),
            ("torch", "CharStorage") => other("torch.CharStorage", 1),
            ("torch", "ByteStorage") => other("torch.ByteStorage", 1),
            ("torch", "BoolStorage") => other("torch.BoolStorage", 1),
            _ => Self::Unknown,
        }
    }
}

/// The values of a pickle and which of them is the result.
pub(crate) struct Pickle {
    pub values: Vec<Value>,
    pub root: Id,
}

/// Instructions of a pickle; each makes at most one value. Far above any state dict.
const INSTRUCTIONS: usize = 1 << 22;

/// Bytes of the name of a module, class or function.
const NAME: usize = 1 << 10;

/// Dimensions of a tensor.
const RANK: usize = 8;

/// Reads one pickle of protocol 2 to 5, which has at most `length` bytes, and takes them from `length`.
pub(crate) fn read(source: &mut impl Read, length: &mut u64) -> Result<Pickle, FileError> {
    let mut machine = Machine {
        source,
        left: length,
        values: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
    };
    for _ in 0..INSTRUCTIONS {
        let opcode = machine.byte()?;
        if opcode == b'.' {
            let root = machine.pop()?;
            return Ok(Pickle { values: machine.values, root });
        }
        machine.step(opcode)?;
    }
    Err(FileError::too_large(format!("the pickle has more than {INSTRUCTIONS} instructions")))
}

struct Machine<'a, R> {
    source: &'a mut R,
    /// Bytes that are left.
    left: &'a mut u64,
    values: Vec<Value>,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

fn cut() -> FileError {
    FileError::broken("the pickle is cut short")
}

fn broken() -> FileError {
    FileError::broken("the pickle is broken")
}

impl<R: Read> Machine<'_, R> {
    fn step(&mut self, opcode: u8) -> Result<(), FileError> {
        match opcode {
            // Protocol and frame say how to read on, which is as before.
            0x80 => {
                self.take(1)?;
            }
            0x95 => {
                self.take(8)?;
            }
            b'(' => self.marks.push(self.stack.len()),
            b'0' => {
                self.pop()?;
            }
            b'2' => {
                let top = self.top()?;
                self.stack.push(top);
            }
            // None, booleans and sets.
            b'N' | 0x88 | 0x89 | 0x8f => self.push(Value::Opaque),
            0x90 => {
                self.since_mark()?;
            }
            0x91 => {
                self.since_mark()?;
                self.push(Value::Opaque);
            }
            b'}' => self.push(Value::Dict(Vec::new())),
            b']' => self.push(Value::List(Vec::new())),
            b')' => self.push(Value::Tuple(Vec::new())),
            b'K' => self.integer(1, false)?,
            b'M' => self.integer(2, false)?,
            b'J' => self.integer(4, true)?,
            0x8a => {
                let length = self.byte()?;
                let bytes = self.take(length.into())?;
                self.push(if length <= 8 {
                    Value::Integer(little_endian(&bytes, true))
                } else {
                    Value::Long(bytes)
                });
            }
            b'G' => {
                self.take(8)?;
                self.push(Value::Opaque);
            }
            0x8b => {
                let length = self.number(4)?;
                self.take(length)?;
                self.push(Value::Opaque);
            }
            b'X' | b'T' | b'B' => self.text(4, opcode)?,
            0x8c | b'U' | b'C' => self.text(1, opcode)?,
            0x8d | 0x8e | 0x96 => self.text(8, opcode)?,
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.push(Value::Global(Global::of(&module, &name)));
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let global = match (&self.values[module], &self.values[name]) {
                    (Value::Text(module), Value::Text(name)) => Global::of(module, name),
                    _ => return Err(broken()),
                };
                self.push(Value::Global(global));
            }
            b'q' => {
                let index = self.number(1)?;
                self.remember(index as u32)?;
            }
            b'r' => {
                let index = self.number(4)?;
                self.remember(index as u32)?;
            }
            0x94 => self.remember(self.memo.len() as u32)?,
            b'h' => {
                let index = self.number(1)?;
                self.recall(index as u32)?;
            }
            b'j' => {
                let index = self.number(4)?;
                self.recall(index as u32)?;
            }
            b't' => {
                let items = self.since_mark()?;
                self.push(Value::Tuple(items));
            }
            0x85..=0x87 => {
                let count = usize::from(opcode - 0x84);
                let start = self.stack.len().checked_sub(count).ok_or_else(broken)?;
                let items = self.stack.split_off(start);
                self.push(Value::Tuple(items));
            }
            b'a' => {
                let item = self.pop()?;
                self.append(&[item])?;
            }
            b'e' => {
                let items = self.since_mark()?;
                self.append(&items)?;
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set(&[key, value])?;
            }
            b'u' => {
                let items = self.since_mark()?;
                self.set(&items)?;
            }
            b'Q' => {
                let id = self.pop()?;
                let storage = self.storage(id)?;
                self.push(storage);
            }
            b'R' | 0x81 => {
                let (arguments, callable) = (self.pop()?, self.pop()?);
                self.call(callable, arguments)?;
            }
            0x92 => {
                for _ in 0..3 {
                    self.pop()?;
                }
                self.push(Value::Opaque);
            }
            // The state of an object; nothing with one is of use here.
            b'b' => {
                self.pop()?;
            }
            other => {
                return Err(FileError::unsupported(format!(
                    "the pickle has the instruction 0x{other:02x}, which no state dict needs"
                )));
            }
        }
        Ok(())
    }

    fn take(&mut self, count: u64) -> Result<Vec<u8>, FileError> {
        *self.left = self.left.checked_sub(count).ok_or_else(cut)?;
        let mut bytes = vec![0; count as usize];
        self.source.read_exact(&mut bytes).map_err(|_| cut())?;
        Ok(bytes)
    }

    fn byte(&mut self) -> Result<u8, FileError> {
        *self.left = self.left.checked_sub(1).ok_or_else(cut)?;
        let mut byte = [0];
        self.source.read_exact(&mut byte).map_err(|_| cut())?;
        Ok(byte[0])
    }

    /// An unsigned number of at most 8 bytes.
    fn number(&mut self, width: u64) -> Result<u64, FileError> {
        Ok(little_endian(&self.take(width)?, false) as u64)
    }

    fn line(&mut self) -> Result<String, FileError> {
        let mut line = Vec::new();
        loop {
            match self.byte()? {
                b'\n' => return Ok(String::from_utf8_lossy(&line).into_owned()),
                _ if line.len() == NAME => return Err(broken()),
                byte => line.push(byte),
            }
        }
    }

    fn push(&mut self, value: Value) {
        self.stack.push(self.values.len());
        self.values.push(value);
    }

    fn pop(&mut self) -> Result<Id, FileError> {
        self.stack.pop().ok_or_else(broken)
    }

    fn top(&self) -> Result<Id, FileError> {
        self.stack.last().copied().ok_or_else(broken)
    }

    fn since_mark(&mut self) -> Result<Vec<Id>, FileError> {
        let start = self.marks.pop().filter(|&start| start <= self.stack.len()).ok_or_else(broken)?;
        Ok(self.stack.split_off(start))
    }

    fn integer(&mut self, width: u64, signed: bool) -> Result<(), FileError> {
        let value = little_endian(&self.take(width)?, signed);
        self.push(Value::Integer(value));
        Ok(())
    }

    fn text(&mut self, width: u64, opcode: u8) -> Result<(), FileError> {
        let length = self.number(width)?;
        let bytes = self.take(length)?;
        let is_text = matches!(opcode, b'X' | 0x8c | 0x8d | b'U' | b'T');
        let text = is_text.then(|| Value::Text(String::from_utf8_lossy(&bytes).into_owned()));
        self.push(text.unwrap_or(Value::Opaque));
        Ok(())
    }

    fn remember(&mut self, index: u32) -> Result<(), FileError> {
        let top = self.top()?;
        self.memo.insert(index, top);
        Ok(())
    }

    fn recall(&mut self, index: u32) -> Result<(), FileError> {
        let id = *self.memo.get(&index).ok_or_else(broken)?;
        self.stack.push(id);
        Ok(())
    }

    fn append(&mut self, items: &[Id]) -> Result<(), FileError> {
        let list = self.top()?;
        if let Value::List(list) = &mut self.values[list] {
            list.extend(items);
        }
        Ok(())
    }

    fn set(&mut self, items: &[Id]) -> Result<(), FileError> {
        let dict = self.top()?;
        if let Value::Dict(dict) = &mut self.values[dict] {
            dict.extend(items.as_chunks::<2>().0.iter().map(|&[key, value]| (key, value)));
        }
        Ok(())
    }

    /// `('storage', class, key, device, count)`, and in the older format whether it is a part of another.
    fn storage(&self, id: Id) -> Result<Value, FileError> {
        let Value::Tuple(parts) = &self.values[id] else { return Err(broken()) };
        let part = |index: usize| parts.get(index).map(|&id| &self.values[id]);
        if matches!(part(5), Some(Value::Tuple(_))) {
            return Err(FileError::unsupported(
                "a storage is a part of another; load and save it again with a newer PyTorch",
            ));
        }
        match (part(0), part(1), part(2), part(4)) {
            (
                Some(Value::Text(kind)),
                Some(Value::Global(global)),
                Some(Value::Text(_)),
                Some(Value::Integer(count)),
            ) if kind == "storage" && *count >= 0 => {
                let class = match global {
                    Global::Storage(class) => *class,
                    _ => Class::Other("storage of another type", 0),
                };
                Ok(Value::Storage { class, key: parts[2], count: *count as u64 })
            }
            _ => Err(FileError::broken("the pickle refers to something that is no storage")),
        }
    }

    /// Pushes what a call gives.
    fn call(&mut self, callable: Id, arguments: Id) -> Result<(), FileError> {
        let Value::Global(global) = self.values[callable] else {
            self.push(Value::Opaque);
            return Ok(());
        };
        let Value::Tuple(arguments) = &self.values[arguments] else { return Err(broken()) };
        match global {
            Global::OrderedDict => self.push(Value::Dict(Vec::new())),
            Global::Parameter => match arguments.first() {
                Some(&tensor) if matches!(self.values[tensor], Value::Tensor { .. }) => {
                    self.stack.push(tensor)
                }
                _ => self.push(Value::Opaque),
            },
            Global::Tensor => {
                // A view that is negated or conjugated says so in a dictionary.
                let plain = arguments.get(6).is_none_or(|&view| match &self.values[view] {
                    Value::Dict(entries) => entries.is_empty(),
                    _ => true,
                });
                if !plain {
                    return Err(FileError::unsupported(
                        "a tensor is a negated or conjugated view; save a copy of it",
                    ));
                }
                let tensor = self.tensor(arguments);
                self.push(tensor.ok_or_else(|| FileError::broken("a tensor's description is broken"))?);
            }
            Global::Storage(_) | Global::Unknown => self.push(Value::Opaque),
        }
        Ok(())
    }

    /// `(storage, offset, shape, strides, …)`.
    fn tensor(&self, arguments: &[Id]) -> Option<Value> {
        let &[storage, offset, shape, strides, ..] = arguments else { return None };
        let number = |id: Id| match self.values[id] {
            Value::Integer(number) => u64::try_from(number).ok(),
            _ => None,
        };
        let numbers = |id: Id| match &self.values[id] {
            Value::Tuple(items) if items.len() <= RANK => {
                items.iter().map(|&item| number(item)).collect::<Option<Vec<u64>>>()
            }
            _ => None,
        };
        let (shape, strides) = (numbers(shape)?, numbers(strides)?);
        let whole = shape.len() == strides.len() && matches!(self.values[storage], Value::Storage { .. });
        whole.then_some(Value::Tensor { storage, offset: number(offset)?, shape, strides })
    }
}

/// A number of at most 8 bytes.
fn little_endian(bytes: &[u8], signed: bool) -> i64 {
    let negative = signed && bytes.last().is_some_and(|byte| byte & 0x80 != 0);
    let mut all = [if negative { 0xff } else { 0 }; 8];
    all[..bytes.len()].copy_from_slice(bytes);
    i64::from_le_bytes(all)
}
