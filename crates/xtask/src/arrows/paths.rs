//! The paths that a Rust file names, such as `diesel::prelude::*` or `crate::store::users`, found by reading its tokens.
//!
//! Tokens and not a syntax tree, because a tree stops at macros, and nothing more is needed.

use super::tokens::{Token, tokens};

/// One path, taken out of its group, with `self` and `super` resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// `["crate", "store", "users"]`
    pub path: Vec<String>,
    /// Counted from 1.
    pub line: usize,
}

/// Every path in `text`. `module` is where the file is in its crate: `["api", "users"]` for `src/api/users.rs`.
pub fn named(text: &str, module: &[&str]) -> Vec<Named> {
    let tokens = tokens(text);
    let mut reader = Reader { tokens: &tokens, at: 0, found: Vec::new() };
    // Modules opened inside of the file, with the depth of their braces.
    let mut inner: Vec<(&str, usize)> = Vec::new();
    let mut depth = 0_usize;
    while let Some(token) = reader.token(0) {
        let start = reader.found.len();
        match token {
            Token::Mark('{') => depth += 1,
            Token::Mark('}') => {
                depth = depth.saturating_sub(1);
                inner.retain(|(_, opened)| *opened <= depth);
            }
            Token::Word(word) if word == "mod" => {
                if let (Some(Token::Word(name)), Some(Token::Mark('{'))) = (reader.token(1), reader.token(2)) {
                    inner.push((name, depth + 1));
                }
            }
            Token::Word(word) if word == "use" => {
                reader.at += 1;
                reader.tree(&[]);
            }
            Token::Word(_) if reader.token(1) == Some(&Token::Colons) => reader.tree(&[]),
            _ => {}
        }
        if reader.found.len() > start {
            let home: Vec<&str> = module.iter().copied().chain(inner.iter().map(|(name, _)| *name)).collect();
            for named in reader.found.iter_mut().skip(start) {
                resolve(&mut named.path, &home);
            }
        } else {
            reader.at += 1;
        }
    }
    reader.found
}

struct Reader<'a> {
    tokens: &'a [(Token, usize)],
    at: usize,
    found: Vec<Named>,
}

impl<'a> Reader<'a> {
    fn token(&self, ahead: usize) -> Option<&'a Token> {
        self.tokens.get(self.at + ahead).map(|(token, _)| token)
    }

    /// Reads a path, and the whole of its group when it ends in one.
    fn tree(&mut self, prefix: &[String]) {
        let mut path = prefix.to_vec();
        let line = self.tokens.get(self.at).map_or(0, |(_, line)| *line);
        loop {
            match self.token(0) {
                Some(Token::Colons) => self.at += 1,
                Some(Token::Word(word)) => {
                    path.push(word.clone());
                    self.at += 1;
                    if self.token(0) != Some(&Token::Colons) {
                        break;
                    }
                }
                Some(Token::Mark('{')) => return self.group(&path),
                Some(Token::Mark('*')) => {
                    self.at += 1;
                    break;
                }
                _ => break,
            }
        }
        // `use a::b as c`
        if matches!(self.token(0), Some(Token::Word(word)) if word == "as") {
            self.at += 2;
        }
        if path.last().is_some_and(|last| last == "self") && path.len() > 1 {
            path.pop();
        }
        if !path.is_empty() {
            self.found.push(Named { path, line });
        }
    }

    fn group(&mut self, prefix: &[String]) {
        self.at += 1;
        while let Some(token) = self.token(0) {
            let before = self.at;
            match token {
                Token::Mark('}') => {
                    self.at += 1;
                    return;
                }
                Token::Mark(',') => self.at += 1,
                _ => self.tree(prefix),
            }
            // Not a group after all: give up instead of standing still.
            if self.at == before {
                return;
            }
        }
    }
}

/// Turns a leading `self` or `super` into the path from `crate`.
fn resolve(path: &mut Vec<String>, home: &[&str]) {
    let supers = path.iter().take_while(|part| *part == "super").count();
    let drop = match path.first().map(String::as_str) {
        Some("self") => 1,
        Some("super") => supers,
        _ => return,
    };
    let kept = home.len().saturating_sub(supers);
    let from_crate = std::iter::once("crate").chain(home.iter().take(kept).copied()).map(str::to_owned);
    path.splice(..drop, from_crate);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(text: &str, module: &[&str]) -> Vec<String> {
        named(text, module).into_iter().map(|named| named.path.join("::")).collect()
    }

    #[test]
    fn use_lines_are_taken_apart() {
        assert_eq!(paths("use diesel::prelude::*;", &[]), ["diesel::prelude"]);
        assert_eq!(paths("use lapin;\npub use a::b as c;", &[]), ["lapin", "a::b"]);
        assert_eq!(paths("use {a::{b, c::{self, d as e}}, ::f::g, h};", &[]), ["a::b", "a::c", "a::c::d", "f::g", "h"]);
    }

    #[test]
    fn paths_in_code_macros_and_attributes_count_too() {
        let text = "#[derive(diesel::Queryable)] fn f(x: &actix_web::HttpRequest) -> Vec<db::Db> { m!(lapin::Channel); x.y::<z::Z>() }";
        assert_eq!(
            paths(text, &[]),
            ["diesel::Queryable", "actix_web::HttpRequest", "db::Db", "lapin::Channel", "y", "z::Z"]
        );
        assert_eq!(paths("// diesel::x\nlet s = \"diesel::y\";", &[]), Vec::<String>::new());
    }

    #[test]
    fn self_and_super_are_resolved() {
        let home = ["api", "users"];
        assert_eq!(
            paths("use super::dto::X; use super::super::store::y;", &home),
            ["crate::api::dto::X", "crate::store::y"]
        );
        assert_eq!(paths("use self::part::X;", &home), ["crate::api::users::part::X"]);
        assert_eq!(
            paths("mod tests { use super::*; mod deep { use super::super::x; } } use super::z;", &home),
            ["crate::api::users", "crate::api::users::x", "crate::api::z"]
        );
        assert_eq!(paths("use super::super::super::super::x;", &home), ["crate::x"], "never past the crate");
    }

    #[test]
    fn lines_are_those_of_the_path() {
        let lines: Vec<usize> =
            named("\nuse a::{\n    b,\n    c,\n};", &[]).into_iter().map(|named| named.line).collect();
        assert_eq!(lines, [3, 4]);
    }

    #[test]
    fn a_struct_literal_is_not_a_group() {
        assert_eq!(paths("let x = a::B { c: d::E, ..f::g() };", &[]), ["a::B", "d::E", "f::g"]);
    }

    #[test]
    fn nonsense_ends() {
        for text in ["use", "use ::", "use a::{", "a::", "use a::{;", "mod", "use a::{b", "}}}", "use {{{"] {
            let _ = named(text, &[]);
        }
    }
}
