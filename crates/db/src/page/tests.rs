use proptest::prelude::*;

use super::*;

fn signer() -> Signer {
    Signer::new(b"a secret")
}

fn projects() -> List {
    List::new("projects").sorted("created_at desc, id").within("org", "acme")
}

type Position = (i64, String);

fn refused(signer: &Signer, list: &List, cursor: &str) -> bool {
    matches!(signer.decode::<Position>(list, cursor), Err(Error::InvalidCursor))
}

proptest! {
    #[test]
    fn a_position_comes_back(at: i64, id in "[^\u{0}]{0,40}") {
        let cursor = signer().encode(&projects(), &(at, id.clone())).unwrap();
        prop_assert!(cursor.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'), "safe in a URL: {cursor}");
        prop_assert_eq!(signer().decode::<Position>(&projects(), &cursor).unwrap(), (at, id));
    }

    #[test]
    fn any_changed_bit_is_refused(at: i64, bit: prop::sample::Index) {
        let cursor = signer().encode(&projects(), &(at, "x".to_owned())).unwrap();
        let mut bytes = URL_SAFE_NO_PAD.decode(&cursor).unwrap();
        let bit = bit.index(bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(refused(&signer(), &projects(), &URL_SAFE_NO_PAD.encode(bytes)));
    }

    #[test]
    fn any_truncation_is_refused(at: i64, keep: prop::sample::Index) {
        let cursor = signer().encode(&projects(), &(at, "x".to_owned())).unwrap();
        prop_assert!(refused(&signer(), &projects(), &cursor[..keep.index(cursor.len())]));
    }

    #[test]
    fn any_invented_text_is_refused(text in ".{0,200}") {
        prop_assert!(refused(&signer(), &projects(), &text));
    }

    #[test]
    fn a_cursor_serves_its_own_list_only(
        name in "[a-z]{1,8}", order in "[a-z]{1,8}", filter in "[a-z]{1,8}", value in "[a-z]{0,8}",
        other_name in "[a-z]{1,8}", other_order in "[a-z]{1,8}", other_filter in "[a-z]{1,8}", other_value in "[a-z]{0,8}",
    ) {
        let list = List::new(&name).sorted(&order).within(&filter, &value);
        let other = List::new(&other_name).sorted(&other_order).within(&other_filter, &other_value);
        let cursor = signer().encode(&list, &(1, String::new())).unwrap();
        let same = (name, order, filter, value) == (other_name, other_order, other_filter, other_value);
        prop_assert_eq!(refused(&signer(), &other, &cursor), !same);
    }
}

#[test]
fn parts_of_a_list_do_not_run_together() {
    let cursor = signer().encode(&List::new("a").within("b", "c"), &(1, String::new())).unwrap();
    for other in [List::new("ab").within("", "c"), List::new("a").within("bc", ""), List::new("a").sorted("bc")] {
        assert!(refused(&signer(), &other, &cursor));
    }
}

#[test]
fn another_key_and_another_shape_are_refused() {
    let cursor = signer().encode(&projects(), &(1, "x")).unwrap();
    assert!(refused(&Signer::new(b"another secret"), &projects(), &cursor));
    assert!(matches!(signer().decode::<Vec<bool>>(&projects(), &cursor), Err(Error::InvalidCursor)));
    assert!(refused(&signer(), &projects(), &format!("{cursor}{}", "A".repeat(LONGEST))));
}

#[test]
fn only_a_full_page_with_a_row_to_spare_has_a_next_one() {
    let page = |rows: Vec<i64>| signer().page(&projects(), rows, 2, |row| (*row, String::new())).unwrap();
    assert_eq!(page(vec![]), Listing { items: vec![], next_cursor: None });
    assert_eq!(page(vec![1, 2]), Listing { items: vec![1, 2], next_cursor: None });
    let Listing { items, next_cursor } = page(vec![1, 2, 3]);
    assert_eq!(items, [1, 2]);
    let (position, _) = signer().decode::<Position>(&projects(), &next_cursor.unwrap()).unwrap();
    assert_eq!(position, 2);
}
