//! Which tokens go into the next batch. Each sequence that writes gets its one token; what room is left is shared by the
//! prompts that are being read, so that a long one holds nobody up.

/// What a sequence needs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// This many tokens of the prompt are not read yet; more than 0.
    Reading(usize),
    /// The last token that was written.
    Writing,
}

/// The room in one batch, in tokens.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// The whole batch; at least one for each sequence.
    pub batch: usize,
    /// For prompts while others write: a batch takes as long as it has tokens, and those who write wait for all of it.
    pub beside: usize,
}

/// Tokens for each of `needs`, in their order.
pub fn share(needs: &[Need], room: Room) -> Vec<usize> {
    let writing = needs.iter().filter(|need| **need == Need::Writing).count();
    let free = room.batch.saturating_sub(writing);
    let mut left = if writing == 0 { free } else { free.min(room.beside) };
    let mut shares = vec![0; needs.len()];
    // The shortest prompts first: what they leave over is for the longer ones.
    let mut reading: Vec<(usize, usize)> = Vec::new();
    for (index, need) in needs.iter().enumerate() {
        match need {
            Need::Writing => shares[index] = 1,
            Need::Reading(tokens) => reading.push((*tokens, index)),
        }
    }
    reading.sort_unstable();
    let mut unserved = reading.len();
    for (tokens, index) in reading {
        // Rounded up, so that one token of room is used by somebody.
        let share = tokens.min(left.div_ceil(unserved));
        shares[index] = share;
        left -= share;
        unserved -= 1;
    }
    shares
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Need::*, *};

    const ROOM: Room = Room { batch: 256, beside: 64 };

    #[test]
    fn a_prompt_alone_gets_the_whole_batch() {
        assert_eq!(share(&[Reading(1000)], ROOM), [256]);
        assert_eq!(share(&[Reading(10)], ROOM), [10]);
    }

    #[test]
    fn beside_those_who_write_prompts_get_little() {
        assert_eq!(share(&[Writing, Reading(1000), Writing], ROOM), [1, 64, 1]);
    }

    #[test]
    fn a_short_prompt_is_not_held_up_by_a_long_one() {
        assert_eq!(share(&[Reading(4000), Reading(20), Writing], ROOM), [44, 20, 1]);
        assert_eq!(share(&[Reading(4000), Reading(4000)], ROOM), [128, 128]);
    }

    proptest! {
        #[test]
        fn nobody_gets_more_than_they_need_and_the_room_is_kept(
            needs in prop::collection::vec(prop_oneof![Just(Writing), (1_usize..5000).prop_map(Reading)], 1..8),
            batch in 8_usize..300,
            beside in 1_usize..100,
        ) {
            let shares = share(&needs, Room { batch, beside });
            let writing = needs.iter().filter(|need| **need == Writing).count();
            prop_assert!(shares.iter().sum::<usize>() <= batch);
            prop_assert!(shares.iter().sum::<usize>() > 0, "something goes on");
            for (need, share) in needs.iter().zip(&shares) {
                match need {
                    Writing => prop_assert_eq!(*share, 1),
                    Reading(tokens) => prop_assert!(share <= tokens),
                }
            }
            if writing > 0 {
                prop_assert!(shares.iter().sum::<usize>() <= writing + beside);
            }
        }
    }
}
