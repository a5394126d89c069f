//! `sim --seed N` replays one world; `--swarm N` runs many; `--mutations` shows that the swarm would notice.

#![allow(clippy::disallowed_methods, reason = "a program reads its arguments")]

use std::process::ExitCode;

use sim::mutations::Mutation;
use sim::plan::Plan;
use sim::swarm::{self, Job};
use sim::world::World;

const USAGE: &str = "\
usage: sim --seed N [--mutation NAME] [--steps]   replay one seed; --steps prints every input and effect
       sim --swarm N [--first SEED]               run N seeds on all cores
       sim --mutations [N] [--first SEED]         switch off one rule after the other; each must be caught within N seeds
       sim --mutations [N] --mutation NAME        only this one";

#[derive(Default)]
struct Arguments {
    seed: Option<u64>,
    swarm: Option<u64>,
    mutations: Option<u64>,
    mutation: Option<String>,
    first: u64,
    steps: bool,
    worker: Option<Job>,
    threads: usize,
}

fn parse(mut words: impl Iterator<Item = String>) -> Option<Arguments> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut arguments = Arguments { first: 1, threads: cores, ..Arguments::default() };
    let mut words = words.by_ref().peekable();
    while let Some(word) = words.next() {
        let mut number = || words.next()?.parse::<u64>().ok();
        match word.as_str() {
            "--seed" => arguments.seed = Some(number()?),
            "--swarm" => arguments.swarm = Some(number()?),
            "--first" => arguments.first = number()?,
            "--threads" => arguments.threads = number()? as usize,
            "--steps" => arguments.steps = true,
            "--mutation" => arguments.mutation = Some(words.next()?),
            "--mutations" => {
                let given = words.peek().and_then(|word| word.parse().ok());
                if given.is_some() {
                    words.next();
                }
                arguments.mutations = Some(given.unwrap_or(1_000));
            }
            "--worker" => {
                let (from, to, stride) = (number()?, number()?, number()?);
                arguments.worker = Some(Job { from, to, stride, mutation: None });
            }
            _ => return None,
        }
    }
    Some(arguments)
}

fn main() -> ExitCode {
    let Some(arguments) = parse(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let done = if let Some(job) = &arguments.worker {
        swarm::work(&Job { mutation: arguments.mutation.clone(), ..job.clone() }).map(|()| true)
    } else if let Some(seed) = arguments.seed {
        Ok(replay(seed, &arguments))
    } else if let Some(count) = arguments.swarm {
        swarm::swarm(arguments.first, count, arguments.threads)
    } else if let Some(budget) = arguments.mutations {
        swarm::mutations(arguments.mutation.as_deref(), arguments.first, budget, arguments.threads)
    } else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn replay(seed: u64, arguments: &Arguments) -> bool {
    let name = arguments.mutation.as_deref();
    let Some(mutation) = name.map_or(Some(Mutation::default()), Mutation::named) else {
        let names: Vec<&str> = Mutation::names().collect();
        eprintln!("no such mutation; there are: {}", names.join(", "));
        return false;
    };
    let plan = Plan::of_seed(seed);
    println!("seed {seed}, commit {}: {plan:#?}", swarm::revision());
    let mut world = World::new(seed, plan, mutation);
    world.trace.loud = arguments.steps;
    let outcome = world.run();
    println!("coverage:\n{}", outcome.coverage);
    println!(
        "seed {seed}: {} steps, {} crashes, {} commits, {} records acknowledged, hash {:016x}",
        outcome.steps, outcome.crashes, outcome.commits, outcome.acknowledged, outcome.hash
    );
    if outcome.violations.is_empty() {
        return true;
    }
    println!("the last steps:\n{}", outcome.tail);
    for violation in &outcome.violations {
        println!("VIOLATION {violation}");
    }
    false
}
