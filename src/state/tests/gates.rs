//! The gates that every change passes: the lease of the run, and the stop lever of the account.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_ssm::Client as Ssm;
use aws_sdk_ssm::error::ErrorMetadata;
use aws_sdk_ssm::operation::get_parameter::{GetParameterError, GetParameterOutput};
use aws_sdk_ssm::operation::put_parameter::PutParameterOutput;
use aws_sdk_ssm::types::error::ParameterNotFound;
use aws_sdk_ssm::types::{Parameter, ParameterType};
use aws_smithy_mocks::{Rule, mock};

use super::clock;
use super::line::failure;
use crate::aws::{Clients, Gate, Op};
use crate::engine::journal::JournalError;
use crate::engine::{Class, Clock, Event, EventKind, Failure, Ledger};
use crate::state::{LEVER, Lease, LeaseGate, Lever, LeverGate, lever, pull};
use crate::steps::testing::{Rules, clients};

const OP: Op = Op::read("Test", "Change");

/// A lease that has lapsed, and what a renewal of it ends with.
struct Lapsed {
    renewal: Cell<Option<Class>>,
    lost: Cell<bool>,
    fresh: Cell<bool>,
    renewals: Cell<u32>,
}

fn lapsed(renewal: Option<Class>) -> Rc<Lapsed> {
    let (lost, fresh) = (Cell::new(false), Cell::new(false));
    Rc::new(Lapsed { renewal: Cell::new(renewal), lost, fresh, renewals: Cell::new(0) })
}

#[async_trait(?Send)]
impl Lease for Lapsed {
    fn epoch(&self) -> u64 {
        1
    }

    fn check(&self) -> Result<(), JournalError> {
        if self.lost.get() {
            return Err(JournalError::Lost { by: "ops@ci".to_owned(), epoch: 2 });
        }
        if self.fresh.get() { Ok(()) } else { Err(JournalError::Lapsed("too old".to_owned())) }
    }

    fn rhythm(&self) -> Option<Duration> {
        None
    }

    async fn renew(&self) -> Result<(), JournalError> {
        self.renewals.set(self.renewals.get() + 1);
        assert!(self.renewals.get() < 2_000, "it is tried without end");
        self.fresh.set(self.renewal.get().is_none());
        self.renewal.get().map_or(Ok(()), |class| Err(JournalError::Store(failure(class))))
    }

    async fn release(&self) -> Result<(), JournalError> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_waits_ten_minutes_for_a_lease_that_cannot_be_renewed_and_for_nothing_else() {
    let clock = clock();
    // For each way a renewal ends: whether the change leaves, and after how many milliseconds that is decided.
    for (renewal, passes, least, most) in [
        (None, true, 0, 0),
        (Some(Class::Transient), false, 600_001, 602_000),
        (Some(Class::Throttled), false, 600_001, 602_000),
        (Some(Class::Denied), false, 0, 0),
    ] {
        let lease = lapsed(renewal);
        let gate = LeaseGate::new(lease.clone(), clock.clone());
        let began = clock.now();
        let passed = gate.pass(OP).await;
        let took = clock.since(began).as_millis();
        assert!((least..=most).contains(&took), "{renewal:?}: {took} ms");
        assert_eq!(passed.is_ok(), passes, "{renewal:?}");
        if let Err(failure) = passed {
            assert_eq!(failure.class, Class::Journal);
            let what = "Test Change was not called: this process may not work on the run any more";
            assert_eq!(failure.message, what);
            assert!(failure.to_string().contains("no answer over this line"), "{failure}");
        }
    }
    let lease = lapsed(None);
    lease.lost.set(true);
    let began = clock.now();
    let refused = LeaseGate::new(lease.clone(), clock.clone()).pass(OP).await.unwrap_err();
    assert_eq!((refused.class, clock.since(began)), (Class::Journal, Duration::ZERO));
    assert_eq!(lease.renewals.get(), 0, "what is lost is not renewed");
    assert!(refused.to_string().contains("ops@ci"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn a_change_leaves_once_the_lease_could_be_renewed() {
    let clock = clock();
    let lease = lapsed(Some(Class::Transient));
    let gate = LeaseGate::new(lease.clone(), clock.clone());
    let healing = async {
        clock.sleep(Duration::from_millis(9_500)).await;
        lease.renewal.set(None);
    };
    let began = clock.now();
    let (passed, ()) = futures::join!(gate.pass(OP), healing);
    passed.unwrap();
    assert_eq!(clock.since(began), Duration::from_secs(10));
}

/// The parameter holds what is in the cell; every read is counted.
fn parameter(value: &'static str) -> Rule {
    mock!(Ssm::get_parameter).match_requests(|request| request.name() == Some(LEVER)).then_output(
        move || {
            let parameter = Parameter::builder().name(LEVER).value(value).build();
            GetParameterOutput::builder().parameter(parameter).build()
        },
    )
}

fn absent() -> Rule {
    mock!(Ssm::get_parameter).then_error(|| {
        let meta = ErrorMetadata::builder().code("ParameterNotFound").build();
        GetParameterError::ParameterNotFound(ParameterNotFound::builder().meta(meta).build())
    })
}

fn refuses(code: &'static str) -> Rule {
    mock!(Ssm::get_parameter)
        .then_error(move || GetParameterError::generic(ErrorMetadata::builder().code(code).build()))
}

fn ssm(rule: &Rule) -> Clients {
    clients(Rules { ssm: vec![rule], ..Rules::default() })
}

#[tokio::test(start_paused = true)]
async fn the_first_word_of_the_parameter_alone_says_whether_it_is_engaged() {
    assert_eq!(lever(&ssm(&absent())).await, Ok(Lever::Absent));
    for (value, words, engaged) in [
        ("released", "released", false),
        (" Released by ops ", "Released by ops", false),
        ("released: all is well", "released: all is well", false),
        ("engaged by ops", "engaged by ops", true),
        ("releasedish", "releasedish", true),
        ("unreleased", "unreleased", true),
        ("not released", "not released", true),
        ("", "", true),
        ("0", "0", true),
    ] {
        let stands = lever(&ssm(&parameter(value))).await.unwrap();
        let words = words.to_owned();
        let expected = if engaged { Lever::Engaged(words) } else { Lever::Released(words) };
        assert_eq!(stands, expected, "{value}");
    }
    assert_eq!(
        lever(&ssm(&refuses("AccessDeniedException"))).await.unwrap_err().class,
        Class::Denied
    );
}

#[tokio::test(start_paused = true)]
async fn pulling_the_lever_writes_the_parameter_over() {
    for (engage, value) in [(true, "engaged by ops: fire"), (false, "released by ops: fire")] {
        let rule = mock!(Ssm::put_parameter)
            .match_requests(move |request| {
                request.name() == Some(LEVER)
                    && request.value() == Some(value)
                    && request.overwrite() == Some(true)
                    && request.r#type() == Some(&ParameterType::String)
            })
            .then_output(|| PutParameterOutput::builder().build());
        pull(&ssm(&rule), engage, "by ops: fire").await.unwrap();
        assert_eq!(rule.num_calls(), 1);
    }
}

fn gate(rule: &Rule, clock: &Clock) -> LeverGate {
    LeverGate::new(ssm(rule), "123456789012", clock.clone(), None)
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_the_lever_is_good_for_two_seconds_and_not_an_instant_longer() {
    let clock = clock();
    let rule = parameter("released");
    let gate = gate(&rule, &clock);
    for (after, reads) in [(0, 1), (0, 1), (1_999, 1), (1, 2), (1_000, 2), (5_000, 3)] {
        clock.sleep(Duration::from_millis(after)).await;
        gate.ask().await.unwrap();
        assert_eq!(rule.num_calls(), reads);
    }
}

#[tokio::test(start_paused = true)]
async fn an_engaged_lever_lets_nothing_pass_and_says_what_to_do() {
    let clock = clock();
    gate(&absent(), &clock).pass(OP).await.unwrap();
    let refused = gate(&parameter("engaged by ops"), &clock).pass(OP).await.unwrap_err();
    let what = "the stop lever of account 123456789012 in us-east-1 is engaged: \"engaged by ops\"";
    assert_eq!((refused.class, refused.message.as_str()), (Class::Halted, what));
    assert_eq!(refused.causes, ["Test Change was not called"]);
    assert!(refused.mend.as_deref().is_some_and(|mend| mend.contains("lever release")));
}

#[tokio::test(start_paused = true)]
async fn a_lever_that_cannot_be_read_holds_changes_back_and_one_that_may_not_be_is_warned_of_once()
{
    let clock = clock();
    for (code, class) in [
        ("InternalServerError", Class::Transient),
        ("ThrottlingException", Class::Transient),
        ("ValidationException", Class::Transient),
        // Only its own renewal helps against this one, and the run stops for that.
        ("ExpiredTokenException", Class::Expired),
    ] {
        let refused = gate(&refuses(code), &clock).pass(OP).await.unwrap_err();
        assert_eq!(
            (refused.class, refused.message.as_str()),
            (class, "Test Change was not called")
        );
        assert!(refused.causes[0].contains("cannot be read"), "{refused}");
    }
    let warnings: Rc<RefCell<Vec<String>>> = Rc::default();
    let heard = Rc::clone(&warnings);
    let sink = Rc::new(move |event: &Event| {
        if let EventKind::Warned { warning, .. } = &event.kind {
            heard.borrow_mut().push(warning.clone());
        }
    });
    let ledger = Rc::new(Ledger::none(clock.clone(), sink));
    let rule = refuses("AccessDeniedException");
    let gate = LeverGate::new(ssm(&rule), "123456789012", clock.clone(), Some(ledger));
    for _ in 0..3 {
        gate.pass(OP).await.unwrap();
        clock.sleep(Duration::from_secs(3)).await;
    }
    assert_eq!((rule.num_calls(), warnings.borrow().len()), (3, 1));
    assert!(warnings.borrow()[0].contains("allow ssm:GetParameter on it"), "{warnings:?}");
}

/// A gate that notes in which order it is passed, and may refuse.
struct Noting {
    name: &'static str,
    refuses: bool,
    passed: Rc<RefCell<Vec<String>>>,
}

#[async_trait(?Send)]
impl Gate for Noting {
    async fn pass(&self, op: Op) -> Result<(), Failure> {
        self.passed.borrow_mut().push(format!("{}: {} {}", self.name, op.service, op.name));
        if self.refuses { Err(failure(Class::Halted)) } else { Ok(()) }
    }
}

#[tokio::test(start_paused = true)]
async fn every_gate_is_passed_in_order_before_a_change_and_the_first_that_refuses_is_the_last() {
    let aws = clients(Rules::default());
    let passed: Rc<RefCell<Vec<String>>> = Rc::default();
    let add = |name, refuses| {
        let passed = Rc::clone(&passed);
        aws.gates.add(Rc::new(Noting { name, refuses, passed }));
    };
    assert_eq!(format!("{:?}", aws.gates), "0 gates");
    add("lease", false);
    add("lever", false);
    assert_eq!(format!("{:?}", aws.gates), "2 gates");
    let op = aws.permit("S3", "DeleteObjects").await.unwrap();
    assert_eq!((op.service, op.name, op.mutating), ("S3", "DeleteObjects", true));
    assert_eq!(passed.take(), ["lease: S3 DeleteObjects", "lever: S3 DeleteObjects"]);
    add("stop", true);
    add("never", false);
    let refused = aws.clone().permit("S3", "DeleteObjects").await.unwrap_err();
    assert_eq!(refused, failure(Class::Halted));
    assert_eq!(passed.borrow().len(), 3, "{passed:?}");
    // No rule answers: a request that left would fail this test.
    let put = aws.ssm.put_parameter().name("x").value("y").send();
    let refused = aws.change("SSM", "PutParameter", put).await.unwrap_err();
    assert_eq!(refused, failure(Class::Halted));
}
