use super::*;
use crate::cost::{Engine, Mode, Money, Quantity};

const LOSS: [Loss; 4] = [Loss::Everything, Loss::ADay, Loss::TenSeconds, Loss::Nothing];
const RECOVERY: [Recovery; 3] = [Recovery::Never, Recovery::Hours, Recovery::Minutes];
const REGIONS: [Regions; 3] = [Regions::One, Regions::ReadElsewhere, Regions::WriteEverywhere];
const AUTH: [Auth; 4] = [Auth::None, Auth::Password, Auth::UserAndPassword, Auth::Iam];

/// Each of `all`, and no answer.
fn open<T: Copy>(all: &[T]) -> Vec<Option<T>> {
    all.iter().map(|one| Some(*one)).chain([None]).collect()
}

/// Every combination of the answers that decide.
fn decisive() -> Vec<Answers> {
    let mut all = Vec::new();
    for loss in open(&LOSS) {
        for only_copy in open(&[false, true]) {
            for loss_forbidden in open(&[false, true]) {
                for recovery in open(&RECOVERY) {
                    for regions in open(&REGIONS) {
                        all.push(Answers {
                            loss,
                            only_copy,
                            loss_forbidden,
                            recovery,
                            regions,
                            ..Answers::default()
                        });
                    }
                }
            }
        }
    }
    all
}

fn clusters() -> Vec<Today> {
    let valkey = |major, keeps| Today {
        engine: Some(Engine::Valkey),
        major: Some(major),
        keeps: Some(keeps),
        cluster_mode: Some(true),
        tls: Some(true),
        replicas: Some(1),
        memorydb_has_nodes: Some(true),
        durable_on_nodes: Some(true),
        tiered: false,
    };
    let redis = Today { engine: Some(Engine::Redis), ..valkey(7, Level::Cache) };
    vec![
        Today::default(),
        redis.clone(),
        Today { cluster_mode: Some(false), tls: Some(false), replicas: Some(0), ..redis.clone() },
        Today { durable_on_nodes: Some(false), ..redis.clone() },
        Today { memorydb_has_nodes: Some(false), durable_on_nodes: Some(false), ..redis.clone() },
        Today { tiered: true, ..redis },
        valkey(9, Level::Cache),
        valkey(9, Level::TenSeconds),
        valkey(9, Level::EveryWrite),
    ]
}

fn prices() -> Vec<Premiums> {
    let of = |sync, memorydb| Premiums {
        durable_async: Some(Money::ZERO),
        durable_sync: Some(Money::whole(sync)),
        memorydb: Some(Money::whole(memorydb)),
    };
    vec![Premiums::default(), of(400, 500), of(500, 400), of(-100, 1000)]
}

#[track_caller]
fn sound(answers: &Answers, advice: &Advice) {
    assert!(!advice.reasons.is_empty() && !advice.headline.is_empty(), "{answers:?}: {advice:?}");
    let open = answers.loss.is_none()
        || answers.only_copy.is_none()
        || answers.loss_forbidden.is_none()
        || answers.recovery.is_none()
        || answers.regions.is_none();
    let tells = advice.recommendation != Recommendation::CannotTell;
    assert_eq!(tells, advice.missing.is_empty(), "{answers:?}: {advice:?}");
    assert!(tells || open, "every question is answered, and still: {answers:?}: {advice:?}");
}

#[test]
fn every_combination_of_answers_gets_an_answer_with_reasons() {
    for answers in decisive() {
        for today in clusters() {
            for premiums in prices() {
                for auth in open(&AUTH) {
                    let answers = Answers { auth, ..answers.clone() };
                    sound(&answers, &decide(&answers, &today, &premiums));
                }
            }
        }
    }
}

#[test]
fn what_does_not_decide_changes_the_words_alone() {
    let some = prices()[1];
    for base in decisive() {
        let plain = decide(&base, &Today::default(), &some);
        for latency in open(&[Latency::Milliseconds, Latency::Microseconds]) {
            for peak_write in open(&[Quantity::whole(50), Quantity::whole(150)]) {
                for budget in open(&[Budget::Any, Budget::AtMost(Money::ZERO)]) {
                    for evicts in open(&[false, true]) {
                        for cluster_clients in open(&[false, true]) {
                            let answers = Answers {
                                latency,
                                peak_write,
                                budget,
                                evicts,
                                cluster_clients,
                                ..base.clone()
                            };
                            let advice = decide(&answers, &Today::default(), &some);
                            sound(&answers, &advice);
                            assert_eq!(advice.recommendation, plain.recommendation);
                        }
                    }
                }
            }
        }
    }
}

/// The same answers with one of them a step stricter.
fn stricter(answers: &Answers) -> Vec<Answers> {
    fn next<T: PartialOrd + Copy>(all: &[T], now: Option<T>) -> Option<T> {
        all.iter().copied().find(|one| now.is_some_and(|now| *one > now))
    }
    let mut all = Vec::new();
    if let Some(loss) = next(&LOSS, answers.loss) {
        all.push(Answers { loss: Some(loss), ..answers.clone() });
    }
    if let Some(recovery) = next(&RECOVERY, answers.recovery) {
        all.push(Answers { recovery: Some(recovery), ..answers.clone() });
    }
    if let Some(regions) = next(&REGIONS, answers.regions) {
        all.push(Answers { regions: Some(regions), ..answers.clone() });
    }
    if answers.only_copy == Some(false) {
        all.push(Answers { only_copy: Some(true), ..answers.clone() });
    }
    if answers.loss_forbidden == Some(false) {
        all.push(Answers { loss_forbidden: Some(true), ..answers.clone() });
    }
    all.push(Answers { latency: Some(Latency::Microseconds), ..answers.clone() });
    all.push(Answers { budget: Some(Budget::AtMost(Money::ZERO)), ..answers.clone() });
    all
}

#[test]
fn a_stricter_demand_never_gets_a_weaker_recommendation() {
    let mut compared = 0;
    for answers in decisive() {
        for today in clusters() {
            for premiums in prices() {
                // Of the ways to log in only a password alone weighs anything.
                for auth in [Auth::None, Auth::Password] {
                    let answers = Answers { auth: Some(auth), ..answers.clone() };
                    let before = decide(&answers, &today, &premiums);
                    if before.recommendation == Recommendation::CannotTell {
                        continue;
                    }
                    for stricter in stricter(&answers) {
                        let after = decide(&stricter, &today, &premiums);
                        if after.recommendation == Recommendation::CannotTell {
                            continue;
                        }
                        compared += 1;
                        assert!(
                            after.keeps >= before.keeps,
                            "{answers:?} keeps {:?}, {stricter:?} keeps {:?}",
                            before.keeps,
                            after.keeps
                        );
                    }
                }
            }
        }
    }
    assert!(compared > 50_000, "only {compared} were compared");
}

/// What is recommended keeps what was asked for, whatever else was answered.
#[test]
fn the_recommendation_keeps_what_was_asked_for() {
    for answers in decisive() {
        for today in clusters() {
            for premiums in prices() {
                let advice = decide(&answers, &today, &premiums);
                if advice.recommendation == Recommendation::CannotTell {
                    continue;
                }
                let wants_all =
                    answers.loss == Some(Loss::Nothing) || answers.loss_forbidden == Some(true);
                let wants_seconds = answers.loss == Some(Loss::TenSeconds)
                    || answers.only_copy == Some(true)
                    || answers.recovery == Some(Recovery::Minutes);
                assert!(!wants_all || advice.keeps == Level::EveryWrite, "{answers:?}");
                assert!(!wants_seconds || advice.keeps >= Level::TenSeconds, "{answers:?}");
            }
        }
    }
}

fn cache() -> Answers {
    Answers {
        loss: Some(Loss::Everything),
        only_copy: Some(false),
        loss_forbidden: Some(false),
        recovery: Some(Recovery::Never),
        regions: Some(Regions::One),
        ..Answers::default()
    }
}

fn advised(answers: &Answers, today: &Today, premiums: &Premiums) -> Recommendation {
    decide(answers, today, premiums).recommendation
}

#[test]
fn the_cases_that_people_have() {
    let redis = &clusters()[1];
    let (dearer, cheaper) = (&prices()[1], &prices()[2]);
    let strict = Answers { loss: Some(Loss::Nothing), ..cache() };
    let sync = Recommendation::DurableElastiCache(Mode::Sync);
    let durable_async = Recommendation::DurableElastiCache(Mode::Async);

    assert_eq!(advised(&cache(), redis, dearer), Recommendation::Stay);
    // A session store: ten seconds may go.
    let sessions = Answers { loss: Some(Loss::TenSeconds), ..cache() };
    assert_eq!(advised(&sessions, redis, dearer), durable_async);
    // A primary database: the cheaper of the two that keep everything.
    assert_eq!(advised(&strict, redis, dearer), sync);
    assert_eq!(advised(&strict, redis, cheaper), Recommendation::MemoryDb);
    assert_eq!(advised(&strict, redis, &Premiums::default()), sync);
    // Clients that send a password alone cannot follow to MemoryDB as they are.
    let password = Answers { auth: Some(Auth::Password), ..strict.clone() };
    assert_eq!(advised(&password, redis, cheaper), sync);
    // Valkey 9 cannot go to MemoryDB by snapshot.
    assert_eq!(advised(&strict, &clusters()[6], cheaper), sync);
    // Whoever has it already need not move.
    let have = decide(&strict, &clusters()[8], cheaper);
    assert_eq!(have.recommendation, Recommendation::Stay);
    assert!(have.headline.contains("durable already"), "{}", have.headline);
    assert_eq!(advised(&strict, &clusters()[7], dearer), sync, "async does not keep every write");
    // Several regions.
    let read = Answers { regions: Some(Regions::ReadElsewhere), ..cache() };
    assert_eq!(advised(&read, redis, dearer), Recommendation::Stay);
    let read = Answers { regions: Some(Regions::ReadElsewhere), ..strict.clone() };
    assert_eq!(advised(&read, redis, dearer), Recommendation::MemoryDb);
    let write = Answers { regions: Some(Regions::WriteEverywhere), ..cache() };
    assert_eq!(advised(&write, redis, dearer), Recommendation::MemoryDb);
}

#[test]
fn only_the_questions_that_matter_are_missing() {
    let answers = Answers { loss: Some(Loss::Nothing), ..Answers::default() };
    let advice = decide(&answers, &Today::default(), &Premiums::default());
    let missing: Vec<&str> = advice.missing.iter().map(|question| question.key).collect();
    assert_eq!(missing, ["regions"]);
    let nothing = decide(&Answers::default(), &Today::default(), &Premiums::default());
    assert_eq!(nothing.missing.len(), 5);
}

#[test]
fn the_pages_that_disagree_are_named_where_durability_is_recommended() {
    let strict = Answers { loss: Some(Loss::Nothing), ..cache() };
    let advice = decide(&strict, &clusters()[6], &Premiums::default());
    let facts: Vec<_> = advice.first.iter().flat_map(|reason| &reason.facts).collect();
    let conflict =
        facts.iter().find(|fact| fact.source.contains("2026-10-27")).expect("the notice");
    assert!(conflict.unsure.expect("it is not certain").contains("disagree"));
}

#[test]
fn demands_that_contradict_each_other_are_said() {
    let against = |answers: Answers| {
        let advice = decide(&answers, &clusters()[1], &prices()[1]);
        advice.against.into_iter().map(|reason| reason.says).collect::<Vec<_>>().join("\n")
    };
    let strict = Answers { loss: Some(Loss::Nothing), ..cache() };
    let fast = Answers { latency: Some(Latency::Microseconds), ..strict.clone() };
    assert!(against(fast).contains("below a millisecond"));
    let poor = Answers { budget: Some(Budget::AtMost(Money::whole(100))), ..strict.clone() };
    assert!(against(poor).contains("400.00 a month more"));
    let busy = Answers { peak_write: Some(Quantity::whole(150)), ..strict.clone() };
    assert!(against(busy).contains("more shards"));
    let evicting = Answers { evicts: Some(true), ..strict };
    assert!(against(evicting).contains("two clusters"));
    let careless = Answers { only_copy: Some(true), ..cache() };
    assert!(against(careless).contains("contradict"));
}

#[test]
fn every_question_takes_the_answers_it_lists_and_no_others() {
    for question in questions() {
        let good: Vec<&str> = match question.choices {
            Choices::Words(words) => words.iter().map(|(word, _)| *word).collect(),
            Choices::YesNo => vec!["yes", "no", "Y"],
            Choices::Number(_) => vec!["0", "12.5"],
        };
        for word in good {
            let mut answers = Answers::default();
            answers.take(question.key, word).unwrap_or_else(|why| panic!("{why}"));
            assert_ne!(answers, Answers::default(), "{} {word}", question.key);
        }
        let mut answers = Answers::default();
        answers.take(question.key, "unknown").expect("it may be unknown");
        assert_eq!(answers, Answers::default());
        for bad in ["", "perhaps", "-1", "nan", "\u{202e}yes"] {
            let why = answers.take(question.key, bad).expect_err(question.key);
            assert!(why.contains("unknown") && why.contains(question.key), "{why}");
        }
    }
}
