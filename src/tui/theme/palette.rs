//! The colours of what a text means, for terminals with 16, 256 and all colours.

use std::fmt;
use std::str::FromStr;

use ratatui::style::Color;

/// What a colour stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It went well.
    Ok,
    /// It failed.
    Failed,
    /// Nobody knows whether it goes on.
    Stuck,
    /// It goes on.
    Running,
    /// It matters less.
    Dim,
    /// A key, or the name of a field.
    Accent,
}

/// A set of colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Palette {
    /// [`Palette::Default`], or [`Palette::Light`] where the terminal says that its background is light.
    #[default]
    Auto,
    /// The sixteen colours that the terminal's own scheme defines.
    Default,
    /// Colours that can be told apart with any kind of colour blindness (after Okabe and Ito), for a dark background.
    Dark,
    /// The same, darker, for a light background.
    Light,
    /// None.
    Mono,
}

impl Palette {
    /// All.
    pub const ALL: [Self; 5] = [Self::Auto, Self::Default, Self::Dark, Self::Light, Self::Mono];

    fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Default => "default",
            Self::Dark => "dark",
            Self::Light => "light",
            Self::Mono => "mono",
        }
    }

    /// The colour, as far as this terminal can show it; none where everything has the terminal's own.
    pub(super) fn colour(self, role: Role, depth: Depth) -> Option<Color> {
        let own = match role {
            Role::Ok => Color::Green,
            Role::Failed => Color::Red,
            Role::Stuck => Color::Yellow,
            Role::Running => Color::Cyan,
            Role::Dim => Color::DarkGray,
            Role::Accent => Color::Blue,
        };
        let (rgb, of_sixteen) = match (self, role) {
            (Self::Mono, _) => return None,
            (Self::Auto | Self::Default, _) => return Some(own),
            (Self::Dark, Role::Ok) => ((0x2b, 0xc5, 0x9a), own),
            (Self::Dark, Role::Failed) => ((0xff, 0x7a, 0x3d), Color::LightRed),
            (Self::Dark, Role::Stuck) => ((0xf0, 0xe4, 0x42), Color::LightYellow),
            (Self::Dark, Role::Running) => ((0x56, 0xb4, 0xe9), Color::LightCyan),
            (Self::Dark, Role::Dim) => ((0x8a, 0x8a, 0x8a), own),
            (Self::Dark, Role::Accent) => ((0x7f, 0xb2, 0xe8), Color::LightBlue),
            (Self::Light, Role::Ok) => ((0x00, 0x6e, 0x50), own),
            (Self::Light, Role::Failed) => ((0xb3, 0x3a, 0x00), own),
            // Yellow cannot be read on white.
            (Self::Light, Role::Stuck) => ((0x7a, 0x5c, 0x00), Color::Magenta),
            (Self::Light, Role::Running) => ((0x00, 0x5b, 0x96), Color::Blue),
            (Self::Light, Role::Dim) => ((0x6c, 0x6c, 0x6c), own),
            (Self::Light, Role::Accent) => ((0x1f, 0x4f, 0x9e), Color::Blue),
        };
        let (red, green, blue) = rgb;
        Some(match depth {
            Depth::Sixteen => of_sixteen,
            Depth::Indexed => Color::Indexed(nearest(rgb)),
            Depth::True => Color::Rgb(red, green, blue),
        })
    }
}

impl FromStr for Palette {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|palette| palette.name() == text);
        found.ok_or_else(|| format!("there is no theme `{text}`: write auto, default, dark, light or mono"))
    }
}

impl fmt::Display for Palette {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How many colours a terminal shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Sixteen.
    Sixteen,
    /// 256.
    Indexed,
    /// All.
    True,
}

/// The colours that a person wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Colours {
    /// As many as the environment says that the terminal shows; none with `NO_COLOR`.
    #[default]
    Auto,
    /// None.
    Never,
    /// So many, whatever the environment says.
    Depth(Depth),
}

impl FromStr for Colours {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "auto" => Self::Auto,
            "never" => Self::Never,
            "16" => Self::Depth(Depth::Sixteen),
            "256" => Self::Depth(Depth::Indexed),
            "true" => Self::Depth(Depth::True),
            _ => return Err(format!("`{text}` is not a color depth: write auto, never, 16, 256 or true")),
        })
    }
}

impl fmt::Display for Colours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Never => "never",
            Self::Depth(Depth::Sixteen) => "16",
            Self::Depth(Depth::Indexed) => "256",
            Self::Depth(Depth::True) => "true",
        })
    }
}

/// The nearest of the 256 colours, among the cube of 6x6x6 and the greys: the first sixteen are the person's own.
fn nearest((red, green, blue): (u8, u8, u8)) -> u8 {
    let level = |n: u8| if n == 0 { 0 } else { 55 + 40 * i32::from(n) };
    let cube = (0..216_u8).map(|n| (n + 16, [level(n / 36), level(n / 6 % 6), level(n % 6)]));
    let greys = (0..24_u8).map(|n| (n + 232, [8 + 10 * i32::from(n); 3]));
    let wanted = [red, green, blue].map(i32::from);
    let distance = |colour: [i32; 3]| -> i32 { colour.iter().zip(wanted).map(|(a, b)| (a - b).pow(2)).sum() };
    cube.chain(greys).min_by_key(|&(_, colour)| distance(colour)).map_or(7, |(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_of_256_colours_is_found() {
        for (rgb, index) in [
            ((0, 0, 0), 16),
            ((255, 255, 255), 231),
            ((255, 135, 0), 208),
            ((0x8a, 0x8a, 0x8a), 245),
            ((0x5f, 0xaf, 0xff), 75),
            ((250, 10, 5), 196),
        ] {
            assert_eq!(nearest(rgb), index, "{rgb:?}");
        }
    }

    #[test]
    fn words_are_read_and_written() {
        for palette in Palette::ALL {
            assert_eq!(palette.to_string().parse(), Ok(palette));
        }
        for text in ["auto", "never", "16", "256", "true"] {
            assert_eq!(text.parse::<Colours>().unwrap().to_string(), text);
        }
        assert!("blue".parse::<Palette>().unwrap_err().contains("dark"));
        assert!("24".parse::<Colours>().unwrap_err().contains("256"));
    }
}
