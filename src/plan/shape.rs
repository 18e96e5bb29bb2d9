//! What a JSON Schema says about a value, as far as step kinds use it: the schemas schemars generates.

use std::fmt;

use serde_json::Value;

use crate::playbook::Segment;

/// A set of JSON types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Types(u8);

impl Types {
    pub(super) const NONE: Self = Self(0);
    pub(super) const NULL: Self = Self(1);
    pub(super) const BOOLEAN: Self = Self(2);
    pub(super) const INTEGER: Self = Self(4);
    pub(super) const FRACTION: Self = Self(8);
    pub(super) const STRING: Self = Self(16);
    pub(super) const ARRAY: Self = Self(32);
    pub(super) const OBJECT: Self = Self(64);
    pub(super) const NUMBER: Self = Self(4 | 8);
    pub(super) const ANY: Self = Self(127);
    /// What can be joined to text.
    pub(super) const JOINABLE: Self = Self(2 | 4 | 16);

    pub(super) fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(super) fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Whether every type of `self` is in `other`.
    pub(super) fn within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    fn of_name(name: &str) -> Self {
        match name {
            "null" => Self::NULL,
            "boolean" => Self::BOOLEAN,
            "integer" => Self::INTEGER,
            "number" => Self::NUMBER,
            "string" => Self::STRING,
            "array" => Self::ARRAY,
            "object" => Self::OBJECT,
            _ => Self::NONE,
        }
    }

    pub(super) fn of_value(value: &Value) -> Self {
        match value {
            Value::Null => Self::NULL,
            Value::Bool(_) => Self::BOOLEAN,
            Value::Number(number) if number.is_f64() => Self::FRACTION,
            Value::Number(_) => Self::INTEGER,
            Value::String(_) => Self::STRING,
            Value::Array(_) => Self::ARRAY,
            Value::Object(_) => Self::OBJECT,
        }
    }
}

/// "text", "a list or nothing".
impl fmt::Display for Types {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::ANY {
            return f.write_str("any value");
        }
        let mut words = Vec::new();
        if !self.and(Self::STRING).is_none() {
            words.push("text");
        }
        if !self.and(Self::FRACTION).is_none() {
            words.push("a number");
        } else if !self.and(Self::INTEGER).is_none() {
            words.push("a whole number");
        }
        for (types, word) in [
            (Self::BOOLEAN, "`true` or `false`"),
            (Self::ARRAY, "a list"),
            (Self::OBJECT, "a mapping"),
        ] {
            if !self.and(types).is_none() {
                words.push(word);
            }
        }
        // That a value may also be absent helps nobody who wrote a wrong one.
        if words.is_empty() {
            words.push("nothing");
        }
        f.write_str(&words.join(" or "))
    }
}

/// A schema and the document its references are resolved in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schema<'a> {
    node: &'a Value,
    root: &'a Value,
}

impl<'a> Schema<'a> {
    pub(super) fn new(root: &'a Value) -> Self {
        Self { node: root, root }.resolved()
    }

    fn at(self, node: &'a Value) -> Self {
        Self { node, root: self.root }.resolved()
    }

    /// Follows `$ref` into `$defs`; a reference that leads nowhere allows anything.
    fn resolved(mut self) -> Self {
        for _ in 0..16 {
            let Some(target) = self.keyword("$ref").and_then(Value::as_str) else { return self };
            let pointer = target.strip_prefix('#').unwrap_or(target);
            match self.root.pointer(pointer) {
                Some(node) => self.node = node,
                None => return Self { node: &Value::Bool(true), root: self.root },
            }
        }
        Self { node: &Value::Bool(true), root: self.root }
    }

    pub(super) fn keyword(self, name: &str) -> Option<&'a Value> {
        self.node.get(name)
    }

    /// The alternatives of `anyOf` or `oneOf`, nested ones unfolded.
    pub(super) fn branches(self) -> Option<Vec<Self>> {
        let list = self.keyword("anyOf").or_else(|| self.keyword("oneOf"))?.as_array()?;
        let mut branches = Vec::new();
        for node in list {
            let branch = self.at(node);
            match branch.branches() {
                Some(inner) => branches.extend(inner),
                None => branches.push(branch),
            }
        }
        Some(branches)
    }

    pub(super) fn types(self) -> Types {
        if let Some(branches) = self.branches() {
            return branches.into_iter().fold(Types::NONE, |all, branch| all.or(branch.types()));
        }
        match self.keyword("type") {
            Some(Value::String(name)) => Types::of_name(name),
            Some(Value::Array(names)) => names
                .iter()
                .filter_map(Value::as_str)
                .fold(Types::NONE, |all, name| all.or(Types::of_name(name))),
            _ => match (self.keyword("const"), self.allowed()) {
                (Some(value), _) => Types::of_value(value),
                (None, Some(values)) => {
                    values.iter().fold(Types::NONE, |all, value| all.or(Types::of_value(value)))
                }
                (None, None) => Types::ANY,
            },
        }
    }

    /// The values of `enum`.
    pub(super) fn allowed(self) -> Option<&'a Vec<Value>> {
        self.keyword("enum").and_then(Value::as_array)
    }

    pub(super) fn properties(self) -> Vec<&'a str> {
        let map = self.keyword("properties").and_then(Value::as_object);
        map.map(|map| map.keys().map(String::as_str).collect()).unwrap_or_default()
    }

    pub(super) fn required(self) -> Vec<&'a str> {
        let list = self.keyword("required").and_then(Value::as_array);
        list.map(|list| list.iter().filter_map(Value::as_str).collect()).unwrap_or_default()
    }

    /// What stands at a key; `None` if the key may not stand here.
    pub(super) fn property(self, name: &str) -> Option<Self> {
        if let Some(node) = self.keyword("properties").and_then(|map| map.get(name)) {
            return Some(self.at(node));
        }
        let open = self
            .keyword("additionalProperties")
            .or_else(|| self.keyword("unevaluatedProperties"))
            .unwrap_or(&Value::Bool(true));
        (*open != Value::Bool(false)).then(|| self.at(open))
    }

    /// What stands at a key of an output. Unlike arguments, an output has what it declares and no more.
    fn output(self, name: &str) -> Option<Self> {
        let declared = self.keyword("properties").is_some_and(|map| map.get(name).is_some());
        let open =
            self.keyword("properties").is_none() || self.keyword("additionalProperties").is_some();
        if declared || open { self.property(name) } else { None }
    }

    pub(super) fn items(self) -> Option<Self> {
        self.keyword("items").map(|node| self.at(node))
    }

    pub(super) fn number(self, keyword: &str) -> Option<f64> {
        self.keyword(keyword).and_then(Value::as_f64)
    }
}

/// The static type of an expression: one of some schemas; of none, if nothing is known.
#[derive(Clone, Debug)]
pub(super) struct Ty<'a> {
    pub(super) schemas: Vec<Schema<'a>>,
    /// A list of such values: the output of a `for_each`.
    pub(super) list: bool,
}

impl<'a> Ty<'a> {
    pub(super) const ANY: Self = Self { schemas: Vec::new(), list: false };

    pub(super) fn of(schema: Schema<'a>) -> Self {
        Self { schemas: schema.branches().unwrap_or_else(|| vec![schema]), list: false }
    }

    fn join(parts: impl IntoIterator<Item = Schema<'a>>) -> Self {
        Self {
            schemas: parts.into_iter().flat_map(|part| Self::of(part).schemas).collect(),
            list: false,
        }
    }

    pub(super) fn types(&self) -> Types {
        match (self.list, self.schemas.is_empty()) {
            (true, _) => Types::ARRAY,
            (false, true) => Types::ANY,
            (false, false) => {
                self.schemas.iter().fold(Types::NONE, |all, schema| all.or(schema.types()))
            }
        }
    }

    /// The type after one hop; an error lists the fields there are.
    pub(super) fn hop(&self, segment: &Segment) -> Result<Self, Vec<&'a str>> {
        if self.types() == Types::ANY {
            return Ok(Self::ANY);
        }
        match segment {
            Segment::Index(_) if self.list => Ok(Self { list: false, ..self.clone() }),
            Segment::Index(_) => {
                let lists: Vec<_> = self.with(Types::ARRAY).collect();
                let items = lists.iter().filter_map(|schema| schema.items());
                if lists.is_empty() { Err(Vec::new()) } else { Ok(Self::join(items)) }
            }
            Segment::Field(_) if self.list => Err(Vec::new()),
            Segment::Field(name) => {
                let found: Vec<_> =
                    self.with(Types::OBJECT).filter_map(|schema| schema.output(name)).collect();
                if found.is_empty() {
                    return Err(self
                        .schemas
                        .iter()
                        .flat_map(|schema| schema.properties())
                        .collect());
                }
                Ok(Self::join(found))
            }
        }
    }

    /// The type of a list's items.
    pub(super) fn items(&self) -> Self {
        self.hop(&Segment::Index(0)).unwrap_or(Self::ANY)
    }

    fn with(&self, types: Types) -> impl Iterator<Item = Schema<'a>> + '_ {
        self.schemas.iter().copied().filter(move |schema| !schema.types().and(types).is_none())
    }

    /// Why a value of this type can never be what `wanted` asks for, if so.
    pub(super) fn clash(&self, wanted: Schema<'_>, depth: u8) -> Option<String> {
        let (have, want) = (self.types(), wanted.types());
        if have.and(want).is_none() {
            return Some(format!("is {have}, and {want} is expected"));
        }
        // A value that may be of several types is looked at when it is there.
        if depth == 0 || wanted.branches().is_some() || self.schemas.len() > 1 {
            return None;
        }
        if have == Types::ARRAY {
            return self
                .items()
                .clash(wanted.items()?, depth - 1)
                .map(|why| format!("has items each of which {why}"));
        }
        if have != Types::OBJECT {
            return None;
        }
        wanted.required().into_iter().find_map(|name| {
            let field = Segment::Field(name.to_owned());
            match self.hop(&field) {
                Err(_) => Some(format!("has no `{name}`, and one is expected")),
                Ok(ty) => ty
                    .clash(wanted.property(name)?, depth - 1)
                    .map(|why| format!("has a `{name}` that {why}")),
            }
        })
    }
}
