//! What other crates add: a type of value, a kind in a list of their own, a constraint.

use super::{faults, read};
use meanflow_settings::{Node, Number, Reader, Scalar, Value, Wrong, quote};

/// A colour such as `"#00ff80"`.
struct Colour;

impl Scalar for Colour {
    type Out = u32;

    fn expected(&self) -> String {
        "a colour".to_owned()
    }

    fn read(&self, node: &Node) -> Result<u32, Wrong> {
        let Value::String(text) = &node.value else { return Err(Wrong::Type("a colour".to_owned())) };
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6);
        digits
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .ok_or_else(|| Wrong::Must("be # and six digits".to_owned()))
    }

    fn show(&self, colour: &u32) -> String {
        quote(&format!("#{colour:06x}"))
    }

    fn blank(&self) -> u32 {
        0
    }
}

type Kind = (&'static str, fn(&mut Reader) -> f64);

fn net(kinds: &[Kind]) -> impl Fn(&mut Reader) -> Option<f64> {
    move |root| {
        let names: Vec<&'static str> = kinds.iter().map(|(name, _)| *name).collect();
        root.kind("net", &names, None, |name, r| {
            kinds.iter().find(|(other, _)| *other == name).map(|(_, read)| read(r))
        })?
    }
}

#[test]
fn a_type_of_value() {
    let colour = |r: &mut Reader| r.get("colour", Colour, 0xff);
    let (value, resolved) = read("colour = \"#00ff80\"", colour).unwrap();
    assert_eq!((value, resolved.to_toml().as_str()), (0x00ff80, "colour = \"#00ff80\"\n"));
    assert_eq!(faults("colour = \"red\"", colour), ["`colour` must be # and six digits, found \"red\" (-)"]);
    assert_eq!(faults("colour = 1", colour), ["`colour`: expected a colour, found an integer (-)"]);
    assert_eq!(Reader::keys(colour)[0].expected, "a colour");
}

#[test]
fn a_kind() {
    const BUILT_IN: Kind = ("mlp", |r| r.need("width", Number::POSITIVE));
    let own: Kind = ("mixer", |r| {
        let width = r.get("width", Number::POSITIVE, 3.0);
        if r.is_sound() && width > 10.0 {
            r.fault("width", "is above the height", Some("make it less"));
        }
        width
    });
    let kinds = [BUILT_IN, own];
    assert_eq!(read("net.mixer = {}", net(&kinds)).unwrap().0, Some(3.0));
    assert_eq!(
        faults("net.mixer.width = 11", net(&kinds)),
        ["`net.mixer.width`: is above the height (make it less)"]
    );
    // A constraint is not checked where the keys themselves are wrong.
    assert_eq!(faults("net.mixer = { width = 11, x = 0 }", net(&kinds)).len(), 2);
    assert_eq!(
        faults("net.mixer = 11", net(&kinds)),
        ["`net.mixer`: expected a table, found an integer (-)"]
    );
    assert_eq!(faults("net.mixr = {}", net(&kinds)), ["`net` has no kind `mixr` (did you mean `mixer`?)"]);
    assert_eq!(
        faults("net.mixer = {}", net(&[BUILT_IN])),
        ["`net` has no kind `mixer` (valid names: `mlp`)"]
    );
}
