//! The names of a service's roles in Postgres. ADR 0003 says what each is for.

use crate::Error;

/// Owns the schema and migrates it; logs in only for that.
pub fn owner(schema: &str) -> String {
    format!("brainops_{schema}_owner")
}

/// Serves: reads and writes what row level security leaves it.
pub fn app(schema: &str) -> String {
    format!("brainops_{schema}_app")
}

/// Reaches every row; cannot log in, the app role becomes it for one transaction.
pub fn system(schema: &str) -> String {
    format!("brainops_{schema}_system")
}

/// Schema names go into SQL as they are, so only plain ones are taken. The same rule as in `provision.sql`.
pub(crate) fn check_schema(schema: &str) -> Result<(), Error> {
    // The longest role name must fit into the 63 bytes of an identifier.
    const LONGEST: usize = 40;
    let plain = schema.starts_with(|c: char| c.is_ascii_lowercase())
        && schema.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && schema.len() <= LONGEST;
    let reserved = schema.starts_with("pg_") || schema == "public" || schema == "information_schema";
    if plain && !reserved {
        Ok(())
    } else {
        Err(Error::Setup(format!("{schema:?} is not a name for a service's schema")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_has_a_plain_name_of_its_own() {
        for good in ["auth", "a", "job_queue2", &"x".repeat(40)] {
            assert!(check_schema(good).is_ok(), "{good}");
        }
        for bad in
            ["", "Auth", "1st", "a-b", "a\"b", "a;b", "public", "pg_toast", "information_schema", &"x".repeat(41)]
        {
            assert!(check_schema(bad).is_err(), "{bad}");
        }
    }
}
