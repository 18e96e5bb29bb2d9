//! Text that was meant as an expression.

use super::diagnostic::{Code, Diagnostic, Diagnostics};
use super::function::Function;
use super::grammar::parse;
use super::source::Span;

/// Warns of `{{ inputs.a }}` and `${ inputs.a }` in a scalar, which stay text. `raw` is the scalar as the file has it.
pub(super) fn almost(text: &str, raw: &str, span: Span, problems: &mut Diagnostics) {
    for (open, close) in [("{{", "}}"), ("${", "}")] {
        for (at, _) in text.match_indices(open) {
            let after = &text[at + open.len()..];
            if after.starts_with('{') || text[..at].ends_with(['$', '{']) {
                continue;
            }
            let Some(inner) = after.find(close).map(|end| &after[..end]) else { continue };
            let name = inner.trim();
            let known = name == "item"
                || ["inputs.", "steps.", "run.", "item.", "item["]
                    .iter()
                    .any(|head| name.starts_with(head))
                || Function::ALL.iter().any(|function| {
                    name.strip_prefix(function.name()).is_some_and(|rest| rest.starts_with('('))
                });
            // Only what would be an expression with the right brackets was meant as one.
            if !known || parse(name, span, &|_, _| span).is_err() {
                continue;
            }
            let written = &text[at..at + open.len() + inner.len() + close.len()];
            // Quotes and escapes make the file differ from the text; then the whole value is marked.
            let place = match raw.matches(written).count() == text.matches(written).count() {
                true => raw.match_indices(written).nth(text[..at].matches(written).count()),
                false => None,
            };
            let place = place.map_or(span, |(start, _)| {
                Span::new(span.start + start, span.start + start + written.len())
            });
            let message = format!("`{written}` is text here, not an expression");
            problems.push(
                Diagnostic::warning(Code::AlmostExpression, place, message)
                    .help(format!("write `${{{{ {name} }}}}` if its value is meant")),
            );
        }
    }
}
