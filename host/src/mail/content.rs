//! A mail's content in blocks, worded once for each language, and shown as plain text and as HTML. Everything that people typed is escaped
//! by `maud`.

use maud::{DOCTYPE, Markup, html};

/// What a mail says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Content {
    /// One line.
    pub(super) subject: String,
    pub(super) blocks: Vec<Block>,
}

/// One part of a mail.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Block {
    /// A sentence or two.
    Text(String),
    /// Names and values. Those without a value are left out.
    Facts(Vec<(&'static str, String)>),
    /// What somebody else wrote, in their lines.
    Quote(String),
    /// Something to be copied, such as a token.
    Code(String),
    /// An address on the web, and what is there.
    Link(&'static str, String),
    /// A title and what stands under it.
    List(&'static str, Vec<String>),
}

impl Content {
    /// A block for each.
    pub(super) fn new(subject: String, blocks: Vec<Block>) -> Content {
        Content { subject, blocks }
    }

    pub(super) fn plain(&self) -> String {
        let texts: Vec<String> = self.blocks.iter().map(Block::plain).filter(|text| !text.is_empty()).collect();
        texts.join("\n\n") + "\n"
    }

    pub(super) fn html(&self, language: &str) -> String {
        let page = html! {
            (DOCTYPE)
            html lang=(language) {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width";
                    title { (self.subject) }
                }
                body style="font-family: sans-serif; line-height: 1.5; color: #222; max-width: 40em" {
                    @for block in &self.blocks { (block.html()) }
                }
            }
        };
        page.into_string()
    }
}

fn told<'f>(facts: &'f [(&'static str, String)]) -> impl Iterator<Item = &'f (&'static str, String)> {
    facts.iter().filter(|(_, value)| !value.is_empty())
}

impl Block {
    fn plain(&self) -> String {
        match self {
            Block::Text(text) => text.clone(),
            Block::Facts(facts) => {
                told(facts).map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>().join("\n")
            }
            Block::Quote(text) => text.lines().map(|line| format!("> {line}")).collect::<Vec<_>>().join("\n"),
            Block::Code(code) => format!("    {code}"),
            Block::Link(what, address) => format!("{what}: {address}"),
            Block::List(title, items) => {
                let items: Vec<String> = items.iter().map(|item| format!("- {item}")).collect();
                format!("{title}\n{}", items.join("\n"))
            }
        }
    }

    fn html(&self) -> Markup {
        match self {
            Block::Text(text) => html! { p { (text) } },
            Block::Facts(facts) => html! {
                table {
                    @for (name, value) in told(facts) {
                        tr {
                            td style="padding-right: 1em; color: #666; vertical-align: top" { (name) }
                            td { (value) }
                        }
                    }
                }
            },
            Block::Quote(text) => html! {
                blockquote style="margin: 1em 0; padding-left: 1em; border-left: 3px solid #ccc; white-space: pre-wrap" { (text) }
            },
            Block::Code(code) => html! { p { code { (code) } } },
            Block::Link(what, address) => html! { p { a href=(address) { (what) } } },
            Block::List(title, items) => html! {
                p { (title) }
                ul { @for item in items { li { (item) } } }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_typed_is_never_markup() {
        let evil = "<script>alert(\"1\")</script>&'".to_owned();
        let blocks = vec![
            Block::Text(evil.clone()),
            Block::Facts(vec![("Fact", evil.clone()), ("Nothing", String::new())]),
            Block::Quote(evil.clone()),
            Block::Code(evil.clone()),
            Block::Link("There", evil.clone()),
            Block::List("List", vec![evil.clone()]),
        ];
        let content = Content::new(evil.clone(), blocks);
        let html = content.html("en");
        assert!(!html.contains("<script") && !html.contains("alert(\"1\")"), "{html}");
        assert!(html.contains("&lt;script&gt;") && !html.contains("Nothing"), "{html}");
        assert!(html.contains("<a href=\"&lt;script&gt;alert(&quot;1&quot;)"), "{html}");
        assert_eq!(content.plain().matches(&evil).count(), 6);
    }
}
