//! Whether the style sheets of a publisher's own templates can be read: what a browser cannot read of one it leaves out in
//! silence, with all that follows.

use cssparser::{
    AtRuleParser, CowRcStr, DeclarationParser, ParseError, Parser, ParserState,
    QualifiedRuleParser, RuleBodyItemParser, RuleBodyParser, StyleSheetParser,
};

/// Beginnings of the names of all properties that a mail can use.
const PROPERTIES: [&str; 32] = [
    "-moz-",
    "-ms-",
    "-webkit-",
    "background",
    "border",
    "clear",
    "color",
    "direction",
    "display",
    "float",
    "font",
    "height",
    "hyphens",
    "letter-",
    "line-",
    "list-",
    "margin",
    "max-",
    "min-",
    "mso-",
    "opacity",
    "overflow",
    "padding",
    "position",
    "table-",
    "text-",
    "unicode-",
    "vertical-",
    "visibility",
    "white-",
    "width",
    "word-",
];

/// What is wrong with the first style sheet of `html` that is not right, as a sentence without its full stop.
pub(super) fn problem(html: &str) -> Option<String> {
    html.split("<style").skip(1).find_map(|rest| {
        let (_, sheet) = rest.split_once('>')?;
        let sheet = sheet.split("</style").next().unwrap_or_default();
        problem_of(sheet)
    })
}

fn problem_of(sheet: &str) -> Option<String> {
    let mut reader = Reader::default();
    reader.read(&mut Parser::new(sheet));
    reader.problem
}

/// Reads rules, and keeps the first problem.
#[derive(Default)]
struct Reader {
    problem: Option<String>,
}

impl Reader {
    fn read(&mut self, input: &mut Parser<'_>) {
        let mut failed = None;
        for rule in StyleSheetParser::new(input, self) {
            if let Err((_, text, _)) = rule {
                failed.get_or_insert_with(|| text.to_owned());
            }
        }
        if let Some(text) = failed {
            self.unreadable(&text);
        }
    }

    fn unreadable(&mut self, text: &str) {
        let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let start: String = text.chars().take(40).collect();
        self.problem.get_or_insert_with(|| {
            format!("its style sheet cannot be read at “{start}”: is a brace or a colon missing there or before?")
        });
    }
}

/// Reads all that is left, as long as there is sense in it.
fn skip(input: &mut Parser<'_>) -> Result<(), ParseError<()>> {
    while let Ok(token) = input.next() {
        if token.is_parse_error() {
            return Err(ParseError::unexpected_token());
        }
    }
    Ok(())
}

impl<'i> QualifiedRuleParser<'i> for Reader {
    type Prelude = ();
    type QualifiedRule = ();
    type Error = ();

    fn parse_prelude(&mut self, input: &mut Parser<'i>) -> Result<(), ParseError<()>> {
        if input.is_exhausted() {
            // It has no selector.
            return Err(ParseError::unexpected_token());
        }
        skip(input)
    }

    fn parse_block(
        &mut self,
        (): (),
        _: &ParserState,
        input: &mut Parser<'i>,
    ) -> Result<(), ParseError<()>> {
        let mut declarations = Declarations { unknown: None };
        let mut failed = None;
        for declaration in RuleBodyParser::new(input, &mut declarations) {
            if let Err((_, text, _)) = declaration {
                failed.get_or_insert_with(|| text.to_owned());
            }
        }
        if let Some(name) = declarations.unknown {
            self.problem.get_or_insert_with(|| {
                format!(
                    "its style sheet has “{name}”, which is no property that mail programs know"
                )
            });
        }
        if let Some(text) = failed {
            self.unreadable(&text);
        }
        Ok(())
    }
}

impl<'i> AtRuleParser<'i> for Reader {
    type Prelude = ();
    type AtRule = ();
    type Error = ();

    fn parse_prelude(
        &mut self,
        _: CowRcStr<'i>,
        input: &mut Parser<'i>,
    ) -> Result<(), ParseError<()>> {
        skip(input)
    }

    fn parse_block(
        &mut self,
        (): (),
        _: &ParserState,
        input: &mut Parser<'i>,
    ) -> Result<(), ParseError<()>> {
        self.read(input);
        Ok(())
    }
}

/// Reads what stands in a rule.
struct Declarations {
    /// The first property that mails have not.
    unknown: Option<String>,
}

impl<'i> DeclarationParser<'i> for Declarations {
    type Declaration = ();
    type Error = ();

    fn parse_value(
        &mut self,
        name: CowRcStr<'i>,
        input: &mut Parser<'i>,
        _: &ParserState,
    ) -> Result<(), ParseError<()>> {
        let lower = name.to_ascii_lowercase();
        if !PROPERTIES.iter().any(|known| lower.starts_with(known)) {
            self.unknown.get_or_insert(lower);
        }
        skip(input)
    }
}

impl<'i> AtRuleParser<'i> for Declarations {
    type Prelude = ();
    type AtRule = ();
    type Error = ();
}

impl<'i> QualifiedRuleParser<'i> for Declarations {
    type Prelude = ();
    type QualifiedRule = ();
    type Error = ();
}

impl<'i> RuleBodyItemParser<'i, (), ()> for Declarations {
    fn parse_declarations(&self) -> bool {
        true
    }

    fn parse_qualified(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_browser_would_leave_out_is_told() {
        for (sheet, told) in [
            (
                ".a { color: #123456; } @media (prefers-color-scheme: dark) { .a { color: #fff !important; } }",
                None,
            ),
            ("/* nothing */", None),
            (".a { mso-hide: all; -webkit-text-size-adjust: none }", None),
            (
                ".a { colour: red; }",
                Some("“colour”, which is no property"),
            ),
            (".a { color: red; { .b { color: blue; }", Some("at “{ .b")),
            (".a { color: red; .b { color: blue; }", Some("at “.b")),
            (".a { color red; }", Some("at “color red")),
            (
                ".a { color: red; } }\n.b { color: blue; }",
                Some("at “} .b"),
            ),
            ("@media print { .a { color red } }", Some("at “color red")),
        ] {
            let html = format!("<p>x</p><style data-x=\"y\">{sheet}</style>");
            let found = problem(&html);
            match told {
                None => assert_eq!(found, None, "{sheet}"),
                Some(told) => assert!(
                    found.as_ref().is_some_and(|found| found.contains(told)),
                    "{sheet}: {found:?}"
                ),
            }
        }
    }
}
