//! Request bodies: small XML documents.

use aws_smithy_xml::decode::{Document, ScopedDecoder, XmlDecodeError, try_data};

use crate::wire::ApiError;

/// Elements that hold elements. Every other one holds text.
const CONTAINERS: [&str; 11] = [
    "ChangeResourceRecordSetsRequest",
    "CreateHostedZoneRequest",
    "HostedZoneConfig",
    "ChangeBatch",
    "Changes",
    "Change",
    "ResourceRecordSet",
    "ResourceRecords",
    "ResourceRecord",
    "AliasTarget",
    "GeoLocation",
];

/// One element of a document that was read.
#[derive(Debug, Default)]
pub(super) struct Element {
    name: String,
    text: String,
    children: Vec<Self>,
}

impl Element {
    /// Reads a document whose root has this name, or `MalformedXML`-like `InvalidInput`.
    pub(super) fn parse(body: &[u8], root: &str) -> Result<Self, ApiError> {
        let invalid = |why: String| ApiError::bad("InvalidInput", format!("Invalid XML ; {why}"));
        let text = std::str::from_utf8(body).map_err(|error| invalid(error.to_string()))?;
        let mut document = Document::new(text);
        let mut decoder = document.root_element().map_err(|error| invalid(error.to_string()))?;
        let element = read(&mut decoder).map_err(|error| invalid(error.to_string()))?;
        if element.name == root {
            Ok(element)
        } else {
            Err(invalid(format!("expected {root}, found {}", element.name)))
        }
    }

    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    pub(super) fn children<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The text of a child, if it is there.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.as_str())
    }

    /// Those of the named children that are there, with their text.
    pub(super) fn members(&self, names: &[&'static str]) -> Vec<(&'static str, String)> {
        names.iter().filter_map(|name| Some((*name, self.text(name)?.to_owned()))).collect()
    }
}

fn read(decoder: &mut ScopedDecoder<'_, '_>) -> Result<Element, XmlDecodeError> {
    let mut element = Element { name: decoder.start_el().local().to_owned(), ..Element::default() };
    if CONTAINERS.contains(&element.name.as_str()) {
        while let Some(mut child) = decoder.next_tag() {
            element.children.push(read(&mut child)?);
        }
    } else {
        element.text = try_data(decoder)?.into_owned();
    }
    Ok(element)
}
