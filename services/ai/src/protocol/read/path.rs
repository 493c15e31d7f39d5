//! Where in a body we are: `messages[2].content[0].image_url.url`.

use std::fmt;

/// A place in a body. Lives on the stack of the readers and is written out only when something is wrong there.
#[derive(Clone, Copy, Debug)]
pub enum Path<'p> {
    /// The body itself.
    Root,
    Field(&'p Path<'p>, &'p str),
    Item(&'p Path<'p>, usize),
}

impl<'p> Path<'p> {
    pub fn field(&'p self, name: &'p str) -> Self {
        Self::Field(self, name)
    }

    pub fn item(&'p self, index: usize) -> Self {
        Self::Item(self, index)
    }

    /// Without the indexes, as warnings have it: `messages.content.input_audio`.
    pub fn names(&self) -> String {
        match self {
            Self::Root => String::new(),
            Self::Field(Path::Root, name) => (*name).to_owned(),
            Self::Field(parent, name) => {
                let mut names = parent.names();
                if !names.is_empty() {
                    names.push('.');
                }
                names.push_str(name);
                names
            }
            Self::Item(parent, _) => parent.names(),
        }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => Ok(()),
            Self::Field(Path::Root, name) => f.write_str(name),
            Self::Field(parent, name) => write!(f, "{parent}.{name}"),
            Self::Item(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}
