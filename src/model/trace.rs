//! The `traceparent` header of the W3C: `00-{trace}-{parent}-{flags}`.

use std::fmt;

/// The name of the header.
pub const TRACEPARENT: &str = "traceparent";

/// The place of a request in a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent {
    /// The trace; never 0.
    pub trace: u128,
    /// The span that made the request; never 0.
    pub parent: u64,
    /// Whether the caller records the trace.
    pub sampled: bool,
}

impl TraceParent {
    /// Reads a header; `None` when it is not valid, as the standard asks.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim_matches([' ', '\t']).split('-');
        let version = hex(parts.next()?, 2)?;
        let trace = hex(parts.next()?, 32)?;
        let parent = u64::try_from(hex(parts.next()?, 16)?).ok()?;
        let flags = hex(parts.next()?, 2)?;
        // A later version may add parts; the first has none.
        let known = version != 0xff && (version != 0 || parts.next().is_none());
        (known && trace != 0 && parent != 0).then_some(Self { trace, parent, sampled: flags & 1 == 1 })
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace, self.parent, u8::from(self.sampled))
    }
}

/// A trace id of 16 or 32 hexadecimal digits, as tracers write it; never 0.
#[must_use]
pub fn trace_id(text: &str) -> Option<u128> {
    let lower = text.to_ascii_lowercase();
    hex(&lower, 32).or_else(|| hex(&lower, 16)).filter(|id| *id != 0)
}

/// So many lower-case hexadecimal digits.
fn hex(text: &str, digits: usize) -> Option<u128> {
    let valid = text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    valid.then(|| u128::from_str_radix(text, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const PARENT: &str = "00f067aa0ba902b7";

    #[test]
    fn valid_headers_are_read() {
        let read = TraceParent::parse(&format!("00-{TRACE}-{PARENT}-01")).unwrap();
        assert_eq!(
            (read.trace, read.parent, read.sampled),
            (0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736, 0x00f0_67aa_0ba9_02b7, true)
        );
        assert!(!TraceParent::parse(&format!(" 00-{TRACE}-{PARENT}-02 ")).unwrap().sampled);
        assert_eq!(TraceParent::parse(&format!("cc-{TRACE}-{PARENT}-01-what-comes")), Some(read));
        assert_eq!(trace_id("A3CE929D0E0E4736"), Some(0xa3ce_929d_0e0e_4736));
        assert_eq!(trace_id(TRACE), Some(read.trace));
    }

    #[test]
    fn invalid_headers_are_not() {
        let zero = "0".repeat(32);
        for text in [
            String::new(),
            format!("00-{TRACE}-{PARENT}"),
            format!("00-{TRACE}-{PARENT}-01-more"),
            format!("ff-{TRACE}-{PARENT}-01"),
            format!("00-{zero}-{PARENT}-01"),
            format!("00-{TRACE}-{}-01", &zero[..16]),
            format!("00-{}-{PARENT}-01", TRACE.to_uppercase()),
            format!("00-+{}-{PARENT}-01", &TRACE[1..]),
            format!("0-{TRACE}-{PARENT}-01"),
        ] {
            assert_eq!(TraceParent::parse(&text), None, "{text}");
        }
        assert_eq!((trace_id(&zero), trace_id("12")), (None, None));
    }

    proptest::proptest! {
        #[test]
        fn a_printed_header_reads_back(trace in 1_u128.., parent in 1_u64.., sampled: bool) {
            let header = TraceParent { trace, parent, sampled };
            proptest::prop_assert_eq!(TraceParent::parse(&header.to_string()), Some(header));
        }

        #[test]
        fn nothing_makes_it_panic(text in "\\PC*") {
            let _ = (TraceParent::parse(&text), trace_id(&text));
        }
    }
}
