//! `orchestrate cost`.

use crate::cli::args::CostArgs;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::live::Depth;
use crate::cli::output::Output;
use crate::cli::priced;
use crate::report::{escape, render_comparison};

pub(super) async fn run(args: CostArgs, output: Output) -> Result<Exit, CommandError> {
    let priced = priced::read(&args.shape, args.ecpus, Depth::Shape, output).await?;
    let Some(comparison) = priced.compared()? else {
        return Err(CommandError::new(Exit::Usage, "no cluster to price is named")
            .hint("give --node-type r7g.large, with --shards and --replicas, or read a live one: --from <replication-group>"));
    };
    let seen = priced.live.map(|live| live.seen).unwrap_or_default();
    for line in &seen {
        output.say(&format!("  {}", escape(line)));
    }
    output.say(&render_comparison(&comparison, output.style));
    output.json(&serde_json::json!({
        "event": "cost", "data": { "seen": seen, "comparison": comparison },
    }));
    Ok(Exit::Done)
}
