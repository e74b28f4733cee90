//! The flags by which the agent is told what to pull and to push: `--input=REF[,path=PATH]` and
//! `--output=REF[,path=PATH]`.
//!
//! A reference holds no comma. The path is the last part, and takes the rest of the text with its
//! commas.

use crate::template::{InputPathTemplate, InputTemplate, PathTemplate, Template, TemplateError};
use std::fmt;

/// What stands between the reference and the path.
const PATH: &str = ",path=";

/// The value of `--input`: an input, and the directory it is pulled into, where it has one of its
/// own.
///
/// ```
/// use orascache_api::flags::InputFlag;
///
/// let flag = InputFlag::parse("flow/part:{0..9},path=/data/{tag}").unwrap();
/// assert_eq!(flag.input.count(), 10);
/// assert_eq!(flag.path.unwrap().text(), "/data/{tag}");
/// assert_eq!(flag.to_string(), "flow/part:{0..9},path=/data/{tag}");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputFlag<'a> {
    /// What is pulled.
    pub input: InputTemplate<'a>,
    /// Directory of this input alone.
    pub path: Option<InputPathTemplate<'a>>,
}

/// The value of `--output`: an output, and the file or directory that is pushed, where it has one
/// of its own.
///
/// ```
/// use orascache_api::flags::OutputFlag;
///
/// let flag = OutputFlag::parse("flow/words:{index},path=/out/a,b").unwrap();
/// assert_eq!(flag.path.unwrap().text(), "/out/a,b");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputFlag<'a> {
    /// What is pushed to.
    pub output: Template<'a>,
    /// File or directory of this output alone.
    pub path: Option<PathTemplate<'a>>,
}

/// Why a text is not the value of such a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlagError<'a> {
    /// The reference, which is the text up to the first comma, is wrong.
    Reference(&'a str, TemplateError<'a>),
    /// The path is wrong.
    Path(&'a str, TemplateError<'a>),
    /// The path is empty.
    EmptyPath,
    /// Something else than `,path=` follows the reference.
    UnknownPart(&'a str),
}

impl<'a> InputFlag<'a> {
    /// Reads `REF[,path=PATH]`.
    ///
    /// # Errors
    /// When it is not that.
    pub fn parse(text: &'a str) -> Result<Self, FlagError<'a>> {
        let (input, path) = split(text)?;
        let path =
            path.map(|path| InputPathTemplate::parse(path).map_err(|error| FlagError::Path(path, error)));
        Ok(InputFlag {
            input: InputTemplate::parse(input).map_err(|error| FlagError::Reference(input, error))?,
            path: path.transpose()?,
        })
    }
}

impl<'a> OutputFlag<'a> {
    /// Reads `REF[,path=PATH]`.
    ///
    /// # Errors
    /// When it is not that.
    pub fn parse(text: &'a str) -> Result<Self, FlagError<'a>> {
        let (output, path) = split(text)?;
        let path = path.map(|path| PathTemplate::parse(path).map_err(|error| FlagError::Path(path, error)));
        Ok(OutputFlag {
            output: Template::parse(output).map_err(|error| FlagError::Reference(output, error))?,
            path: path.transpose()?,
        })
    }
}

fn split(text: &str) -> Result<(&str, Option<&str>), FlagError<'_>> {
    let end = text.find(',').unwrap_or(text.len());
    let (reference, rest) = text.split_at(end);
    if rest.is_empty() {
        return Ok((reference, None));
    }
    match rest.strip_prefix(PATH) {
        Some("") => Err(FlagError::EmptyPath),
        Some(path) => Ok((reference, Some(path))),
        None => Err(FlagError::UnknownPart(rest)),
    }
}

fn write(formatter: &mut fmt::Formatter<'_>, reference: &str, path: Option<&str>) -> fmt::Result {
    formatter.write_str(reference)?;
    match path {
        Some(path) => write!(formatter, "{PATH}{path}"),
        None => Ok(()),
    }
}

impl fmt::Display for InputFlag<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(formatter, self.input.text(), self.path.map(|path| path.text()))
    }
}

impl fmt::Display for OutputFlag<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(formatter, self.output.text(), self.path.map(|path| path.text()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::range::RangeError;
    use proptest::prelude::*;

    #[test]
    fn the_path_takes_the_rest_of_the_text() {
        let flag = InputFlag::parse("a:1,path=/x,path=/y, z").unwrap();
        assert_eq!((flag.input.text(), flag.path.unwrap().text()), ("a:1", "/x,path=/y, z"));
        assert_eq!(InputFlag::parse("a:1").unwrap().path, None);
    }

    #[test]
    fn texts_that_are_not_flags_are_told_apart() {
        for (text, wanted) in [
            ("a:1,", FlagError::UnknownPart(",")),
            ("a:1,/x", FlagError::UnknownPart(",/x")),
            ("a:1,Path=/x", FlagError::UnknownPart(",Path=/x")),
            ("a:1,path=", FlagError::EmptyPath),
            ("a:1,path=/{x}", FlagError::Path("/{x}", TemplateError::UnknownPlaceholder("{x}"))),
            ("a:{x},path=/", FlagError::Reference("a:{x}", TemplateError::UnknownPlaceholder("{x}"))),
        ] {
            assert_eq!(InputFlag::parse(text), Err(wanted), "{text}");
            assert_eq!(OutputFlag::parse(text), Err(wanted), "{text}");
        }
        let range = TemplateError::Range(RangeError::OutOfPlace("{0..1}"));
        assert_eq!(OutputFlag::parse("a:{0..1}"), Err(FlagError::Reference("a:{0..1}", range)));
        let tag = TemplateError::UnknownPlaceholder("{tag}");
        assert_eq!(OutputFlag::parse("a:1,path={tag}"), Err(FlagError::Path("{tag}", tag)));
    }

    proptest! {
        #[test]
        fn flags_are_read_as_they_are_printed(
            reference in "[a-z]{1,3}:(\\{pod\\}|\\{index\\}|x)",
            path in proptest::option::of("[a-z/, =$éß.{}]{1,12}"),
        ) {
            let text = path.as_ref().map_or(reference.clone(), |path| format!("{reference},path={path}"));
            if let Ok(flag) = InputFlag::parse(&text) {
                prop_assert_eq!(flag.to_string(), text.clone());
                prop_assert_eq!(flag.path.map(|path| path.text()), path.as_deref());
            }
            if let Ok(flag) = OutputFlag::parse(&text) {
                prop_assert_eq!(flag.to_string(), text.clone());
            }
        }
    }
}
