//! `hookline cost`: what a month costs on AWS, by line, at list prices.

pub(crate) mod bill;
pub(crate) mod prices;

use std::ops::RangeInclusive;

use clap::ValueEnum;
use local::usage::Usage;

use crate::output::say;
use bill::{Line, Month};
use prices::Price;

#[derive(clap::Args)]
#[command(allow_negative_numbers = true)]
pub(crate) struct Options {
    /// Notifications in a month, such as 1e6; 0 for an idle one
    #[arg(long, value_name = "COUNT", value_parser = |text: &str| within(text, 0.0..=1e12))]
    notifications: f64,
    /// Subscriptions that a notification goes to, on average
    #[arg(long, value_name = "COUNT", default_value = "1",
        value_parser = |text: &str| within(text, 0.0..=1e4))]
    subscribers: f64,
    #[command(flatten)]
    assumed: Assumed,
    /// Processor of the functions
    #[arg(long, value_enum, default_value = "arm64")]
    architecture: Architecture,
}

/// What is assumed of notifications and endpoints.
#[derive(clap::Args)]
pub(crate) struct Assumed {
    /// Share of the attempts that fail, each by itself, from 0 to below 1
    #[arg(long, value_name = "SHARE", default_value = "0.02", value_parser = share)]
    pub(crate) failure_rate: f64,
    /// Notifications of one order, on average
    #[arg(long, value_name = "COUNT", default_value = "4",
        value_parser = |text: &str| within(text, 1.0..=1e6))]
    pub(crate) per_order: f64,
    /// How long endpoints take to answer, in milliseconds
    #[arg(long, value_name = "MS", default_value = "200",
        value_parser = |text: &str| within(text, 0.0..=15_000.0))]
    pub(crate) endpoint_ms: f64,
}

#[derive(Clone, Copy, ValueEnum)]
enum Architecture {
    Arm64,
    #[value(name = "x86_64")]
    X86_64,
}

pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let month = Month {
        notifications: options.notifications,
        subscribers: options.subscribers,
        failure_rate: options.assumed.failure_rate,
        per_order: options.assumed.per_order,
        endpoint_ms: options.assumed.endpoint_ms,
        besides: Usage::NONE,
        seconds: match options.architecture {
            Architecture::Arm64 => prices::ARM64_SECONDS,
            Architecture::X86_64 => prices::X86_64_SECONDS,
        },
    };
    let bill = month.bill();
    say(row("a month in us-east-1", "quantity", "price", "dollars"));
    for line in &bill {
        let (quantity, dollars) = (grouped(line.quantity), format!("{:.2}", line.dollars()));
        say(row(line.what, &quantity, &price(line.price), &dollars));
    }
    let total: f64 = bill.iter().map(Line::dollars).sum();
    say(row("total", "", "", &format!("{total:.2}")));
    for (what, count) in
        [("for one notification", month.notifications), ("for one delivery", month.deliveries())]
    {
        if count > 0.0 {
            say(row(what, "", "", &format!("{:.8}", total / count)));
        }
    }
    say(format!(
        "\nList prices of {}, before any free tier. Not in it: data transfer out, support, tax, and what\n\
         tenants ask of the API. What each line means is in docs/cost.md.",
        prices::AS_OF
    ));
    Ok(())
}

fn row(what: &str, quantity: &str, price: &str, dollars: &str) -> String {
    format!("{what:<32} {quantity:>15} {price:>24} {dollars:>14}")
}

fn price(price: Price) -> String {
    let Price { dollars, unit, .. } = price;
    // Two digits behind the point at least, as money has.
    let short = format!("{dollars:.2}");
    let exact = format!("{dollars}");
    let dollars = if short.len() >= exact.len() { short } else { exact };
    format!("{dollars} per {unit}")
}

/// With commas; what is small has digits behind the point.
pub(crate) fn grouped(quantity: f64) -> String {
    if quantity < 100.0 {
        let digits = format!("{quantity:.2}");
        return digits.strip_suffix(".00").unwrap_or(&digits).to_owned();
    }
    let digits = format!("{quantity:.0}");
    let mut text = String::new();
    for (nth, digit) in digits.chars().enumerate() {
        if nth > 0 && (digits.len() - nth).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

pub(crate) fn within(text: &str, range: RangeInclusive<f64>) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if range.contains(&number) => Ok(number),
        Ok(_) => Err(format!("it has to be from {} to {}", range.start(), range.end())),
        Err(_) => Err("that is no number".into()),
    }
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(share) if (0.0..1.0).contains(&share) => Ok(share),
        Ok(_) => Err("it has to be at least 0 and below 1, such as 0.02 for 2 %".into()),
        Err(_) => Err("that is no number".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::{grouped, price, prices, share, within};

    #[test]
    fn numbers_are_written_for_people() {
        let check = |number, text| assert_eq!(grouped(number), text);
        check(0.0, "0");
        check(12.0, "12");
        check(6.264, "6.26");
        check(999.96, "1,000");
        check(1_971_000.4, "1,971,000");
        check(12_345.0, "12,345");
        assert_eq!(price(prices::ARM64_SECONDS), "0.0000133334 per GB-s");
        assert_eq!(price(prices::QUEUE_REQUESTS), "0.40 per million");
        assert_eq!(price(prices::READ_UNITS), "0.125 per million");
    }

    #[test]
    fn what_cannot_be_is_refused() {
        assert_eq!(within("1e6", 0.0..=1e12), Ok(1e6));
        assert_eq!(share("0"), Ok(0.0));
        for text in ["", "x", "-1", "NaN", "inf", "1e13", "1,000"] {
            assert!(within(text, 0.0..=1e12).is_err(), "{text}");
        }
        for text in ["1", "2", "-0.1", "NaN", "2%"] {
            assert!(share(text).is_err(), "{text}");
        }
    }
}
