//! How many notifications in what time.

/// The most that is planned for, a second: beyond all quotas by far.
const RATE_MAX: f64 = 1e6;

/// Units of time by name, in seconds.
const TIMES: [(&str, f64); 3] = [("s", 1.0), ("min", 60.0), ("day", 86_400.0)];

/// Reads `10000/s`, `600/min` or `1e6/day`; answers how many a second.
pub(super) fn parse(text: &str) -> Result<f64, String> {
    let (count, time) =
        text.split_once('/').ok_or("in what time? Such as 100/s, 6000/min or 1e6/day")?;
    let (_, seconds) = TIMES
        .into_iter()
        .find(|(name, _)| *name == time.trim())
        .ok_or("the time has to be s, min or day, such as 100/s")?;
    let count: f64 = count.trim().parse().map_err(|_| "before the / there is no number")?;
    let rate = count / seconds;
    match rate > 0.0 && rate <= RATE_MAX {
        true => Ok(rate),
        false => Err(format!("it has to be more than 0, and at most {RATE_MAX}/s")),
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn a_rate_is_a_count_in_a_time() {
        for (text, rate) in
            [("10000/s", 10_000.0), ("600/min", 10.0), ("864e3 / day", 10.0), ("0.5/s", 0.5)]
        {
            assert_eq!(parse(text), Ok(rate), "{text}");
        }
    }

    #[test]
    fn what_is_no_rate_is_refused_with_what_is_missing() {
        for (text, says) in [
            ("", "in what time"),
            ("100", "in what time"),
            ("100/hour", "s, min or day"),
            ("100/", "s, min or day"),
            ("many/s", "no number"),
            ("/s", "no number"),
            ("1,000/s", "no number"),
            ("0/s", "more than 0"),
            ("-1/s", "more than 0"),
            ("NaN/s", "more than 0"),
            ("inf/s", "more than 0"),
            ("1000001/s", "at most 1000000/s"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
