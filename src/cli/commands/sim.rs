//! `orchestrate sim`.

use std::time::Instant;

use crate::cli::args::SimArgs;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::sim::{Library, Options, Story, simulate, simulate_many};

/// How often a long run tells how far it is, in seeds.
const TELL_EVERY: u64 = 10_000;

/// Simulates, and tells which guarantees did not hold.
pub(super) fn run(args: &SimArgs, output: Output) -> Result<Exit, CommandError> {
    if let Some(name) = &args.playbook
        && !Library::names().any(|known| known == name)
    {
        let names: Vec<&str> = Library::names().collect();
        let error = CommandError::new(Exit::Usage, format!("there is no playbook \"{name}\""));
        return Err(error.hint(format!("one of: {}", names.join(", "))));
    }
    let library = Library::default();
    let options = Options { playbook: args.playbook.as_deref(), ..Options::default() };
    if let Some(seed) = args.seed {
        let story = simulate(&library, seed, Options { trace: true, ..options });
        output.say(&story.trace.join("\n"));
        output.json(&serde_json::json!({ "event": "simulated", "data": {
            "seed": seed, "playbook": story.playbook, "trace": story.trace,
            "violations": story.violations,
        }}));
        return Ok(if story.violations.is_empty() { Exit::Done } else { Exit::Bug });
    }
    let usage = |what: &str| CommandError::new(Exit::Usage, what.to_owned());
    if args.seeds == 0 || args.threads == Some(0) {
        return Err(
            usage("nothing would be simulated").hint("give --seeds and --threads 1 or more")
        );
    }
    let Some(end) = args.from.checked_add(args.seeds) else {
        return Err(usage("there are not so many seeds").hint("give a smaller --from or --seeds"));
    };
    let threads =
        args.threads.or_else(|| std::thread::available_parallelism().ok().map(Into::into));
    let began = Instant::now();
    let seeds = args.from..end;
    let (counts, broken) = simulate_many(&library, seeds, threads.unwrap_or(1), options, |done| {
        if done.is_multiple_of(TELL_EVERY) {
            output.say(&format!("{done} seeds, {:.0} a second", rate(done, began)));
        }
    });
    for story in &broken {
        output.say(&in_words(story));
    }
    let speed = rate(counts.seeds, began);
    output.say(&format!("{counts}; {speed:.0} seeds a second"));
    output.json(&serde_json::json!({ "event": "simulated", "data": {
        "seeds": counts.seeds, "crash_points": counts.deaths(), "faults": counts.faults,
        "broken": broken.iter().map(|story| story.seed).collect::<Vec<_>>(),
    }}));
    Ok(if broken.is_empty() { Exit::Done } else { Exit::Bug })
}

fn in_words(story: &Story) -> String {
    let Story { seed, playbook, violations, .. } = story;
    format!(
        "seed {seed} ({playbook}):\n  {}\n  orchestrate sim --seed {seed}",
        violations.join("\n  ")
    )
}

fn rate(seeds: u64, began: Instant) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "nobody simulates 2^52 seeds")]
    let seeds = seeds as f64;
    seeds / began.elapsed().as_secs_f64().max(1e-9)
}
