//! Reads the text of one expression: a reference, a literal, or a call of a function over such.

use super::arg::ArgValue;
use super::diagnostic::{Code, Diagnostic, Hint, closest, quoted_list, suggestion};
use super::expr::{Expr, Root, Segment};
use super::function::Function;
use super::source::{Located, Span};

/// Calls within calls; nobody needs more, and the reader recurses.
const MAX_CALLS: usize = 8;
/// What an expression can begin with.
const ROOTS: &[&str] = &["inputs", "steps", "run", "item"];
const RUN: &[&str] = &["id", "started"];

type Read<T> = Result<T, Box<Diagnostic>>;

/// Reads `inner`, what stands between `${{` and `}}`. `place` tells where a range of its bytes stands in the file.
pub(super) fn parse(inner: &str, whole: Span, place: &dyn Fn(usize, usize) -> Span) -> Read<Expr> {
    let mut reader = Reader { text: inner, at: 0, calls: 0, place };
    reader.blanks();
    if reader.rest().is_empty() {
        return Err(reader.fail(0, inner.len(), "this expression is empty"));
    }
    let mut expr = reader.expression()?;
    let end = reader.at;
    reader.blanks();
    if !reader.rest().is_empty() {
        return Err(reader.surplus(&expr, end));
    }
    expr.span = whole;
    Ok(expr)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    calls: usize,
    place: &'a dyn Fn(usize, usize) -> Span,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn blanks(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    /// Takes what `wanted` allows; maybe nothing.
    fn take(&mut self, wanted: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let len = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += len;
        &rest[..len]
    }

    fn name(&mut self) -> &'a str {
        self.take(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
    }

    fn problem(&self, code: Code, start: usize, end: usize, message: String) -> Diagnostic {
        Diagnostic::error(code, (self.place)(start, end), message)
    }

    fn fail(&self, start: usize, end: usize, message: impl Into<String>) -> Box<Diagnostic> {
        let problem = self.problem(Code::BadExpression, start, end, message.into());
        Box::new(problem.hint(
            "expressions are `inputs.<name>`, `steps.<id>.<output>`, `run.id`, `run.started`, `item`, and calls such \
             as `lower(inputs.name)`",
        ))
    }

    /// The next character is none that may stand here.
    fn unexpected(&self) -> Box<Diagnostic> {
        match self.peek() {
            Some(c) => {
                let message = format!("`{c}` is not expected here");
                self.fail(self.at, self.at + c.len_utf8(), message)
            }
            None => self.fail(self.at, self.at, "the expression ends here, and a value is missing"),
        }
    }

    fn expression(&mut self) -> Read<Expr> {
        self.blanks();
        let start = self.at;
        match self.peek() {
            Some(quote @ ('\'' | '"')) => self.literal_text(quote),
            Some(c) if c.is_ascii_digit() || c == '-' => self.number(),
            Some(c) if c.is_ascii_alphabetic() || c == '_' => {
                let name = self.name();
                let end = self.at;
                self.blanks();
                if self.peek() == Some('(') {
                    return self.call(name, start, end);
                }
                self.at = end;
                let value = match name {
                    "true" | "false" => ArgValue::Bool(name == "true"),
                    "null" => ArgValue::Null,
                    _ => return self.reference(name, start),
                };
                Ok(Expr::value(value, (self.place)(start, end)))
            }
            _ => Err(self.unexpected()),
        }
    }

    /// A text in quotes; within it the quote is written twice.
    fn literal_text(&mut self, quote: char) -> Read<Expr> {
        let start = self.at;
        let mut text = String::new();
        self.at += 1;
        loop {
            let Some(len) = self.rest().find(quote) else {
                let problem = self.fail(start, self.text.len(), "this text is not closed");
                return Err(Box::new(problem.hint(format!("end it with {quote}"))));
            };
            text.push_str(&self.rest()[..len]);
            self.at += len + 1;
            if self.peek() != Some(quote) {
                return Ok(Expr::value(ArgValue::Str(text), (self.place)(start, self.at)));
            }
            text.push(quote);
            self.at += 1;
        }
    }

    fn number(&mut self) -> Read<Expr> {
        let start = self.at;
        let word = self.take(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+' | '_'));
        let fraction = || word.parse::<f64>().ok().filter(|number| number.is_finite());
        let value = match word.parse::<i64>() {
            Ok(whole) => ArgValue::Int(whole),
            Err(_) => match fraction().filter(|_| word.contains('.')) {
                Some(number) => ArgValue::Float(number),
                None => {
                    let message = format!("`{word}` is neither a number nor a name");
                    let problem = self.fail(start, self.at, message);
                    return Err(Box::new(problem.hint("a text is written in quotes: `'…'`")));
                }
            },
        };
        Ok(Expr::value(value, (self.place)(start, self.at)))
    }

    fn reference(&mut self, name: &str, start: usize) -> Read<Expr> {
        let end = self.at;
        if !ROOTS.contains(&name) {
            let message = format!("`{name}` is nothing an expression can name");
            let problem = self.fail(start, end, message);
            let hint = match Function::of_name(name) {
                Some(function) => format!("`{name}` is a function: `{}`", function.form()).into(),
                None => suggestion(name, ROOTS.iter().copied(), "").or(problem.help.clone()),
            };
            return Err(Box::new(problem.hint(hint)));
        }
        let root = match name {
            "item" => Root::Item,
            _ if self.peek() != Some('.') => {
                return Err(self.fail(start, end, format!("`{name}` needs a name after it")));
            }
            _ => {
                self.at += 1;
                let at = self.at;
                let word = self.name();
                let place = (self.place)(at, self.at);
                match (name, word) {
                    (_, "") => {
                        return Err(self.fail(at - 1, at, "a name is missing here"));
                    }
                    ("inputs", _) => Root::Input(Located::new(word.to_owned(), place)),
                    ("steps", _) => Root::Step(Located::new(word.to_owned(), place)),
                    (_, "id") => Root::RunId,
                    (_, "started") => Root::RunStarted,
                    _ => {
                        let message = format!("a run has no `{word}`");
                        let hint = suggestion(word, RUN.iter().copied(), "it has");
                        return Err(Box::new(self.fail(at, self.at, message).hint(hint)));
                    }
                }
            }
        };
        let path = self.hops()?;
        Ok(Expr { span: (self.place)(start, self.at), root, path })
    }

    fn hops(&mut self) -> Read<Vec<Located<Segment>>> {
        let mut hops = Vec::new();
        loop {
            let start = self.at;
            match self.peek() {
                Some('.') => {
                    self.at += 1;
                    let name = self.name();
                    if name.is_empty() {
                        return Err(self.fail(start, start + 1, "a name is missing here"));
                    }
                    let place = (self.place)(start + 1, self.at);
                    hops.push(Located::new(Segment::Field(name.to_owned()), place));
                }
                Some('[') => {
                    let Some(len) = self.rest().find(']') else {
                        return Err(self.fail(start, start + 1, "this `[` is not closed"));
                    };
                    let index = self.rest()[1..len].trim();
                    let Ok(index) = index.parse() else {
                        let end =
                            start + 1 + self.rest()[1..].chars().next().map_or(0, char::len_utf8);
                        let message = "between `[` and `]` there must be a number, from 0";
                        return Err(self.fail(start + 1, end, message));
                    };
                    self.at += len + 1;
                    let place = (self.place)(start, self.at);
                    hops.push(Located::new(Segment::Index(index), place));
                }
                _ => return Ok(hops),
            }
        }
    }

    fn call(&mut self, name: &str, start: usize, end: usize) -> Read<Expr> {
        let Some(function) = Function::of_name(name) else {
            let known = Function::ALL.map(Function::name);
            let message = format!("there is no function `{name}`");
            let problem = self.problem(Code::UnknownFunction, start, end, message);
            return Err(Box::new(problem.hint(suggestion(name, known, "functions"))));
        };
        self.calls += 1;
        if self.calls > MAX_CALLS {
            let message = format!("calls are nested more than {MAX_CALLS} deep here");
            let problem = self.fail(start, end, message);
            return Err(Box::new(
                problem.hint("give a part of it to an input, or to two arguments"),
            ));
        }
        let open = self.at;
        self.at += 1;
        let mut args = Vec::new();
        loop {
            self.blanks();
            match self.peek() {
                Some(')') if args.is_empty() => break,
                None => return Err(self.open_call(open)),
                _ => args.push(self.expression()?),
            }
            self.blanks();
            match self.peek() {
                Some(',') => self.at += 1,
                Some(')') => break,
                None => return Err(self.open_call(open)),
                Some(_) => return Err(self.unexpected()),
            }
        }
        self.at += 1;
        self.calls -= 1;
        let whole = (self.place)(start, self.at);
        let (least, most) = function.arity();
        if !(least..=most).contains(&args.len()) {
            let span = args.get(most).map_or(whole, |surplus| surplus.span);
            let message = match args.len() < least {
                true => {
                    format!("`{function}` is given too little: {} of {least} arguments", args.len())
                }
                false => format!("`{function}` takes no more than {most} argument(s)"),
            };
            let help = format!("write it like `{}`", function.form());
            return Err(Box::new(Diagnostic::error(Code::BadCall, span, message).hint(help)));
        }
        if let Some(c @ ('.' | '[')) = self.peek() {
            let message =
                format!("`{c}` is not expected here: a call gives a value without fields or items");
            let problem = self.fail(self.at, self.at + 1, message);
            return Err(Box::new(problem.hint("take the field or item inside the call")));
        }
        let function = Located::new(function, (self.place)(start, end));
        Ok(Expr { span: whole, root: Root::Call(function, args), path: Vec::new() })
    }

    fn open_call(&self, open: usize) -> Box<Diagnostic> {
        let problem = self.fail(open, open + 1, "this `(` is not closed");
        Box::new(problem.hint("end the call with `)`"))
    }

    /// Something stands behind a whole expression, which ends at `end`.
    fn surplus(&self, expr: &Expr, end: usize) -> Box<Diagnostic> {
        let problem = self.unexpected();
        let call = |function: Function, inner: &str| match function.arity() {
            (1, _) => format!("write `{function}({inner})`"),
            _ => format!("write it like `{}`", function.form()),
        };
        match self.peek() {
            Some(c @ '|') => {
                let message = "an expression names a value, and there are no filters";
                let mut problem = self.fail(self.at, self.at + c.len_utf8(), message);
                let word = self.rest()[1..].trim_start();
                let word = &word[..word.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(word.len())];
                let names = Function::ALL.map(Function::name);
                let meant = closest(word, names).and_then(Function::of_name);
                let help = match meant {
                    Some(function) => call(function, self.text[..end].trim()),
                    None => format!("call a function instead: {}", quoted_list(names)),
                };
                problem.help = Some(help);
                problem
            }
            // `inputs.name.lower()`
            Some('(') => match expr.path.last().map(|hop| &hop.value) {
                Some(Segment::Field(name)) => match Function::of_name(name) {
                    Some(function) => {
                        let inner = self.text[..end].trim();
                        let inner = inner.strip_suffix(&format!(".{name}")).unwrap_or(inner);
                        Box::new(problem.hint(call(function, inner)))
                    }
                    None => problem,
                },
                _ => problem,
            },
            Some('+') => Box::new(problem.hint(
                "there are no operators; text is joined by writing it side by side: `${{ … }}-${{ … }}`",
            )),
            Some('=' | '!' | '<' | '>' | '&' | '?' | '*' | '/' | '%' | '-') => Box::new(
                problem.hint(Hint::from("there are no operators; an `assert` step compares values")),
            ),
            _ => problem,
        }
    }
}
