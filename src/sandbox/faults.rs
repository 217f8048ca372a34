//! Which requests come to grief, and how: decided by a seed and by moments that are handed in, so that a run can be
//! played again.

use std::collections::VecDeque;
use std::fmt;
use std::num::NonZeroUsize;
use std::str::FromStr;
use std::time::Duration;

use super::reply::Reply;

/// What goes wrong, and how often. By default nothing does.
#[derive(Debug, Clone, PartialEq, Default, clap::Args)]
pub struct Faults {
    /// How long each answer takes; the request has taken effect by then
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration, default_value = "0s")]
    pub latency: Duration,
    /// Answer more requests than this with 429 and Retry-After, as in 5/s or 100/m
    #[arg(long, value_name = "RATE")]
    pub rate_limit: Option<Rate>,
    /// The share of requests that is answered with 500 and takes no effect, as in 5%
    #[arg(long, value_name = "SHARE", default_value_t)]
    pub fail: Share,
    /// The share of requests whose connection is cut before they take effect
    #[arg(long, value_name = "SHARE", default_value_t)]
    pub drop_before: Share,
    /// The share of requests whose connection is cut after they took effect, without an answer
    #[arg(long, value_name = "SHARE", default_value_t)]
    pub drop_after: Share,
    /// What the shares are drawn from: the same number, the same faults
    #[arg(long, value_name = "N", default_value_t)]
    pub seed: u64,
    /// Repeat the body of the request, key and all, in every error: to prove that the client hides it
    #[arg(long, hide = true)]
    pub echo: bool,
}

/// A share of all requests, from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Share(f64);

impl Share {
    pub const ALL: Share = Share(1.0);
}

impl FromStr for Share {
    type Err = String;
    fn from_str(text: &str) -> Result<Share, String> {
        let percent = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
        match percent {
            Some(percent) if (0.0..=100.0).contains(&percent) => Ok(Share(percent / 100.0)),
            _ => Err("a share is a number from 0 to 100 and a percent sign, as in 5%".to_owned()),
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", (self.0 * 10_000.0).round() / 100.0)
    }
}

/// At most so many requests in any such period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    pub requests: NonZeroUsize,
    pub period: Duration,
}

impl FromStr for Rate {
    type Err = String;
    fn from_str(text: &str) -> Result<Rate, String> {
        let parse = || {
            let (requests, unit) = text.split_once('/')?;
            let seconds = match unit.trim() {
                "s" => 1,
                "m" => 60,
                "h" => 3600,
                _ => return None,
            };
            Some(Rate { requests: requests.trim().parse().ok()?, period: Duration::from_secs(seconds) })
        };
        parse().ok_or_else(|| "a rate is a number of requests for each second, minute or hour, as in 5/s".to_owned())
    }
}

/// What befalls one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: it is answered.
    None,
    /// 429; the time after which a request would be answered again.
    RateLimited(Duration),
    /// 500, without any effect.
    Fail,
    /// The connection is cut, and the request took no effect.
    DropBefore,
    /// The connection is cut after the request took effect.
    DropAfter,
}

impl Fault {
    /// The answer that stands in for the server's own, where the fault is one.
    pub fn reply(self) -> Option<Reply> {
        match self {
            Fault::RateLimited(wait) => {
                // Whole seconds, rounded up: who comes after them is not turned away again.
                let seconds = wait.as_millis().div_ceil(1000).max(1);
                Some(Reply::error(429, "Too many requests.").with_header("retry-after", seconds.to_string()))
            }
            Fault::Fail => Some(Reply::error(500, "Something went wrong.")),
            Fault::None | Fault::DropBefore | Fault::DropAfter => None,
        }
    }
}

/// Draws what befalls one request after the other.
#[derive(Debug, Clone)]
pub struct Dice {
    faults: Faults,
    random: fastrand::Rng,
    /// When requests were let through, as far as the rate limit has to know.
    passed: VecDeque<Duration>,
}

impl Dice {
    pub fn new(faults: Faults) -> Dice {
        Dice { random: fastrand::Rng::with_seed(faults.seed), faults, passed: VecDeque::new() }
    }

    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// What befalls the request that comes at this moment, counted from any fixed one. Moments never go back.
    pub fn throw(&mut self, now: Duration) -> Fault {
        // Each share is drawn for each request, so that changing one flag leaves the others' faults where they were.
        let [before, fail, after] = [self.faults.drop_before, self.faults.fail, self.faults.drop_after]
            .map(|share| self.random.f64() < share.0);
        if let Some(wait) = self.over_the_limit(now) {
            Fault::RateLimited(wait)
        } else if before {
            Fault::DropBefore
        } else if fail {
            Fault::Fail
        } else if after {
            Fault::DropAfter
        } else {
            Fault::None
        }
    }

    /// How long to wait where the limit is reached; counts the request where it isn't.
    fn over_the_limit(&mut self, now: Duration) -> Option<Duration> {
        let Rate { requests, period } = self.faults.rate_limit?;
        if self.passed.len() >= requests.get() {
            let wait = (*self.passed.front()? + period).saturating_sub(now);
            if !wait.is_zero() {
                return Some(wait);
            }
            self.passed.pop_front();
        }
        self.passed.push_back(now);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throw(faults: Faults, requests: usize) -> Vec<Fault> {
        let mut dice = Dice::new(faults);
        (0..requests).map(|_| dice.throw(Duration::ZERO)).collect()
    }

    fn share(text: &str) -> Share {
        text.parse().unwrap()
    }

    #[test]
    fn without_flags_nothing_goes_wrong() {
        assert!(throw(Faults::default(), 1000).iter().all(|fault| *fault == Fault::None));
    }

    #[test]
    fn a_share_is_about_that_share() {
        let faults = [
            (Fault::Fail, Faults { fail: share("5%"), ..Faults::default() }),
            (Fault::DropBefore, Faults { drop_before: share("5%"), ..Faults::default() }),
            (Fault::DropAfter, Faults { drop_after: share("5%"), ..Faults::default() }),
        ];
        for (fault, faults) in faults {
            let thrown = throw(faults, 10_000);
            let hits = thrown.iter().filter(|thrown| **thrown == fault).count();
            assert!((400..600).contains(&hits), "{fault:?}: {hits}");
            assert_eq!(thrown.iter().filter(|thrown| **thrown == Fault::None).count(), 10_000 - hits);
        }
    }

    #[test]
    fn everything_is_everything() {
        for (fault, faults) in [
            (Fault::Fail, Faults { fail: Share::ALL, drop_after: Share::ALL, ..Faults::default() }),
            (Fault::DropBefore, Faults { drop_before: Share::ALL, fail: Share::ALL, ..Faults::default() }),
            (Fault::DropAfter, Faults { drop_after: Share::ALL, ..Faults::default() }),
        ] {
            assert_eq!(throw(faults, 100), [fault; 100]);
        }
    }

    #[test]
    fn a_seed_is_a_fate() {
        let faults = |seed| Faults { fail: share("50%"), seed, ..Faults::default() };
        assert_eq!(throw(faults(7), 100), throw(faults(7), 100));
        assert_ne!(throw(faults(7), 100), throw(faults(8), 100));
    }

    #[test]
    fn another_share_does_not_move_the_faults_of_the_first() {
        let fail = Faults { fail: share("20%"), ..Faults::default() };
        let both = Faults { drop_after: share("20%"), ..fail.clone() };
        let failing = |faults| throw(faults, 200).iter().map(|fault| *fault == Fault::Fail).collect::<Vec<_>>();
        assert_eq!(failing(fail), failing(both));
    }

    #[test]
    fn the_rate_limit_lets_so_many_through_in_any_period() {
        let mut dice = Dice::new(Faults { rate_limit: Some("2/s".parse().unwrap()), ..Faults::default() });
        let fates = [0, 600, 700, 999, 1000, 1100, 1600].map(|ms| dice.throw(Duration::from_millis(ms)));
        let limited = |ms| Fault::RateLimited(Duration::from_millis(ms));
        let expected = [Fault::None, Fault::None, limited(300), limited(1), Fault::None, limited(500), Fault::None];
        assert_eq!(fates, expected);
    }

    #[test]
    fn retry_after_is_in_whole_seconds_and_long_enough() {
        for (wait_ms, seconds) in [(1, "1"), (1000, "1"), (1001, "2"), (60_000, "60")] {
            let reply = Fault::RateLimited(Duration::from_millis(wait_ms)).reply().unwrap();
            assert_eq!((reply.status, reply.header("retry-after")), (429, Some(seconds)));
        }
    }

    #[test]
    fn shares_and_rates_are_read_as_they_are_written() {
        for text in ["0%", "5%", "7%", "0.5%", "100%"] {
            assert_eq!(share(text).to_string(), text);
        }
        for text in ["5", "-1%", "101%", "nan%", "%", ""] {
            assert!(text.parse::<Share>().is_err(), "{text}");
        }
        let rate = |text: &str| text.parse::<Rate>().map(|rate| (rate.requests.get(), rate.period.as_secs())).ok();
        assert_eq!([rate("5/s"), rate("100/m"), rate("1 / h")], [Some((5, 1)), Some((100, 60)), Some((1, 3600))]);
        for text in ["5", "0/s", "-1/s", "5/d", "5/", "/s", ""] {
            assert_eq!(rate(text), None, "{text}");
        }
    }
}
