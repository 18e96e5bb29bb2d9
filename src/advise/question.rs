//! The questions, in the order in which they are asked.

use serde::Serialize;

/// A question, in words that whoever is on call can answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Question {
    /// Its name: of the flag, without dashes, and in a file of answers.
    pub key: &'static str,
    /// What is asked.
    pub asks: &'static str,
    /// What may be answered.
    pub choices: Choices,
}

/// What may be answered. "unknown" always may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Choices {
    /// One of these words; each with what it means.
    Words(&'static [(&'static str, &'static str)]),
    /// Yes or no.
    YesNo,
    /// A number; the text says of what, and which word may stand for it.
    Number(&'static str),
}

const QUESTIONS: &[Question] = &[
    Question {
        key: "loss",
        asks: "The worst happens at peak: a shard loses all its nodes. What may be missing afterwards?",
        choices: Choices::Words(&[
            ("everything", "all of it: it can be filled again from somewhere else"),
            ("a-day", "what was written since yesterday's backup"),
            ("ten-seconds", "the last ten seconds of writes"),
            ("nothing", "no write that was answered with OK"),
        ]),
    },
    Question {
        key: "only-copy",
        asks: "Is this the only place where the data is, so that nothing else could fill it again?",
        choices: Choices::YesNo,
    },
    Question {
        key: "loss-forbidden",
        asks: "Does a law, a contract or an auditor forbid losing a write that was answered with OK?",
        choices: Choices::YesNo,
    },
    Question {
        key: "recovery",
        asks: "A shard lost all its nodes and new ones are up. When must they serve its data again?",
        choices: Choices::Words(&[
            ("never", "they may start empty and fill up"),
            ("hours", "when somebody has restored the backup"),
            ("minutes", "by themselves, without a person"),
        ]),
    },
    Question {
        key: "regions",
        asks: "In how many AWS regions must the data be?",
        choices: Choices::Words(&[
            ("one", "one"),
            ("read-elsewhere", "written in one, read or kept for a disaster in others"),
            ("write-everywhere", "written in several at the same time"),
        ]),
    },
    Question {
        key: "write-latency",
        asks: "How long may a single write take?",
        choices: Choices::Words(&[
            ("milliseconds", "a few milliseconds are fine"),
            ("microseconds", "it must stay well below a millisecond"),
        ]),
    },
    Question {
        key: "peak-write",
        asks: "How many MiB a second are written to the busiest shard at peak?",
        choices: Choices::Number("MiB a second, such as 12.5"),
    },
    Question {
        key: "budget",
        asks: "How much more may it cost a month?",
        choices: Choices::Number("a sum such as 500, 0 for nothing more, or any"),
    },
    Question {
        key: "evicts",
        asks: "When memory is full, may keys be evicted (maxmemory-policy other than noeviction)?",
        choices: Choices::YesNo,
    },
    Question {
        key: "cluster-clients",
        asks: "Do all clients speak the cluster protocol, and keep commands over several keys in one slot?",
        choices: Choices::YesNo,
    },
    Question {
        key: "auth",
        asks: "How do the clients authenticate?",
        choices: Choices::Words(&[
            ("none", "not at all"),
            ("password", "with a password alone (an AUTH token)"),
            ("user-and-password", "with user and password"),
            ("iam", "with IAM"),
        ]),
    },
];

/// All questions, in order.
#[must_use]
pub fn questions() -> &'static [Question] {
    QUESTIONS
}

/// The question of that name.
#[must_use]
pub fn question(key: &str) -> Option<&'static Question> {
    QUESTIONS.iter().find(|question| question.key == key)
}

impl Question {
    /// The answers in a line: "everything, a-day, ten-seconds, nothing or unknown".
    #[must_use]
    pub fn expects(&self) -> String {
        match self.choices {
            Choices::Words(words) => {
                let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
                format!("{} or unknown", words.join(", "))
            }
            Choices::YesNo => "yes, no or unknown".to_owned(),
            Choices::Number(what) => format!("{what}, or unknown"),
        }
    }

    /// The question with its answers over several lines, as it is asked.
    #[must_use]
    pub fn in_full(&self) -> String {
        let mut out = format!("{}\n", self.asks);
        if let Choices::Words(words) = self.choices {
            let widest = words.iter().map(|(word, _)| word.len()).max().unwrap_or_default();
            for (word, means) in words {
                out += &format!("  {word:widest$}  {means}\n");
            }
        }
        out
    }
}
