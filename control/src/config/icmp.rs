//! How many ICMP messages may leave: the section `[icmp]`.
//!
//! ```toml
//! [icmp]                          # optional, as is everything in it; these are the defaults
//! error_rate = 1000               # errors a second, of each class: unreachable, time exceeded, too big, ...
//! error_burst = 500               # and how many of them at once
//! error_rate_per_source = 100     # the same, to one source
//! error_burst_per_source = 100
//! echo_rate = 20000               # answers to echo requests a second
//! echo_burst = 5000
//! echo_rate_per_source = 10000
//! echo_burst_per_source = 2500
//! ```

use toml::Spanned;

use super::read::Section;
use super::value;
use crate::limits::{IcmpLimits, Rate};

pub(super) fn read_limits(icmp: &mut Section<'_, '_>) -> IcmpLimits {
    let defaults = IcmpLimits::default();
    let mut rate = |[per_second, burst]: [&'static str; 2], default: Rate| {
        let mut number = |key| icmp.optional(key, value::rate).map(Spanned::into_inner);
        Rate {
            per_second: number(per_second).unwrap_or(default.per_second),
            burst: number(burst).unwrap_or(default.burst),
        }
    };
    IcmpLimits {
        errors: rate(["error_rate", "error_burst"], defaults.errors),
        errors_per_source: rate(["error_rate_per_source", "error_burst_per_source"], defaults.errors_per_source),
        echo_replies: rate(["echo_rate", "echo_burst"], defaults.echo_replies),
        echo_replies_per_source: rate(
            ["echo_rate_per_source", "echo_burst_per_source"],
            defaults.echo_replies_per_source,
        ),
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;
    use crate::limits::{IcmpLimits, Rate};

    const PORT: &str = "[[port]]\nname = \"left\"\ndevice = \"net_null0\"\n";

    #[test]
    fn limits_are_the_defaults_unless_the_file_says_otherwise() {
        let config = Config::parse("ferry.toml", PORT).unwrap();
        assert_eq!(config.icmp(), &IcmpLimits::default());
        let text = format!("{PORT}[icmp]\nerror_rate = 10\nerror_burst_per_source = 5\necho_rate = 7\n");
        let defaults = IcmpLimits::default();
        let expected = IcmpLimits {
            errors: Rate { per_second: 10, ..defaults.errors },
            errors_per_source: Rate { burst: 5, ..defaults.errors_per_source },
            echo_replies: Rate { per_second: 7, ..defaults.echo_replies },
            ..defaults
        };
        assert_eq!(Config::parse("ferry.toml", &text).unwrap().icmp(), &expected);
    }

    #[test]
    fn a_rate_of_nothing_and_a_key_nobody_knows_are_mistakes() {
        let text = format!("{PORT}[icmp]\nerror_rate = 0\nerror_rates = 1\n");
        let error = Config::parse("ferry.toml", &text).unwrap_err();
        let said: Vec<_> =
            error.all().iter().map(|mistake| format!("{}:{} {mistake}", mistake.line(), mistake.column())).collect();
        assert_eq!(
            said,
            ["5:14 expected a number from 1 to 1000000, found 0", "6:1 `[icmp]` has no key `error_rates`"]
        );
    }
}
