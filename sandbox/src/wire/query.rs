//! The AWS Query protocol: a form in, XML out.

use std::collections::BTreeMap;

use aws_smithy_types::date_time::{DateTime, Format};
use aws_smithy_xml::encode::{ScopeWriter, XmlWriter};
use jiff::Timestamp;

use super::error::ApiError;

/// The fields of a form body.
#[derive(Debug, Clone, Default)]
pub(crate) struct Params(BTreeMap<String, String>);

impl Params {
    /// Reads `application/x-www-form-urlencoded` text. An empty value counts as absent.
    pub(crate) fn parse(body: &[u8]) -> Self {
        let fields = form_urlencoded::parse(body).into_owned();
        Self(fields.filter(|(_, value)| !value.is_empty()).collect())
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A parameter that must be there, or `MissingParameter`.
    pub(crate) fn need(&self, name: &str) -> Result<&str, ApiError> {
        self.get(name).ok_or_else(|| {
            ApiError::bad(
                "MissingParameter",
                format!("The request must contain the parameter {name}."),
            )
        })
    }

    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        self.get(name).map(|value| value.eq_ignore_ascii_case("true"))
    }

    /// A whole number, or `InvalidParameterValue` if it is none.
    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>, ApiError> {
        let parse = |value: &str| {
            value.parse().map_err(|_| {
                ApiError::bad("InvalidParameterValue", format!("{name} is not a number: {value}"))
            })
        };
        self.get(name).map(parse).transpose()
    }

    /// A list of plain values: `Name.member.1` or `Name.<item>.1`, in order of their numbers.
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        let mut found = BTreeMap::new();
        for (key, value) in &self.0 {
            let mut parts = key.split('.');
            let (Some(first), Some(_), Some(index), None) =
                (parts.next(), parts.next(), parts.next(), parts.next())
            else {
                continue;
            };
            if let (true, Ok(index)) = (first == name, index.parse::<u32>()) {
                found.insert(index, value.clone());
            }
        }
        found.into_values().collect()
    }

    /// The tags of a create call: `Tags.Tag.1.Key` and `Tags.Tag.1.Value`.
    pub(crate) fn tags(&self) -> BTreeMap<String, String> {
        let mut tags = BTreeMap::new();
        for (key, value) in &self.0 {
            if let Some(prefix) = key.strip_suffix(".Key")
                && key.starts_with("Tags.")
            {
                let text = self.get(&format!("{prefix}.Value")).unwrap_or_default();
                tags.insert(value.clone(), text.to_owned());
            }
        }
        tags
    }
}

/// One XML element under construction.
#[derive(Debug, Clone)]
pub(crate) struct Xml {
    name: &'static str,
    content: Content,
}

#[derive(Debug, Clone)]
enum Content {
    Text(String),
    Children(Vec<Xml>),
}

impl Xml {
    /// An element without children.
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, content: Content::Children(Vec::new()) }
    }

    /// The same element with one more child.
    #[must_use]
    pub(crate) fn child(mut self, child: Self) -> Self {
        if let Content::Children(children) = &mut self.content {
            children.push(child);
        }
        self
    }

    /// The same element with a child that holds text.
    #[must_use]
    pub(crate) fn text(self, name: &'static str, text: impl Into<String>) -> Self {
        self.child(Self { name, content: Content::Text(text.into()) })
    }

    /// As [`Xml::text`], or unchanged where there is no value.
    #[must_use]
    pub(crate) fn maybe(self, name: &'static str, text: Option<impl Into<String>>) -> Self {
        match text {
            Some(text) => self.text(name, text),
            None => self,
        }
    }

    /// A child for a number, a flag or anything else that prints as the wire wants it.
    #[must_use]
    pub(crate) fn show(self, name: &'static str, value: impl ToString) -> Self {
        self.text(name, value.to_string())
    }

    /// A child that holds a time as ISO 8601.
    #[must_use]
    pub(crate) fn time(self, name: &'static str, at: Timestamp) -> Self {
        self.text(name, iso8601(at))
    }

    /// A child that lists elements. It is there even when the list is empty.
    #[must_use]
    pub(crate) fn list(self, name: &'static str, items: impl IntoIterator<Item = Self>) -> Self {
        self.child(items.into_iter().fold(Self::new(name), Self::child))
    }

    /// A child that lists plain values, each in an element called `item`.
    #[must_use]
    pub(crate) fn values(
        self,
        name: &'static str,
        item: &'static str,
        values: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        let items = values.into_iter().fold(Self::new(name), |list, value| list.text(item, value));
        self.child(items)
    }

    /// The text of a child's child.
    pub(crate) fn value(&self, child: &str, grandchild: &str) -> Option<&str> {
        match &self.find(child)?.find(grandchild)?.content {
            Content::Text(text) => Some(text),
            Content::Children(_) => None,
        }
    }

    fn find(&self, name: &str) -> Option<&Self> {
        match &self.content {
            Content::Children(children) => children.iter().find(|child| child.name == name),
            Content::Text(_) => None,
        }
    }

    /// The document, with the namespace on its root.
    pub(crate) fn render(&self, namespace: Option<&str>) -> String {
        let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        let mut writer = XmlWriter::new(&mut out);
        let root = writer.start_el(self.name);
        let root = match namespace {
            Some(namespace) => root.write_ns(namespace, None),
            None => root,
        };
        let mut scope = root.finish();
        self.content.write(&mut scope);
        scope.finish();
        out
    }
}

impl Content {
    fn write(&self, scope: &mut ScopeWriter<'_, '_>) {
        match self {
            Self::Text(text) => scope.data(text),
            Self::Children(children) => {
                for child in children {
                    let mut inner = scope.start_el(child.name).finish();
                    child.content.write(&mut inner);
                    inner.finish();
                }
            }
        }
    }
}

/// A time in the form of the XML protocols, to the millisecond.
pub(crate) fn iso8601(at: Timestamp) -> String {
    DateTime::from_millis(at.as_millisecond()).fmt(Format::DateTime).unwrap_or_default()
}

/// The answer of one action: `<ActionResponse><ActionResult>…` and the request id.
pub(crate) fn respond(action: &str, result: Xml, namespace: &str, request_id: &str) -> String {
    // The name of the root is made from the action, so the document is put together around the rendered result.
    let mut inner = String::new();
    {
        let mut writer = XmlWriter::new(&mut inner);
        let result_name = format!("{action}Result");
        let mut scope = writer.start_el(&result_name).finish();
        result.content.write(&mut scope);
        scope.finish();
    }
    let meta = Xml::new("ResponseMetadata").text("RequestId", request_id);
    let mut tail = String::new();
    {
        let mut writer = XmlWriter::new(&mut tail);
        let mut scope = writer.start_el(meta.name).finish();
        meta.content.write(&mut scope);
        scope.finish();
    }
    format!("<{action}Response xmlns=\"{namespace}\">{inner}{tail}</{action}Response>")
}
