//! The two formats of the metrics, and which of them a scraper requests. Pure.

/// [`OpenMetrics` 1.0](https://prometheus.io/docs/specs/om/open_metrics_spec/), or Prometheus'
/// older [text format](https://prometheus.io/docs/instrumenting/exposition_formats/) 0.0.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    OpenMetrics,
    Text,
}

impl Format {
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }

    /// Returns the format that an `Accept` header prefers: `OpenMetrics` only where the header
    /// names it, with a weight that is not below that of text/plain (RFC 9110, 12.5.1).
    #[must_use]
    pub fn of(accept: &str) -> Self {
        let weight = |wanted: &str| {
            let ranges = accept.split(',').map(|range| {
                let mut parts = range.split(';').map(str::trim);
                let name = parts.next().unwrap_or_default();
                let weight = parts.find_map(|part| {
                    let (key, value) = part.split_once('=')?;
                    key.trim()
                        .eq_ignore_ascii_case("q")
                        .then(|| value.trim().parse::<f32>().ok())?
                });
                (name, weight.unwrap_or(1.0))
            });
            let of_name = ranges.filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
            of_name.map(|(_, weight)| weight).fold(0.0, f32::max)
        };
        let open = weight("application/openmetrics-text");
        if open > 0.0 && open >= weight("text/plain") {
            Self::OpenMetrics
        } else {
            Self::Text
        }
    }
}

/// Converts `OpenMetrics` to the older format, in which a counter's help and type use its full name
/// with `_total`, and units and the end mark are absent.
#[must_use]
pub fn to_text(open_metrics: &str) -> String {
    let counters: Vec<&str> = open_metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
        .collect();
    let mut text = String::with_capacity(open_metrics.len());
    for line in open_metrics.lines() {
        if line == "# EOF" || line.starts_with("# UNIT ") {
            continue;
        }
        match of_counter(line, &counters) {
            Some((keyword, name, rest)) => {
                text.extend([keyword, name, "_total ", rest]);
            }
            None => text.push_str(line),
        }
        text.push('\n');
    }
    text
}

/// Splits a line with the help or type of a counter.
fn of_counter<'l>(line: &'l str, counters: &[&str]) -> Option<(&'static str, &'l str, &'l str)> {
    let (keyword, rest) = ["# HELP ", "# TYPE "]
        .into_iter()
        .find_map(|keyword| Some((keyword, line.strip_prefix(keyword)?)))?;
    let (name, rest) = rest.split_once(' ')?;
    counters.contains(&name).then_some((keyword, name, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scraper_gets_the_format_that_it_requests() {
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        for (accept, format) in [
            ("", Format::Text),
            ("*/*", Format::Text),
            ("text/plain", Format::Text),
            ("text/plain;version=0.0.4;q=0.5,*/*;q=0.1", Format::Text),
            ("text/html, application/xhtml+xml, */*;q=0.8", Format::Text),
            ("application/openmetrics-text;q=0", Format::Text),
            (
                "text/plain, application/openmetrics-text;q=0.5",
                Format::Text,
            ),
            ("application/openmetrics-text", Format::OpenMetrics),
            (
                "Application/OpenMetrics-Text; version=1.0.0",
                Format::OpenMetrics,
            ),
            (prometheus, Format::OpenMetrics),
        ] {
            assert_eq!(Format::of(accept), format, "{accept:?}");
        }
    }

    #[test]
    fn in_the_older_format_a_counters_help_has_its_full_name() {
        let open = "# HELP a_b What.\n# TYPE a_b counter\na_b_total 1\n\
                    # HELP a_size Size.\n# TYPE a_size gauge\n# UNIT a_size bytes\na_size 2\n# EOF\n";
        let text = "# HELP a_b_total What.\n# TYPE a_b_total counter\na_b_total 1\n\
                    # HELP a_size Size.\n# TYPE a_size gauge\na_size 2\n";
        assert_eq!(to_text(open), text);
    }
}
