//! `orchestrate advise`.

use std::path::Path;

use crate::advise::{
    Advice, Answers, Level, Premiums, Question, Recommendation, Today, decide, questions,
};
use crate::cli::args::AdviseArgs;
use crate::cli::ask;
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::live::{Depth, Live};
use crate::cli::output::Output;
use crate::cli::playbook_file;
use crate::cli::priced::{self, Priced};
use crate::cost::{
    Comparison, Difference, Mode, Odds, Service, break_even, durable_supports, memorydb_supports,
};
use crate::playbook::{Diagnostics, Value, parse_yaml};
use crate::report::{AdviceView, render_advice};

pub(super) async fn run(args: AdviseArgs, output: Output) -> Result<Exit, CommandError> {
    let mut heard = Heard::default();
    for (key, text) in args.given() {
        if let Some(text) = text {
            heard.take(key, text).map_err(|why| wrong(&format!("--{key}"), why))?;
        }
    }
    if let Some(path) = &args.answers {
        from_file(path, &mut heard, output)?;
    }
    let priced = priced::read(&args.shape, None, Depth::Answers, output).await?;
    if let Some(live) = &priced.live {
        heard.see(live);
    }
    ask_the_rest(&mut heard, ask::somebody_is_there(), &mut |question| ask::line(question))?;
    let view = view(&args, &heard.answers, &priced)?;
    output.say(&render_advice(&view, output.style));
    output.json(&serde_json::json!({ "event": "advice", "data": {
        "answers": heard.answers, "advice": view,
    }}));
    Ok(match view.advice.recommendation {
        Recommendation::CannotTell => Exit::CannotKnow,
        _ => Exit::Done,
    })
}

/// The answers so far, and which questions were answered, if only with "unknown".
#[derive(Default)]
struct Heard {
    answers: Answers,
    answered: Vec<&'static str>,
}

impl Heard {
    /// Takes an answer unless there is one already.
    fn take(&mut self, key: &str, text: &str) -> Result<(), String> {
        let Some(question) = questions().iter().find(|question| question.key == key) else {
            let known: Vec<&str> = questions().iter().map(|question| question.key).collect();
            return Err(format!("there is no question \"{key}\"; there are {}", known.join(", ")));
        };
        if self.answered.contains(&question.key) {
            // What is given twice must still be an answer.
            return Answers::default().take(key, text);
        }
        self.answers.take(key, text)?;
        self.answered.push(question.key);
        Ok(())
    }

    /// Takes what the live cluster shows, where nobody said otherwise.
    fn see(&mut self, live: &Live) {
        let mut seen = |key: &'static str, fill: &mut dyn FnMut(&mut Answers) -> bool| {
            if !self.answered.contains(&key) && fill(&mut self.answers) {
                self.answered.push(key);
            }
        };
        seen("evicts", &mut |answers| {
            answers.evicts = live.evicts;
            live.evicts.is_some()
        });
        seen("auth", &mut |answers| {
            answers.auth = live.auth;
            live.auth.is_some()
        });
        seen("cluster-clients", &mut |answers| {
            answers.cluster_clients = live.cluster_clients;
            live.cluster_clients.is_some()
        });
        seen("regions", &mut |answers| {
            answers.regions = live.regions;
            live.regions.is_some()
        });
    }

    fn open(&self) -> Vec<&'static Question> {
        questions().iter().filter(|question| !self.answered.contains(&question.key)).collect()
    }
}

fn wrong(place: &str, why: String) -> CommandError {
    CommandError::new(Exit::Usage, format!("{place}: {why}"))
}

/// Answers in a file: one mapping of names to words, in YAML or JSON.
fn from_file(path: &Path, heard: &mut Heard, output: Output) -> Result<(), CommandError> {
    let source = playbook_file::read(path, output)?;
    let mut problems = Diagnostics::new(source.clone());
    let tree = parse_yaml(&source, &mut problems);
    if problems.errors() > 0 {
        return Err(playbook_file::invalid(&problems, output));
    }
    let name = path.display();
    let no_answers = |why: String| {
        CommandError::new(Exit::InvalidPlaybook, format!("{name}: {why}")).hint(
            "one `name: answer` a line, the names as those of the flags: `orchestrate advise --help`",
        )
    };
    let Some(Value::Map(entries)) = tree.map(|tree| tree.value) else {
        return Err(no_answers("this is no file of answers".to_owned()));
    };
    let mut wrong = Vec::new();
    for (key, node) in entries {
        let span = node.span;
        let text = match node.value {
            Value::Str(text) => Ok(text),
            Value::Bool(yes) => Ok(if yes { "yes" } else { "no" }.to_owned()),
            Value::Int(number) => Ok(number.to_string()),
            Value::Float(number) => Ok(number.to_string()),
            _ => Err(format!("{}: an answer is one word or number", key.name)),
        };
        if let Err(why) = text.and_then(|text| heard.take(&key.name, &text)) {
            let known = questions().iter().any(|question| question.key == key.name);
            let at = source.position(if known { span.start } else { key.span.start });
            wrong.push(format!("{name}:{}:{}: {why}", at.line, at.column));
        }
    }
    match wrong.len() {
        0 => Ok(()),
        1 => Err(no_answers("an answer is wrong".to_owned()).because(wrong.remove(0))),
        count => {
            let error = no_answers(format!("{count} answers are wrong"));
            Err(wrong.into_iter().fold(error, CommandError::because))
        }
    }
}

/// Asks what nobody has answered yet. An empty line is "unknown".
///
/// # Errors
/// `Usage` with every flag that is missing, if nobody is there to ask or the answers end.
fn ask_the_rest(
    heard: &mut Heard,
    somebody: bool,
    line: &mut dyn FnMut(&str) -> Option<String>,
) -> Result<(), CommandError> {
    for question in heard.open() {
        if !somebody {
            break;
        }
        let mut words = format!("\n{}", question.in_full());
        loop {
            let asked = format!("{words}{} ({}):", question.key, question.expects());
            let Some(answer) = line(&asked) else { return Err(unanswered(heard)) };
            let answer = if answer.is_empty() { "unknown".to_owned() } else { answer };
            match heard.take(question.key, &answer) {
                Ok(()) => break,
                Err(why) => words = format!("{why}\n"),
            }
        }
    }
    if heard.open().is_empty() { Ok(()) } else { Err(unanswered(heard)) }
}

fn unanswered(heard: &Heard) -> CommandError {
    let open = heard.open();
    let count = open.len();
    let plural = if count == 1 { "question is" } else { "questions are" };
    let error = CommandError::new(
        Exit::Usage,
        format!("{count} {plural} not answered, and there is no terminal to ask on"),
    );
    open.iter()
        .fold(error, |error, question| {
            error.hint(format!("--{} ({}): {}", question.key, question.expects(), question.asks))
        })
        .hint("or all of them in a file, with --answers")
}

fn view(args: &AdviseArgs, answers: &Answers, priced: &Priced) -> Result<AdviceView, CommandError> {
    let (comparison, no_prices) = match priced.compared() {
        Ok(Some(comparison)) => (Some(comparison), None),
        Ok(None) => (
            None,
            Some(
                "no figure: no cluster is named; --node-type, --shards and --replicas, or --from"
                    .to_owned(),
            ),
        ),
        // The advice does not need prices; what was mistyped is still told.
        Err(error) if priced.live.is_some() => (None, Some(error.in_a_line())),
        Err(error) => return Err(error),
    };
    let today = today(args, priced);
    let premiums = comparison.as_ref().map(premiums).unwrap_or_default();
    let advice = decide(answers, &today, &premiums);
    let service = service(&advice, &premiums);
    let difference = comparison.as_ref().zip(service).and_then(|(c, service)| c.premium(service));
    Ok(AdviceView {
        break_even: pays(args, &advice, &premiums, comparison.as_ref()),
        seen: priced.live.as_ref().map(|live| live.seen.clone()).unwrap_or_default(),
        difference: difference.filter(|_| advice.recommendation != Recommendation::Stay),
        advice,
        comparison,
        no_prices,
    })
}

/// The live cluster, or what the flags say of it.
fn today(args: &AdviseArgs, priced: &Priced) -> Today {
    let mut today = priced.live.as_ref().map(|live| live.today.clone()).unwrap_or_default();
    if let Some(engine) = args.shape.engine {
        today.engine = Some(engine);
    }
    if let Some(node) = priced.work.as_ref().map(|work| &work.node_type) {
        today.memorydb_has_nodes = Some(memorydb_supports(node));
        today.durable_on_nodes = Some(durable_supports(node));
    }
    if args.shape.replicas.is_some() {
        today.replicas = args.shape.replicas;
    }
    today
}

fn premiums(comparison: &Comparison) -> Premiums {
    let month =
        |service| comparison.premium(service).map(|difference: Difference| difference.month);
    Premiums {
        durable_async: month(Service::Durable(Mode::Async)),
        durable_sync: month(Service::Durable(Mode::Sync)),
        memorydb: month(Service::MemoryDb),
    }
}

fn service(advice: &Advice, premiums: &Premiums) -> Option<Service> {
    match advice.recommendation {
        Recommendation::DurableElastiCache(mode) => Some(Service::Durable(mode)),
        Recommendation::MemoryDb => Some(Service::MemoryDb),
        // What it would cost to lose nothing: the cheaper way to that.
        Recommendation::Stay | Recommendation::CannotTell => {
            match (premiums.durable_sync, premiums.memorydb) {
                (Some(durable), Some(memorydb)) if memorydb < durable => Some(Service::MemoryDb),
                (Some(_), _) => Some(Service::Durable(Mode::Sync)),
                (None, Some(_)) => Some(Service::MemoryDb),
                (None, None) => None,
            }
        }
    }
}

/// The break-even of what is recommended; of losing nothing, if that is to stay.
fn pays(
    args: &AdviseArgs,
    advice: &Advice,
    premiums: &Premiums,
    comparison: Option<&Comparison>,
) -> Option<(String, crate::cost::BreakEven)> {
    if advice.recommendation == Recommendation::Stay && advice.keeps > Level::Cache {
        return None;
    }
    let service = service(advice, premiums)?;
    let premium = match service {
        Service::Durable(Mode::Async) => premiums.durable_async,
        Service::Durable(Mode::Sync) => premiums.durable_sync,
        Service::MemoryDb => premiums.memorydb,
        Service::ElastiCache => None,
    }?;
    let odds = Odds { a_loss_costs: args.loss_costs, losses_a_year: args.losses_a_year };
    // What another engine alone would save is no merit of durability.
    let plain = comparison.and_then(|c| c.premium(Service::ElastiCache)).map(|plain| plain.month);
    Some(match plain.filter(|plain| *plain < crate::cost::Money::ZERO) {
        None => (service.to_string(), break_even(premium, odds)),
        Some(plain) => {
            let what = format!(
                "{service}, against plain ElastiCache on the cheaper engine ({} a month against today)",
                plain.signed_cents()
            );
            (what, break_even(premium - plain, odds))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_there_is_asked_until_each_answer_is_one() {
        let mut heard = Heard::default();
        heard.take("regions", "one").expect("an answer");
        let mut asked = Vec::new();
        let mut typed = ["half", "nothing", "", "no", "minutes"].into_iter().map(str::to_owned);
        let done = ask_the_rest(&mut heard, true, &mut |question| {
            asked.push(question.to_owned());
            typed.next()
        });
        let error = done.expect_err("the answers end").render(crate::report::Style::default());
        assert!(asked[1].contains("\"half\" is no answer to loss"), "{}", asked[1]);
        assert!(asked.iter().all(|question| !question.contains("how many AWS regions")));
        assert_eq!(heard.answers.loss, Some(crate::advise::Loss::Nothing));
        assert_eq!(heard.answers.only_copy, None, "an empty line leaves it open");
        assert!(error.contains("--write-latency") && !error.contains("--loss "), "{error}");
    }

    #[test]
    fn a_flag_wins_over_the_file_and_over_what_is_seen() {
        let mut heard = Heard::default();
        heard.take("loss", "nothing").expect("an answer");
        heard.take("loss", "everything").expect("an answer too");
        assert_eq!(heard.answers.loss, Some(crate::advise::Loss::Nothing));
        assert!(heard.take("loss", "some").is_err(), "what does not count must be right, too");
        assert!(heard.take("lose", "nothing").expect_err("no question").contains("peak-write"));
    }
}
