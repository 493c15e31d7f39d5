//! Roles, scopes, and which role has which scope.

use contracts::{Role, Scope, ScopeSet};
use proptest::{prelude::*, sample::subsequence};

#[test]
fn a_stronger_role_may_all_that_a_weaker_one_may_and_more() {
    let sets: Vec<ScopeSet> = Role::ALL.iter().map(|role| role.scopes().iter().collect()).collect();
    for pair in sets.windows(2) {
        let [weaker, stronger] = pair else { unreachable!() };
        assert!(weaker.is_subset(*stronger) && weaker != stronger, "{weaker:?} {stronger:?}");
    }
    assert_eq!(Role::Owner.scopes(), Scope::ALL);
    assert!(Role::Owner > Role::Admin && Role::Admin > Role::Member && Role::Member > Role::Viewer);
}

#[test]
fn each_role_has_exactly_the_scopes_of_the_table() {
    // `Role::scopes` cuts a sorted table; this fails when a new scope is put at the wrong place in it.
    for role in Role::ALL {
        let expected: Vec<Scope> = Scope::ALL.iter().copied().filter(|scope| scope.granted_from() <= role).collect();
        assert_eq!(role.scopes(), expected, "{role}");
    }
}

#[test]
fn the_rights_of_every_role() {
    let table: Vec<String> =
        Role::ALL.iter().map(|role| format!("{role}: {}", role.scopes().iter().collect::<ScopeSet>())).collect();
    insta::assert_json_snapshot!("rights_of_every_role", table);
}

#[test]
fn roles_have_one_name_everywhere() {
    for role in Role::ALL {
        assert_eq!(role.to_string().parse(), Ok(role));
        assert_eq!(serde_json::to_value(role).unwrap(), role.as_str());
        assert_eq!(serde_json::from_value::<Role>(role.as_str().into()).unwrap(), role);
    }
    for text in ["", "Owner", "root", "owner ", "owner\0"] {
        assert!(text.parse::<Role>().is_err(), "{text:?}");
    }
}

#[test]
fn scopes_have_one_name_everywhere() {
    for scope in Scope::ALL {
        assert_eq!(scope.to_string().parse(), Ok(*scope));
        assert_eq!(serde_json::from_value::<Scope>(serde_json::to_value(scope).unwrap()).unwrap(), *scope);
    }
    assert!("users:admin".parse::<Scope>().is_err());
    assert!(serde_json::from_str::<Scope>("\"\"").is_err());
}

#[test]
fn a_claim_drops_what_it_does_not_know_and_a_person_is_told() {
    let text = "users:read galaxy:write ai:invoke";
    let claim = ScopeSet::from_claim(text);
    assert_eq!(claim.to_string(), "users:read ai:invoke");
    assert!(text.parse::<ScopeSet>().is_err());
    assert_eq!(ScopeSet::from_claim(""), ScopeSet::EMPTY);
    assert!(ScopeSet::EMPTY.is_empty() && ScopeSet::EMPTY.to_string().is_empty());
    assert!(!ScopeSet::from_claim("USERS:READ").contains(Scope::UsersRead), "scopes are case-sensitive");
}

proptest! {
    #[test]
    fn a_set_survives_text(scopes in subsequence(Scope::ALL, 0..=Scope::ALL.len())) {
        let set: ScopeSet = scopes.iter().collect();
        prop_assert_eq!(set.to_string().parse::<ScopeSet>(), Ok(set));
        prop_assert_eq!(ScopeSet::from_claim(&set.to_string()), set);
        prop_assert_eq!(set.iter().collect::<Vec<_>>(), scopes.clone());
        for scope in Scope::ALL {
            prop_assert_eq!(set.contains(*scope), scopes.contains(scope));
        }
    }

    #[test]
    fn an_intersection_never_adds(a in subsequence(Scope::ALL, 0..=8), b in subsequence(Scope::ALL, 0..=8)) {
        let (a, b): (ScopeSet, ScopeSet) = (a.iter().collect(), b.iter().collect());
        let both = a.intersection(b);
        prop_assert!(both.is_subset(a) && both.is_subset(b));
        prop_assert!(Scope::ALL.iter().all(|s| both.contains(*s) == (a.contains(*s) && b.contains(*s))));
    }

    #[test]
    fn no_claim_makes_parsing_panic(text in ".{0,60}") {
        prop_assert!(ScopeSet::from_claim(&text).is_subset(Scope::ALL.iter().collect()));
    }
}
