//! The pickles of PyTorch's state dicts: plain values, dictionaries and descriptions of tensors.
//!
//! Nothing is executed. A class that is not known becomes [`Value::Opaque`], so that a checkpoint may hold an `argparse`
//! namespace or an optimizer beside the weights.

use std::collections::HashMap;

/// Index of a value.
pub(super) type Id = usize;

/// A value of a pickle. Values refer to each other by index, so that one that is filled after it was stored is seen whole.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Integer(i64),
    Text(String),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    /// A class or function, `module.name`.
    Global(String),
    /// Raw numbers: class of the storage, name of its member in the archive, count.
    Storage {
        class: String,
        key: String,
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

/// The values of a pickle and which of them is the result.
pub(super) struct Pickle {
    pub values: Vec<Value>,
    pub root: Id,
}

/// Reads a pickle of protocol 2 to 5.
pub(super) fn read(bytes: &[u8]) -> Result<Pickle, String> {
    let mut machine = Machine {
        rest: bytes,
        values: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
    };
    loop {
        let opcode = machine.byte()?;
        if opcode == b'.' {
            let root = machine.pop()?;
            return Ok(Pickle { values: machine.values, root });
        }
        machine.step(opcode)?;
    }
}

struct Machine<'a> {
    rest: &'a [u8],
    values: Vec<Value>,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

/// Dimensions of a tensor.
const RANK: usize = 8;

const CUT: &str = "the pickle is cut short";
const BROKEN: &str = "the pickle is broken";

impl<'a> Machine<'a> {
    fn step(&mut self, opcode: u8) -> Result<(), String> {
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
                let top = *self.stack.last().ok_or(BROKEN)?;
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
            b'K' => self.integer::<1>(false)?,
            b'M' => self.integer::<2>(false)?,
            b'J' => self.integer::<4>(true)?,
            0x8a => {
                let length = usize::from(self.byte()?);
                let bytes = self.take(length)?;
                // Longer than 8 bytes is no size of a tensor.
                let value = (length <= 8).then(|| little_endian(bytes, true));
                self.push(value.map_or(Value::Opaque, Value::Integer));
            }
            b'G' => {
                self.take(8)?;
                self.push(Value::Opaque);
            }
            0x8b => {
                let length = little_endian(self.take(4)?, false) as usize;
                self.take(length)?;
                self.push(Value::Opaque);
            }
            b'X' | b'T' | b'B' => self.text(4, opcode)?,
            0x8c | b'U' | b'C' => self.text(1, opcode)?,
            0x8d | 0x8e | 0x96 => self.text(8, opcode)?,
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.push(Value::Global(format!("{module}.{name}")));
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let global = match (&self.values[module], &self.values[name]) {
                    (Value::Text(module), Value::Text(name)) => Value::Global(format!("{module}.{name}")),
                    _ => return Err(BROKEN.to_owned()),
                };
                self.push(global);
            }
            b'q' => {
                let index = u32::from(self.byte()?);
                self.remember(index)?;
            }
            b'r' => {
                let index = little_endian(self.take(4)?, false) as u32;
                self.remember(index)?;
            }
            0x94 => self.remember(self.memo.len() as u32)?,
            b'h' => {
                let index = u32::from(self.byte()?);
                self.recall(index)?;
            }
            b'j' => {
                let index = little_endian(self.take(4)?, false) as u32;
                self.recall(index)?;
            }
            b't' => {
                let items = self.since_mark()?;
                self.push(Value::Tuple(items));
            }
            0x85..=0x87 => {
                let count = usize::from(opcode - 0x84);
                let start = self.stack.len().checked_sub(count).ok_or(BROKEN)?;
                let items = self.stack.split_off(start);
                self.push(Value::Tuple(items));
            }
            b'a' => {
                let item = self.pop()?;
                self.append(vec![item])?;
            }
            b'e' => {
                let items = self.since_mark()?;
                self.append(items)?;
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set(vec![key, value])?;
            }
            b'u' => {
                let items = self.since_mark()?;
                self.set(items)?;
            }
            b'Q' => {
                let id = self.pop()?;
                let storage = self.storage(id)?;
                self.push(storage);
            }
            b'R' | 0x81 => {
                let (arguments, callable) = (self.pop()?, self.pop()?);
                let made = self.call(callable, arguments)?;
                self.push(made);
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
                return Err(format!(
                    "the pickle has the instruction 0x{other:02x}, which no state dict needs"
                ));
            }
        }
        Ok(())
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(CUT)?;
        self.rest = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, String> {
        Ok(self.take(1)?[0])
    }

    fn line(&mut self) -> Result<String, String> {
        let end = self.rest.iter().position(|&byte| byte == b'\n').ok_or(CUT)?;
        let line = String::from_utf8_lossy(self.take(end)?).into_owned();
        self.take(1)?;
        Ok(line)
    }

    fn push(&mut self, value: Value) {
        self.stack.push(self.values.len());
        self.values.push(value);
    }

    fn pop(&mut self) -> Result<Id, String> {
        self.stack.pop().ok_or_else(|| BROKEN.to_owned())
    }

    fn since_mark(&mut self) -> Result<Vec<Id>, String> {
        let start = self.marks.pop().filter(|&start| start <= self.stack.len()).ok_or(BROKEN)?;
        Ok(self.stack.split_off(start))
    }

    fn integer<const N: usize>(&mut self, signed: bool) -> Result<(), String> {
        let value = little_endian(self.take(N)?, signed);
        self.push(Value::Integer(value));
        Ok(())
    }

    fn text(&mut self, width: usize, opcode: u8) -> Result<(), String> {
        let length = usize::try_from(little_endian(self.take(width)?, false)).map_err(|_| CUT)?;
        let bytes = self.take(length)?;
        let is_text = matches!(opcode, b'X' | 0x8c | 0x8d | b'U' | b'T');
        let text = is_text.then(|| Value::Text(String::from_utf8_lossy(bytes).into_owned()));
        self.push(text.unwrap_or(Value::Opaque));
        Ok(())
    }

    fn remember(&mut self, index: u32) -> Result<(), String> {
        let top = *self.stack.last().ok_or(BROKEN)?;
        self.memo.insert(index, top);
        Ok(())
    }

    fn recall(&mut self, index: u32) -> Result<(), String> {
        let id = *self.memo.get(&index).ok_or(BROKEN)?;
        self.stack.push(id);
        Ok(())
    }

    fn append(&mut self, items: Vec<Id>) -> Result<(), String> {
        let list = *self.stack.last().ok_or(BROKEN)?;
        if let Value::List(list) = &mut self.values[list] {
            list.extend(items);
        }
        Ok(())
    }

    fn set(&mut self, items: Vec<Id>) -> Result<(), String> {
        let dict = *self.stack.last().ok_or(BROKEN)?;
        if let Value::Dict(dict) = &mut self.values[dict] {
            dict.extend(items.as_chunks::<2>().0.iter().map(|&[key, value]| (key, value)));
        }
        Ok(())
    }

    /// `('storage', class, key, device, count)`.
    fn storage(&self, id: Id) -> Result<Value, String> {
        let Value::Tuple(parts) = &self.values[id] else { return Err(BROKEN.to_owned()) };
        let part = |index: usize| parts.get(index).map(|&id| &self.values[id]);
        match (part(0), part(1), part(2), part(4)) {
            (
                Some(Value::Text(kind)),
                Some(Value::Global(class)),
                Some(Value::Text(key)),
                Some(Value::Integer(count)),
            ) if kind == "storage" && *count >= 0 => {
                Ok(Value::Storage { class: class.clone(), key: key.clone(), count: *count as u64 })
            }
            _ => Err("the pickle refers to something that is no storage".to_owned()),
        }
    }

    fn call(&self, callable: Id, arguments: Id) -> Result<Value, String> {
        let Value::Global(name) = &self.values[callable] else { return Ok(Value::Opaque) };
        let Value::Tuple(arguments) = &self.values[arguments] else { return Err(BROKEN.to_owned()) };
        Ok(match name.as_str() {
            "collections.OrderedDict" => Value::Dict(Vec::new()),
            "torch._utils._rebuild_parameter"
            | "torch._utils._rebuild_parameter_with_state"
            | "torch._utils._rebuild_buffer" => match arguments.first().map(|&tensor| &self.values[tensor]) {
                Some(tensor @ Value::Tensor { .. }) => tensor.clone(),
                _ => Value::Opaque,
            },
            "torch._utils._rebuild_tensor_v2" => {
                // A view that is negated or conjugated says so in a dictionary.
                let plain = arguments.get(6).is_none_or(|&view| match &self.values[view] {
                    Value::Dict(entries) => entries.is_empty(),
                    _ => true,
                });
                if !plain {
                    return Err("a tensor is a negated or conjugated view; save a copy of it".to_owned());
                }
                self.tensor(arguments).ok_or("a tensor's description is broken")?
            }
            _ => Value::Opaque,
        })
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
