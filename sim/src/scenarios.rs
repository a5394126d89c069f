//! Named worlds: that a seed repeats itself, and every seed that once found something.

use crate::mutations::Mutation;
use crate::run_seed;

#[test]
fn a_seed_repeats_itself_exactly() {
    for seed in [1, 2, 3] {
        let (first, second) = (run_seed(seed, Mutation::default()), run_seed(seed, Mutation::default()));
        assert_eq!((first.hash, first.steps, first.commits), (second.hash, second.steps, second.commits));
        assert_eq!(first.violations, second.violations);
    }
}

#[test]
fn seeds_are_fine_and_thick() {
    for seed in 100..110 {
        let outcome = run_seed(seed, Mutation::default());
        assert_eq!(outcome.violations, Vec::<String>::new(), "seed {seed}\n{}", outcome.tail);
        assert!(outcome.steps >= 500 && outcome.crashes >= 2 && outcome.commits >= 20, "seed {seed}");
    }
}

#[test]
fn a_disk_that_never_syncs_is_caught() {
    let mutation = Mutation::named("disk_never_syncs").expect("exists");
    assert!((1..20).any(|seed| !run_seed(seed, mutation).violations.is_empty()));
}
