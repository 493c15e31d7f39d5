//! What an admin decides about a model, and what it must obey.

use chrono::NaiveDate;
use contracts::{ProviderId, RouteId};
use kit::FieldError;

use super::{
    model::{Access, Capability},
    money::{NanoUsd, Prices},
};

/// What an admin decides about a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    pub alias: String,
    pub display_name: Option<String>,
    pub context_window: u32,
    pub max_output_tokens: Option<u32>,
    pub capabilities: Vec<Capability>,
    pub prices: Prices,
    /// The day on which the prices were right.
    pub prices_as_of: Option<NaiveDate>,
    pub enabled: bool,
    pub access: Access,
    pub routes: Vec<RouteRecord>,
}

/// A route as it is kept and shown.
#[derive(Clone, Debug, PartialEq)]
pub struct RouteRecord {
    pub id: RouteId,
    pub provider: ProviderRef,
    pub upstream_model: String,
    pub weight: u32,
    pub fallback: u32,
    pub region: Option<String>,
    pub prices: Option<Prices>,
}

/// Where a route leads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ProviderRef {
    Stored(ProviderId),
    /// A provider of the environment, by its name. It may be configured no more; the route rests then.
    BuiltIn(String),
}

/// A route as an admin asks for it.
#[derive(Clone, Debug)]
pub struct RouteSpec {
    pub provider: ProviderId,
    pub upstream_model: String,
    pub weight: u32,
    pub fallback: u32,
    pub region: Option<String>,
    pub prices: Option<Prices>,
}

/// Longest alias, in characters.
pub const ALIAS_MAX: usize = 128;
/// Most tokens of a context window or an answer.
pub const TOKENS_MAX: u32 = 100_000_000;
/// Dearest token: one dollar.
pub const PRICE_MAX: i64 = 1_000_000_000;
/// Most routes of a model.
pub const ROUTES_MAX: usize = 16;
/// Greatest weight of a route.
pub const WEIGHT_MAX: u32 = 1_000;
/// Last rank of a route.
pub const FALLBACK_MAX: u32 = 15;
/// Most entries of each list of an access rule.
pub const ACCESS_MAX: usize = 100;
const DISPLAY_NAME_MAX: usize = 100;
const UPSTREAM_MODEL_MAX: usize = 200;
const REGION_MAX: usize = 32;

impl Definition {
    /// Whom the routes lead to: ids, and names of the environment's providers.
    pub fn providers(&self) -> Vec<String> {
        let name = |route: &RouteRecord| match &route.provider {
            ProviderRef::Stored(id) => id.to_string(),
            ProviderRef::BuiltIn(name) => name.clone(),
        };
        self.routes.iter().map(name).collect()
    }

    /// Every rule that the definition breaks, by field; empty when it is fit to be stored.
    pub fn faults(&self) -> Vec<FieldError> {
        let mut faults = Faults::default();
        faults.check(is_alias(&self.alias), "alias", "alias", ALIAS_RULE);
        let displayable = |name: &str| {
            let visible = !name.trim().is_empty() && !name.chars().any(char::is_control);
            visible && name.chars().count() <= DISPLAY_NAME_MAX
        };
        let message = "Use 1 to 100 characters, some of them visible, and no control characters.";
        faults.check(self.display_name.as_deref().is_none_or(displayable), "display_name", "length", message);
        let message = "Give 1 to 100000000 tokens.";
        faults.check((1..=TOKENS_MAX).contains(&self.context_window), "context_window", "range", message);
        let output = self.max_output_tokens.is_none_or(|output| (1..=self.context_window).contains(&output));
        faults.check(output, "max_output_tokens", "range", "Give at least 1 and at most context_window.");
        self.check_capabilities(&mut faults);
        check_prices(&self.prices, "prices", &mut faults);
        self.check_access(&mut faults);
        self.check_routes(&mut faults);
        faults.0
    }

    fn check_capabilities(&self, faults: &mut Faults) {
        let given = &self.capabilities;
        let useful = given.contains(&Capability::Chat) || given.contains(&Capability::Embeddings);
        faults.check(useful, "capabilities", "useless", "Name chat, embeddings or both.");
        let repeated = given.iter().enumerate().any(|(at, capability)| given[..at].contains(capability));
        faults.check(!repeated, "capabilities", "duplicate", "Name each capability once.");
    }

    fn check_access(&self, faults: &mut Faults) {
        let Access { teams, users, api_keys, .. } = &self.access;
        for (field, entries) in [("teams", teams.len()), ("users", users.len()), ("api_keys", api_keys.len())] {
            faults.check(entries <= ACCESS_MAX, format!("access.{field}"), "length", "Name at most 100.");
        }
    }

    fn check_routes(&self, faults: &mut Faults) {
        let routes = &self.routes;
        faults.check((1..=ROUTES_MAX).contains(&routes.len()), "routes", "length", "Give 1 to 16 routes.");
        let dead = !routes.is_empty() && routes.iter().all(|route| route.weight == 0);
        faults.check(!dead, "routes", "no_weight", "Give at least one route a weight above 0.");
        for (at, route) in routes.iter().enumerate() {
            let field = |name: &str| format!("routes[{at}].{name}");
            let name = &route.upstream_model;
            let named = (1..=UPSTREAM_MODEL_MAX).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic());
            faults.check(named, field("model"), "length", "Use 1 to 200 visible ASCII characters.");
            faults.check(route.weight <= WEIGHT_MAX, field("weight"), "range", "Give 0 to 1000.");
            faults.check(route.fallback <= FALLBACK_MAX, field("fallback"), "range", "Give 0 to 15.");
            let region = route.region.as_deref().is_none_or(is_region);
            faults.check(region, field("region"), "region", "Use 1 to 32 characters a-z, 0-9 and dashes.");
            if let Some(prices) = &route.prices {
                check_prices(prices, &field("prices"), faults);
            }
        }
    }
}

fn check_prices(prices: &Prices, field: &str, faults: &mut Faults) {
    let Prices { input, cached_input, cache_write, output, batch_input, batch_output } = *prices;
    for (name, price) in [
        ("input", Some(input)),
        ("cached_input", cached_input),
        ("cache_write", cache_write),
        ("output", Some(output)),
        ("batch_input", batch_input),
        ("batch_output", batch_output),
    ] {
        let fine = price.is_none_or(|NanoUsd(price)| (0..=PRICE_MAX).contains(&price));
        faults.check(fine, format!("{field}.{name}"), "range", "Give 0 to 1000000000 nano-USD a token.");
    }
}

const ALIAS_RULE: &str =
    "Use 1 to 128 characters: letters, digits and . _ : / @ + -, with a letter or digit at the beginning.";

/// Whether a text can be what callers write into `model`. The names of vendors and hubs all can: `gpt-5-mini`,
/// `llama3.2:1b`, `meta-llama/Llama-3.1-8B`.
pub fn is_alias(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || b"._:/@+-".contains(&b);
    text.len() <= ALIAS_MAX
        && text.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric())
        && text.bytes().all(inner)
}

fn is_region(text: &str) -> bool {
    (1..=REGION_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

#[derive(Default)]
struct Faults(Vec<FieldError>);

impl Faults {
    fn check(&mut self, fine: bool, field: impl Into<String>, code: &'static str, message: &str) {
        if !fine {
            self.0.push(FieldError::new(field, code, message));
        }
    }
}

#[cfg(test)]
pub mod tests {
    use contracts::RouteId;
    use uuid::Uuid;

    use super::*;

    /// A definition that breaks no rule.
    pub fn fine() -> Definition {
        Definition {
            alias: "support".into(),
            display_name: Some("Support".into()),
            context_window: 8_192,
            max_output_tokens: Some(1_024),
            capabilities: vec![Capability::Chat],
            prices: Prices::default(),
            prices_as_of: None,
            enabled: true,
            access: Access::default(),
            routes: vec![RouteRecord {
                id: RouteId::from_uuid(Uuid::nil()),
                provider: ProviderRef::BuiltIn("openai".into()),
                upstream_model: "gpt-5-mini".into(),
                weight: 1,
                fallback: 0,
                region: None,
                prices: None,
            }],
        }
    }

    #[test]
    fn every_broken_rule_is_named() {
        assert_eq!(fine().faults(), []);
        let free = Prices { input: NanoUsd(-1), ..Prices::default() };
        let route = RouteRecord {
            upstream_model: " ".into(),
            weight: 0,
            fallback: 16,
            region: Some("EU".into()),
            prices: Some(free),
            ..fine().routes.remove(0)
        };
        let broken = Definition {
            alias: "-x".into(),
            display_name: Some("\u{7}".into()),
            context_window: 0,
            max_output_tokens: Some(1),
            capabilities: vec![Capability::Tools, Capability::Tools],
            prices: Prices { output: NanoUsd(PRICE_MAX + 1), ..Prices::default() },
            access: Access { teams: vec![contracts::TeamId::from_uuid(Uuid::nil()); 101], ..Access::default() },
            routes: vec![route],
            ..fine()
        };
        let fields: Vec<_> = broken.faults().into_iter().map(|fault| (fault.field, fault.code)).collect();
        let fields: Vec<_> = fields.iter().map(|(field, code)| (field.as_str(), code.as_ref())).collect();
        assert_eq!(
            fields,
            [
                ("alias", "alias"),
                ("display_name", "length"),
                ("context_window", "range"),
                ("max_output_tokens", "range"),
                ("capabilities", "useless"),
                ("capabilities", "duplicate"),
                ("prices.output", "range"),
                ("access.teams", "length"),
                ("routes", "no_weight"),
                ("routes[0].model", "length"),
                ("routes[0].fallback", "range"),
                ("routes[0].region", "region"),
                ("routes[0].prices.input", "range"),
            ]
        );
    }

    #[test]
    fn aliases_are_the_names_that_vendors_and_hubs_use() {
        for good in ["gpt-5-mini", "o3", "llama3.2:1b", "meta-llama/Llama-3.1-8B", "a@b", "x".repeat(128).as_str()] {
            assert!(is_alias(good), "{good}");
        }
        for bad in ["", "-a", "/a", "a b", "ä", "a\n", "a?b", "a%2f", "x".repeat(129).as_str()] {
            assert!(!is_alias(bad), "{bad}");
        }
    }
}
