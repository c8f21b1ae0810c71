//! `scores.jsonl`: what `meanflow eval` found of a run, one JSON object a line.

use serde_json::Value;

use crate::{bounds::cut, log::Better, style::short};

/// A score.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptLine {
    /// Name of the metric.
    pub metric: String,
    /// Its value.
    pub value: f64,
    /// About 95 % of it lies between these.
    pub interval: Option<[f64; 2]>,
    /// The same of real samples.
    pub floor: Option<f64>,
    /// Which values are better.
    pub better: Better,
    /// Samples scored.
    pub n: Option<u64>,
    /// Real samples.
    pub reference_n: Option<u64>,
    /// Digest of the real data.
    pub reference: Option<String>,
    /// Evaluations of the network per sample.
    pub nfe: Option<u64>,
    /// Updates of the weights.
    pub step: Option<u64>,
    /// Label of the EMA.
    pub ema: String,
    /// Name of the solver.
    pub solver: String,
    /// Key of the noise.
    pub noise: Option<u64>,
    /// Settings that the value depends on, `name value`.
    pub settings: Vec<String>,
    /// Day and time.
    pub date: String,
}

impl KeptLine {
    /// Whether a later line of this kind takes its place.
    fn is_again(&self, other: &Self) -> bool {
        let of = |line: &Self| (line.step, line.ema.clone(), line.solver.clone(), line.noise);
        self.compares_with(other) && of(self) == of(other)
    }

    /// Whether the two were scored alike, against the same real data, so that one can be better.
    pub fn compares_with(&self, other: &Self) -> bool {
        (&self.metric, self.nfe, self.n, &self.reference, self.reference_n, &self.settings)
            == (&other.metric, other.nfe, other.n, &other.reference, other.reference_n, &other.settings)
    }
}

/// Settings of a line that are shown.
const SETTINGS: usize = 32;

/// Lines that are shown; of more, the last ones.
const LINES: usize = 256;

/// The last line of each kind, in order. Lines that cannot be read, as a torn one, are passed over.
pub fn parse(text: &str) -> Vec<KeptLine> {
    let mut lines: Vec<KeptLine> = Vec::new();
    for line in text.lines().filter_map(|line| line_of(&serde_json::from_str(line).ok()?)) {
        lines.retain(|before| !before.is_again(&line));
        if lines.len() == LINES {
            lines.remove(0);
        }
        lines.push(line);
    }
    lines
}

fn line_of(value: &Value) -> Option<KeptLine> {
    if value["kind"] != "score" {
        return None;
    }
    let text = |key: &str| value[key].as_str().map(cut);
    let interval =
        value["interval"].as_array().and_then(|ends| Some([ends.first()?.as_f64()?, ends.get(1)?.as_f64()?]));
    let setting = |(key, value): (&String, &Value)| match value {
        Value::String(text) if text.len() == 64 && text.is_char_boundary(8) => {
            format!("{key} {}…", &text[..8])
        }
        Value::String(text) => format!("{key} {text}"),
        Value::Number(number) if number.is_f64() => {
            format!("{key} {}", number.as_f64().map(short).unwrap_or_default())
        }
        other => format!("{key} {other}"),
    };
    Some(KeptLine {
        metric: text("metric")?,
        value: value["value"].as_f64()?,
        interval,
        floor: value["floor"].as_f64(),
        better: Better::of(value),
        n: value["n"].as_u64(),
        reference_n: value["reference_n"].as_u64(),
        reference: text("reference"),
        nfe: value["nfe"].as_u64(),
        step: value["step"].as_u64(),
        ema: text("ema").unwrap_or_default(),
        solver: text("solver").unwrap_or_default(),
        noise: value["noise"].as_u64(),
        settings: value["settings"]
            .as_object()
            .map(|all| all.iter().take(SETTINGS).map(setting).map(|text| cut(&text)).collect())
            .unwrap_or_default(),
        date: text("date").unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Half an interval, and a text of 64 bytes that are no digest.
    #[test]
    fn lines_of_other_programs_are_no_panic() {
        let line = |rest: &str| format!("{{\"kind\":\"score\",\"metric\":\"kid\",\"value\":1,{rest}}}");
        for rest in ["\"interval\":[]", "\"interval\":[1]"] {
            assert_eq!(parse(&line(rest))[0].interval, None);
        }
        let wide = format!("a{}a", "é".repeat(31));
        let settings = &parse(&line(&format!("\"settings\":{{\"x\":\"{wide}\"}}")))[0].settings;
        assert_eq!(settings[..], [format!("x {wide}")]);
    }

    #[test]
    fn of_very_many_lines_the_last_are_kept() {
        let line = |n: usize| format!("{{\"kind\":\"score\",\"metric\":\"kid\",\"value\":1,\"n\":{n}}}\n");
        let lines = parse(&(0..1000).map(line).collect::<String>());
        assert_eq!((lines.len(), lines[0].n, lines[255].n), (256, Some(744), Some(999)));
    }

    #[test]
    fn the_last_of_a_kind_counts() {
        let line = |value: f64, reference: &str, step: u64| {
            format!(
                "{{\"kind\":\"score\",\"metric\":\"kid\",\"value\":{value},\"reference\":\"{reference}\",\"step\":{step},\"n\":5}}\n"
            )
        };
        let text =
            line(1.0, "a", 9) + &line(2.0, "a", 9) + "{\"ki\n" + &line(3.0, "b", 9) + &line(4.0, "a", 10);
        let values: Vec<f64> = parse(&text).iter().map(|line| line.value).collect();
        assert_eq!(values, [2.0, 3.0, 4.0]);
        let lines = parse(&text);
        assert!(!lines[0].compares_with(&lines[1]) && lines[0].compares_with(&lines[2]));
    }
}
