//! A service reads and writes the tables of its own schema only.

use std::collections::BTreeSet;

use super::{Kind, Language, Source, Workspace};

/// Words of SQL and diesel that a table's name follows.
const BEFORE_A_TABLE: &[&str] = &["from", "join", "into", "update", "table", "references", "only", "on", "exists"];

/// One line for each table of another service.
pub fn violations(workspace: &Workspace) -> Vec<String> {
    let is_service = |package: &&super::Package| package.kind == Kind::Service;
    let schemas: BTreeSet<&str> = workspace.packages.iter().filter(is_service).map(|p| p.name.as_str()).collect();
    let of_services = workspace.sources.iter().filter(|source| source.kind == Kind::Service);
    of_services.flat_map(|source| foreign(source, &schemas)).collect()
}

fn foreign(source: &Source, schemas: &BTreeSet<&str>) -> Vec<String> {
    let mut found = Vec::new();
    for (line, text) in (1..).zip(source.text.lines()) {
        let comment = match source.language {
            Language::Sql => "--",
            Language::Rust => "//",
        };
        let code = text.split(comment).next().unwrap_or_default();
        for table in tables(code) {
            let schema = table.split('.').next().unwrap_or_default();
            if schema != source.package && schemas.contains(schema) {
                let place = source.place(line);
                found.push(format!(
                    "{place} uses table {table}: ask {schema} over HTTP, or keep a projection of its events"
                ));
            }
        }
    }
    found
}

/// The `schema.table` names in a line of SQL or of `diesel::table!`, in lower case.
fn tables(code: &str) -> Vec<String> {
    let lower = code.to_lowercase();
    let is_separator = |c: char| !(c.is_alphanumeric() || c == '_' || c == '.');
    let words: Vec<&str> = lower.split(is_separator).filter(|word| !word.is_empty()).collect();
    let after_a_word = words.windows(2).filter_map(|pair| match pair {
        [before, table] if BEFORE_A_TABLE.contains(before) && is_table(table) => Some(*table),
        _ => None,
    });
    after_a_word.chain(declared(&lower)).map(str::to_owned).collect()
}

/// The table in the line that opens a `table!`: `auth.users (id) {`.
fn declared(line: &str) -> Option<&str> {
    let (table, keys) = line.trim().split_once(" (")?;
    (is_table(table) && keys.ends_with(") {")).then_some(table)
}

/// Whether `word` is `schema.table`.
fn is_table(word: &str) -> bool {
    let is_name = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
    word.split_once('.').is_some_and(|(schema, table)| is_name(schema) && is_name(table))
}

#[cfg(test)]
mod tests {
    use super::{super::Package, *};

    fn check(path: &str, text: &str) -> Vec<String> {
        let packages =
            ["auth", "users"].map(|name| Package { name: name.into(), kind: Kind::Service, dependencies: vec![] });
        let language = if path.starts_with("src/") { Language::Rust } else { Language::Sql };
        let source =
            Source { package: "auth".into(), kind: Kind::Service, language, path: path.into(), text: text.into() };
        violations(&Workspace { packages: packages.into(), sources: vec![source] })
    }

    #[test]
    fn another_services_table_is_caught() {
        let cases = [
            ("migrations/1/up.sql", "CREATE VIEW v AS SELECT * FROM users.profiles;"),
            ("migrations/1/up.sql", "org_id uuid REFERENCES users.organizations (id)"),
            ("migrations/1/up.sql", "ALTER TABLE ONLY users.profiles ADD x int;"),
            ("src/store/x.rs", r#"sql_query("SELECT 1 FROM a JOIN users.memberships m USING (id)")"#),
            ("src/store/x.rs", r#"sql_query("update users.profiles SET x = 1")"#),
            ("src/store/x.rs", r#"sql_query("INSERT INTO users.profiles VALUES ($1)")"#),
            ("src/store/schema.rs", "    users.profiles (user_id) {"),
        ];
        for (path, text) in cases {
            let found = check(path, text);
            assert!(matches!(found.as_slice(), [line] if line.contains("uses table users.")), "{text}: {found:?}");
        }
    }

    #[test]
    fn own_tables_fields_and_comments_pass() {
        let fine = [
            ("migrations/1/up.sql", "CREATE TABLE auth.users (id uuid); -- not FROM users.profiles"),
            ("migrations/1/up.sql", "CREATE INDEX ON users (id)"),
            ("src/store/x.rs", "let found = users.filter(x); // joined FROM users.profiles"),
            ("src/store/x.rs", "if users.contains(&id) {"),
            ("src/store/schema.rs", "    auth.users (id) {"),
            ("src/app/x.rs", "for user in users.iter() {"),
        ];
        for (path, text) in fine {
            assert_eq!(check(path, text), Vec::<String>::new(), "{text}");
        }
    }
}
