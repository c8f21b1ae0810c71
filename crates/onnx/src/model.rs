//! From a computation to ONNX's messages.

use crate::{
    error::OnnxError,
    graph::{Attribute, Graph, Node, Operand, Size, Value},
    proto::{
        AttributeProto, AttributeType, DataType, DimensionProto, GraphProto, Length, ModelProto, NodeProto,
        OperatorSetIdProto, StringStringEntryProto, TensorProto, TensorShapeProto, TensorTypeProto,
        TypeProto, ValueInfoProto,
    },
};
use burn_backend::{DType, TensorData};
use prost::Message;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Version of the format, and of the operators: those of ONNX 1.13, which runtimes of 2023 and later read.
const VERSIONS: (i64, i64) = (8, 18);

/// The name of the free axis.
const BATCH: &str = "batch";

impl ModelProto {
    /// Adds an entry to the metadata.
    pub fn describe(&mut self, key: &str, value: impl Into<String>) {
        self.metadata_props.push(StringStringEntryProto { key: key.to_owned(), value: value.into() });
    }

    /// The entry of the metadata with this key.
    pub fn described(&self, key: &str) -> Option<&str> {
        self.metadata_props.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str())
    }

    /// The file.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.encode_to_vec()
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`OnnxError::File`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, OnnxError> {
        Self::decode(bytes).map_err(|error| OnnxError::File(error.to_string()))
    }

    /// How many nodes of each operator there are.
    pub fn operators(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for node in self.graph.iter().flat_map(|graph| &graph.node) {
            *counts.entry(node.op_type.as_str()).or_default() += 1;
        }
        counts
    }
}

/// ONNX's type of these numbers.
pub(crate) fn data_type(dtype: DType) -> Result<DataType, OnnxError> {
    Ok(match dtype {
        DType::F64 => DataType::Double,
        DType::F32 | DType::Flex32 => DataType::Float,
        DType::F16 => DataType::Float16,
        DType::BF16 => DataType::Bfloat16,
        DType::I64 => DataType::Int64,
        DType::I32 => DataType::Int32,
        DType::I16 => DataType::Int16,
        DType::I8 => DataType::Int8,
        DType::U64 => DataType::Uint64,
        DType::U32 => DataType::Uint32,
        DType::U16 => DataType::Uint16,
        DType::U8 => DataType::Uint8,
        DType::Bool(_) => DataType::Bool,
        DType::QFloat(_) => return Err(OnnxError::Type("QFloat".to_owned())),
    })
}

/// The file of a computation.
pub(crate) fn model(graph: Graph<Size>) -> Result<ModelProto, OnnxError> {
    let ends: Vec<&(String, Value)> = graph.inputs.iter().chain(&graph.outputs).collect();
    let names: HashSet<&str> = ends.iter().map(|(name, _)| name.as_str()).collect();
    if names.len() < ends.len() || names.contains("") || graph.outputs.is_empty() {
        let all: Vec<&str> = ends.iter().map(|(name, _)| name.as_str()).collect();
        return Err(OnnxError::Names(all.join(", ")));
    }
    let mut writer = Writer {
        graph: &graph,
        names: value_names(&graph),
        proto: GraphProto::default(),
        made: HashMap::new(),
    };
    writer.proto.name = "meanflow-onnx".to_owned();
    for (value, data) in &graph.constants {
        let tensor = constant(writer.names[value].clone(), data)?;
        writer.proto.initializer.push(tensor);
    }
    for node in &graph.nodes {
        writer.node(node)?;
    }
    for (name, value) in &graph.outputs {
        if writer.names[value] != *name {
            let node = NodeProto {
                input: vec![writer.names[value].clone()],
                output: vec![name.clone()],
                op_type: "Identity".to_owned(),
                ..NodeProto::default()
            };
            writer.proto.node.push(node);
        }
    }
    writer.proto.input = writer.ends(&graph.inputs)?;
    writer.proto.output = writer.ends(&graph.outputs)?;
    let (ir_version, version) = VERSIONS;
    Ok(ModelProto {
        ir_version,
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version }],
        producer_name: env!("CARGO_PKG_NAME").to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        graph: Some(writer.proto),
        metadata_props: Vec::new(),
    })
}

/// Inputs and outputs are called as the caller says, constants by their paths, and the rest by number.
fn value_names(graph: &Graph<Size>) -> HashMap<Value, String> {
    let mut names: HashMap<Value, String> = HashMap::new();
    let mut taken: HashSet<&str> = HashSet::new();
    for (name, value) in graph.inputs.iter().chain(&graph.outputs) {
        names.entry(*value).or_insert_with(|| name.clone());
        taken.insert(name);
    }
    for (value, path) in &graph.parameters {
        if taken.insert(path) {
            names.entry(*value).or_insert_with(|| path.clone());
        }
    }
    let made = graph.nodes.iter().map(|node| node.output);
    for value in made.chain(graph.constants.keys().copied()) {
        names.entry(value).or_insert_with(|| format!("/{value}"));
    }
    names
}

struct Writer<'a> {
    graph: &'a Graph<Size>,
    names: HashMap<Value, String>,
    proto: GraphProto,
    /// Names of the numbers and sizes that have been written, by a text that stands for their content.
    made: HashMap<String, String>,
}

impl Writer<'_> {
    fn node(&mut self, node: &Node<Size>) -> Result<(), OnnxError> {
        let inputs = node.inputs.iter().map(|input| self.operand(node.op, input));
        let input = inputs.collect::<Result<Vec<_>, _>>()?;
        let output = self.names[&node.output].clone();
        self.proto.node.push(NodeProto {
            input,
            name: format!("{}{}", node.op, output),
            output: vec![output],
            op_type: node.op.to_owned(),
            attribute: node.attributes.iter().map(|(name, attribute)| written(name, attribute)).collect(),
        });
        Ok(())
    }

    fn operand(&mut self, op: &str, operand: &Operand<Size>) -> Result<String, OnnxError> {
        Ok(match operand {
            Operand::Absent => String::new(),
            Operand::Value(value) => self.names[value].clone(),
            Operand::Scalar(number, dtype) => {
                let dtype = *dtype;
                let data = TensorData::new(vec![*number], [1]).convert_dtype(dtype);
                let key = format!("/{:?}:{number}", data_type(dtype)?);
                self.initializer(key, &[], &data)?
            }
            Operand::Ones(length) => self.initializer(
                format!("/ones:{length}"),
                &[*length],
                &TensorData::ones::<f32, _>([*length]),
            )?,
            Operand::Sizes(sizes) => {
                let known: Option<Vec<i64>> = sizes.iter().map(|size| size.known()).collect();
                let free = sizes.iter().filter(|size| size.known().is_none()).count();
                match known {
                    Some(known) => self.sizes(&known)?,
                    // The one size that a reshape can find by itself.
                    None if op == "Reshape" && free == 1 => {
                        let sizes: Vec<i64> = sizes.iter().map(|size| size.known().unwrap_or(-1)).collect();
                        self.sizes(&sizes)?
                    }
                    None => self.computed(sizes)?,
                }
            }
        })
    }

    fn sizes(&mut self, sizes: &[i64]) -> Result<String, OnnxError> {
        let data = TensorData::new(sizes.to_vec(), [sizes.len()]);
        self.initializer(format!("/sizes:{sizes:?}"), &[sizes.len()], &data)
    }

    fn initializer(&mut self, name: String, dims: &[usize], data: &TensorData) -> Result<String, OnnxError> {
        if let Some(known) = self.made.get(&name) {
            return Ok(known.clone());
        }
        let dims = dims.iter().map(|&size| size as i64).collect();
        self.proto.initializer.push(TensorProto { dims, ..constant(name.clone(), data)? });
        self.made.insert(name.clone(), name.clone());
        Ok(name)
    }

    /// Sizes with the batch in them, as nodes that compute them from the shape of an input.
    fn computed(&mut self, sizes: &[Size]) -> Result<String, OnnxError> {
        let parts = sizes.iter().map(|size| self.computed_size(*size)).collect::<Result<Vec<_>, _>>()?;
        match parts.len() {
            1 => Ok(parts[0].clone()),
            _ => {
                let axis = vec![written("axis", &Attribute::Int(0))];
                Ok(self.shared("Concat", parts, axis))
            }
        }
    }

    fn computed_size(&mut self, size: Size) -> Result<String, OnnxError> {
        if let Some(known) = size.known() {
            return self.sizes(&[known]);
        }
        let free = |(name, value): &(String, Value)| {
            let is_batch = |size: &Size| (size.per_row, size.fixed) == (1, 0);
            self.graph.infos[*value].shape.iter().position(is_batch).map(|axis| (name.clone(), axis as i64))
        };
        let (input, axis) = self.graph.inputs.iter().find_map(free).ok_or(OnnxError::NoBatch)?;
        let ends = [("start", axis), ("end", axis + 1)];
        let ends = ends.map(|(name, axis)| written(name, &Attribute::Int(axis)));
        let mut name = self.shared("Shape", vec![input], ends.to_vec());
        for (op, number, neutral) in [("Mul", size.per_row, 1), ("Add", size.fixed, 0)] {
            if number != neutral {
                let number = self.sizes(&[number])?;
                name = self.shared(op, vec![name, number], Vec::new());
            }
        }
        Ok(name)
    }

    /// A node on sizes, once for the same operands.
    fn shared(&mut self, op: &str, input: Vec<String>, attribute: Vec<AttributeProto>) -> String {
        let name = format!("/{op}({})", input.join(","));
        if self.made.insert(name.clone(), name.clone()).is_none() {
            let output = vec![name.clone()];
            let op_type = op.to_owned();
            self.proto.node.push(NodeProto { input, output, name: name.clone(), op_type, attribute });
        }
        name
    }

    fn ends(&self, ends: &[(String, Value)]) -> Result<Vec<ValueInfoProto>, OnnxError> {
        let length = |size: &Size| match (size.known(), size.fixed) {
            (Some(known), _) => Length::Value(known),
            (None, 0) if size.per_row == 1 => Length::Param(BATCH.to_owned()),
            (None, fixed) => Length::Param(format!("{}*{BATCH}+{fixed}", size.per_row)),
        };
        let info = |(name, value): &(String, Value)| {
            let info = &self.graph.infos[*value];
            let dim = info.shape.iter().map(|size| DimensionProto { length: Some(length(size)) }).collect();
            let elem_type = data_type(info.dtype)?.into();
            let tensor_type = Some(TensorTypeProto { elem_type, shape: Some(TensorShapeProto { dim }) });
            Ok(ValueInfoProto { name: name.clone(), r#type: Some(TypeProto { tensor_type }) })
        };
        ends.iter().map(info).collect()
    }
}

fn constant(name: String, data: &TensorData) -> Result<TensorProto, OnnxError> {
    Ok(TensorProto {
        dims: data.shape.iter().map(|&size| size as i64).collect(),
        data_type: data_type(data.dtype)?.into(),
        name,
        raw_data: data.as_bytes().to_vec(),
    })
}

fn written(name: &str, attribute: &Attribute) -> AttributeProto {
    let mut proto = AttributeProto { name: name.to_owned(), ..AttributeProto::default() };
    let kind = match attribute {
        Attribute::Int(number) => {
            proto.i = Some(*number);
            AttributeType::Int
        }
        Attribute::Ints(numbers) => {
            proto.ints.clone_from(numbers);
            AttributeType::Ints
        }
        Attribute::Float(number) => {
            proto.f = Some(*number as f32);
            AttributeType::Float
        }
        Attribute::Text(text) => {
            proto.s = Some(text.as_bytes().to_vec());
            AttributeType::String
        }
    };
    proto.r#type = kind.into();
    proto
}
