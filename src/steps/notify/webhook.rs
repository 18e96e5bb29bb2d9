//! `notify.webhook`: tells somebody by HTTP.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::stops;
use crate::aws::connector;
use crate::engine::journal::{Resource, Role};
use crate::engine::{Class, Cx, Failure};
use crate::permissions::Phases;
use crate::plan::{Effect, Fault, UndoPolicy};
use crate::steps::secret::{SecretRef, reveal};
use crate::steps::{Action, Done, Env, Need, Sketch, Step, Touch, action};
use post::{Address, Message};

mod post;

/// Sends a message as JSON to an HTTP address.
///
/// The body has `text`, `run` and `step`, and what `fields` say. `url`, or `url_secret` where the address itself
/// lets whoever knows it write (as for chat services): then it is named by where it is kept, read when the message is sent,
/// and shown nowhere.
///
/// **At least once**: a message whose answer was lost is sent again, up to eight times. Each carries the header
/// `Idempotency-Key` with the run and the step, by which a receiver knows it again. Any answer of 2xx will do; 408, 429 and
/// 5xx are tried again; every other answer fails the step. Redirects are not followed.
///
/// ```yaml
/// - id: tell
///   notify.webhook:
///     url_secret: secretsmanager:prod/chat#webhook
///     text: "prod-mdb has 4 shards now"
/// ```
///
/// Not undone: what was read cannot be unread.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// The address, `https://…`; `http://…` is for this machine and your own network.
    #[serde(default)]
    url: Option<String>,
    /// Where the address is kept, if it is a secret.
    #[serde(default)]
    url_secret: Option<SecretRef>,
    /// The message.
    text: String,
    /// More members of the body.
    #[serde(default)]
    fields: std::collections::BTreeMap<String, String>,
    /// Whether a message that cannot be sent fails the step; `true` if left out. With `false` it is warned of.
    #[serde(default = "yes")]
    required: bool,
}

fn yes() -> bool {
    true
}

/// The intent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Prepared {
    key: String,
}

/// What was sent.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// Whether it was taken.
    sent: bool,
    /// The answer's HTTP status; 0 if there was none.
    status: u16,
}

/// `notify.webhook`.
pub(crate) struct Webhook;

impl Step for Webhook {
    const KIND: &'static str = "notify.webhook";
    const SUMMARY: &'static str = "send a message to an HTTP address";
    const ACTIONS: &'static [Action] = &[
        action("secretsmanager:GetSecretValue", "secret:{url_secret}", Phases::RUN),
        action("ssm:GetParameter", "parameter/{url_secret}", Phases::RUN),
    ];
    const EFFECT: Effect = Effect::Mutates(UndoPolicy::None(std::borrow::Cow::Borrowed(
        "what was read cannot be unread",
    )));
    const TIMEOUT: Duration = Duration::from_secs(15 * 60);
    const EXPECTED: Duration = Duration::from_secs(2);

    type Spec = Spec;
    type Prepared = Prepared;
    type Output = Output;

    fn check(args: &Value) -> Vec<Fault> {
        let mut faults = Vec::new();
        match (args.get("url").is_some(), args.get("url_secret").is_some()) {
            (true, true) => {
                let fault = Fault::new("there are two addresses").key("url");
                faults.push(fault.mend("leave out `url` or `url_secret`"));
            }
            (false, false) => {
                faults.push(
                    Fault::new("there is no address").mend("write `url: …` or `url_secret: …`"),
                );
            }
            _ => {}
        }
        let own = |name: &&str| args["fields"].get(*name).is_some();
        if let Some(name) = ["text", "run", "step"].iter().copied().find(own) {
            let fault = Fault::new(format!("`{name}` is in every message by itself"));
            faults.push(fault.key("fields").key(name).mend("choose another name"));
        }
        if let Some(Err(why)) = args["url"].as_str().map(Address::read) {
            let fault = Fault::new(format!("this is no address: {why}")).key("url");
            faults.push(fault.mend("write it like https://hooks.example.com/on-call"));
        }
        faults
    }

    fn sketch(args: &Value) -> Sketch {
        let to = args["url"].as_str().and_then(|url| Address::read(url).ok());
        let to = to.map_or_else(|| "an address that is a secret".to_owned(), |to| to.shown());
        Sketch {
            does: format!("tell {to}: {}", args["text"].as_str().unwrap_or("…")),
            undo: None,
            loses: None,
        }
    }

    fn touches(_args: &Value) -> Vec<Touch> {
        Vec::new()
    }

    fn needs(args: &Value) -> Vec<Need> {
        let at = args["url_secret"].as_str();
        at.map(|at| Need::Password(at.to_owned())).into_iter().collect()
    }

    async fn prepare(
        _env: &Env,
        spec: &Spec,
        cx: &Cx,
    ) -> Result<(Prepared, Vec<Resource>), Failure> {
        let to = spec.url.as_deref().and_then(|url| Address::read(url).ok());
        let resource = Resource {
            what: "message".to_owned(),
            name: to.map_or_else(|| "to an address that is a secret".to_owned(), |to| to.shown()),
            arn: None,
            role: Role::Creates,
        };
        Ok((Prepared { key: format!("{}/{}", cx.run, cx.step) }, vec![resource]))
    }

    async fn execute(
        env: &Env,
        spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Done<Output>, Failure> {
        match send(env, spec, prepared, cx).await {
            Ok(status) => Ok(Done::Changed(Output { sent: true, status })),
            Err(failure) if !spec.required && !stops(failure.class) => {
                cx.warn(format!("the message was not sent: {failure}"));
                Ok(Done::Unchanged(Output { sent: false, status: 0 }))
            }
            Err(failure) => Err(failure),
        }
    }
}

async fn send(env: &Env, spec: &Spec, prepared: &Prepared, cx: &Cx) -> Result<u16, Failure> {
    let secret = match &spec.url_secret {
        Some(at) => Some(reveal(env, at).await?),
        None => None,
    };
    let url = secret.as_ref().map(|secret| secret.reveal()).or(spec.url.as_deref());
    // The text is not repeated: it may be a secret.
    let address = Address::read(url.unwrap_or_default()).map_err(|why| {
        Failure::fatal(format!("the address of the message cannot be used: {why}"))
    })?;
    let shown = match secret {
        Some(_) => "the address that is a secret".to_owned(),
        None => address.shown(),
    };
    let mut body: Map<String, Value> =
        spec.fields.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    body.insert("text".to_owned(), json!(spec.text));
    body.insert("run".to_owned(), json!(cx.run.to_string()));
    body.insert("step".to_owned(), json!(cx.step));
    env.aws.permit("this machine", "POST").await?;
    let message =
        Message { address, key: prepared.key.clone(), body: Value::Object(body).to_string() };
    // Blocking, with timeouts of its own in real time: no clock of a test may jump over a socket.
    let answer = tokio::task::spawn_blocking(move || post::send(&message, &connector())).await;
    let status = match answer {
        Ok(Ok(status)) => status,
        Ok(Err(error)) => {
            return Err(Failure::new(Class::Ambiguous, format!("no answer from {shown}"))
                .because(error.to_string())
                .mend("see that this machine reaches it; `required: false` goes on without"));
        }
        Err(error) => {
            return Err(Failure::fatal("the message was not sent").because(error.to_string()));
        }
    };
    let class = match status {
        200..300 => return Ok(status),
        408 | 500..600 => Class::Ambiguous,
        429 => Class::Transient,
        _ => Class::Fatal,
    };
    Err(Failure::new(class, format!("{shown} answered with status {status}")))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::*;
    use crate::steps::testing::{self, Rules};

    /// A receiver that gives these answers, one a connection, and what it was sent.
    fn receiver(answers: Vec<&'static str>) -> (String, thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hook?to=me", listener.local_addr().unwrap());
        let heard = thread::spawn(move || {
            let mut heard = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut request = Vec::new();
                let mut buffer = [0_u8; 4096];
                while !request.ends_with(b"}") {
                    let count = stream.read(&mut buffer).unwrap();
                    request.extend_from_slice(&buffer[..count]);
                }
                heard.push(String::from_utf8(request).unwrap());
                stream.write_all(answer.as_bytes()).unwrap();
            }
            heard
        });
        (url, heard)
    }

    async fn tell(url: &str, required: bool) -> Result<Done<Output>, Failure> {
        let env = testing::env(Rules::default());
        let spec: Spec = testing::spec(
            json!({"url": url, "text": "done", "fields": {"who": "me"}, "required": required}),
        );
        let cx = testing::cx("tell");
        let (prepared, _) = Webhook::prepare(&env, &spec, &cx).await?;
        Webhook::execute(&env, &spec, &prepared, &cx).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_has_its_key_and_its_fields() {
        let (url, heard) = receiver(vec!["HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"]);
        let done = tell(&url, true).await.unwrap();
        assert!(matches!(done, Done::Changed(Output { sent: true, status: 204 })), "{done:?}");
        let heard = heard.join().unwrap().remove(0);
        assert!(heard.starts_with("POST /hook?to=me HTTP/1.1\r\n"), "{heard}");
        assert!(heard.contains("\r\nidempotency-key: 0test0test/tell\r\n"), "{heard}");
        let body: Value = serde_json::from_str(heard.split_once("\r\n\r\n").unwrap().1).unwrap();
        assert_eq!(body, json!({"text": "done", "who": "me", "run": "0test0test", "step": "tell"}));
    }

    #[tokio::test(start_paused = true)]
    async fn answers_mean_what_they_say() {
        for (answer, class) in [
            ("HTTP/1.1 503 Busy\r\n\r\n", Class::Ambiguous),
            ("HTTP/1.1 429 Slow\r\n\r\n", Class::Transient),
            ("HTTP/1.1 404 None\r\n\r\n", Class::Fatal),
            ("HTTP/1.1 302 Elsewhere\r\n\r\n", Class::Fatal),
            ("rubbish\r\n\r\n", Class::Ambiguous),
        ] {
            let (url, heard) = receiver(vec![answer]);
            assert_eq!(tell(&url, true).await.unwrap_err().class, class, "{answer}");
            heard.join().unwrap();
        }
        let done = tell("http://127.0.0.1:1/nobody", false).await.unwrap();
        assert!(matches!(done, Done::Unchanged(Output { sent: false, .. })), "{done:?}");
    }

    /// One byte now and then is no answer: the whole has its time.
    #[tokio::test(start_paused = true)]
    async fn a_message_that_nobody_answers_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let dribbling = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            while stream.write_all(b"H").is_ok() {
                thread::sleep(std::time::Duration::from_millis(500));
            }
        });
        let began = std::time::Instant::now();
        let failure = tell(&url, true).await.unwrap_err();
        assert_eq!(failure.class, Class::Ambiguous);
        assert!(began.elapsed().as_secs() < 40, "{:?}", began.elapsed());
        dribbling.join().unwrap();
    }

    #[test]
    fn addresses_that_cannot_be_are_refused_and_shown_without_their_path() {
        for (url, good) in [
            ("https://hooks.example.com/services/T0/B0/xyz", true),
            ("http://127.0.0.1:8080", true),
            ("http://[::1]:8080/hook", true),
            ("https://example.com:port/", false),
            ("https://example.com:99999/", false),
            ("ftp://example.com", false),
            ("https://user:password@example.com", false),
            ("https://", false),
            ("http://a b/", false),
        ] {
            assert_eq!(Address::read(url).is_ok(), good, "{url}");
        }
        let address = Address::read("https://hooks.example.com/services/T0/B0/xyz").unwrap();
        assert_eq!(address.shown(), "https://hooks.example.com");
    }
}
